"""Months at risk: how far the loan book lets us watch each loan."""

from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.loans.at_risk import horizon_months, months_at_risk
from models.loans.outcomes import label
from tests.models.test_outcomes import (
    LONG_AFTER,
    application,
    book,
    closings,
    histories,
    month,
    performing,
)

Months = list[tuple[int, int, str]]


def watched(rows: Months, as_of: date = LONG_AFTER) -> tuple[int, bool]:
    loan = months_at_risk(application(), book(rows), as_of)
    return loan["months_at_risk"].item(), loan["defaulted"].item()


def worsening(days: list[tuple[int, str]], last: str | None) -> Months:
    """A history whose worst days past due never fall, ended by ``last`` where there is one."""
    rows = [(at, max(late for late, _ in days[: at + 1]), days[at][1]) for at in range(len(days))]
    return [*rows[:-1], (*rows[-1][:2], last)] if last else rows


def test_a_performing_loan_is_watched_to_its_newest_known_month() -> None:
    rows = performing(*[0] * 8)
    assert watched(rows) == (8, False)
    assert watched(rows, as_of=month(3)) == (2, False), "month 2 is known five days into month 3"


def test_a_default_ends_the_watch_in_its_own_month() -> None:
    assert watched(performing(0, 0, 40, 71, 95, 120)) == (5, True)
    assert watched([*performing(0, 20), (2, 20, "written_off")]) == (3, True)


def test_days_below_ninety_are_nothing_yet() -> None:
    assert watched(performing(*[89] * 6)) == (6, False)


@pytest.mark.parametrize("state", ["renewed", "deferred"])
def test_an_eased_loan_is_watched_to_the_month_before(state: str) -> None:
    eased = [*performing(0, 20, 45), (3, 45, state)]
    assert watched(eased) == (3, False)
    assert watched([*eased, (4, 100, "performing")]) == (3, False)
    assert watched([*performing(0, 95), (2, 95, state)]) == (2, True)


def test_a_repaid_loan_stays_at_risk_to_the_newest_month_of_the_book() -> None:
    other = book(performing(*[0] * 10)).with_columns(application_id=pl.lit("A2"))
    both = pl.concat([other, book([*performing(0, 0), (2, 0, "repaid")])])
    loans = pl.concat([application(), application("A2")])
    assert months_at_risk(loans, both, LONG_AFTER)["months_at_risk"].to_list() == [10, 10]
    assert months_at_risk(loans, both, month(7))["months_at_risk"].to_list() == [6, 6]


def test_a_loan_without_a_known_month_was_watched_for_none() -> None:
    assert watched([]) == (0, False)
    assert months_at_risk(application(granted_on=None), book([]), LONG_AFTER).is_empty()


def test_the_newest_known_version_of_a_month_is_the_valid_one() -> None:
    both = pl.concat([book([(2, 10, "performing")], known=60), book(performing(0, 60, 95))])
    early = months_at_risk(application(), both, month(4))
    assert early["defaulted"].item()
    assert not months_at_risk(application(), both, LONG_AFTER)["defaulted"].item()


@settings(max_examples=40, deadline=None)
@given(histories, closings, st.integers(0, 24))
def test_nothing_known_after_the_day_counts(
    days: list[tuple[int, str]], last: str | None, now: int
) -> None:
    rows, as_of = book(worsening(days, last)), month(now)
    then = months_at_risk(application(), rows, as_of)
    assert then.equals(
        months_at_risk(application(), rows.filter(pl.col("known_on") <= as_of), as_of)
    )
    later = months_at_risk(application(), rows, LONG_AFTER)
    if then.height and then["defaulted"].item():
        assert then.equals(later)
    elif then.height and then["months_at_risk"].item() < later["months_at_risk"].item():
        assert then["months_at_risk"].item() <= now


@settings(max_examples=60, deadline=None)
@given(histories, closings, st.sampled_from(["bullet", "instalment"]))
def test_a_label_that_was_never_eased_is_what_the_watch_says(
    days: list[tuple[int, str]], last: str | None, repayment: str
) -> None:
    rows = worsening([(late, "performing") for late, _ in days], last)
    loan = application(repayment=repayment)
    said = label(loan, book(rows), LONG_AFTER)["label"].item()
    watch = months_at_risk(loan, book(rows), LONG_AFTER)
    inside = watch["months_at_risk"].item() <= horizon_months()[repayment]
    assert (said == "bad") == (watch["defaulted"].item() and inside)
