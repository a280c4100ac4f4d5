"""Labels: what the loan book lets us say of a loan, and when."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.tables import LOAN_STATES
from models.loans.outcomes import DPD90_12M, LABELS, BadDefinition, Definition, label

PAID_OUT = date(2024, 3, 10)
LONG_AFTER = date(2030, 1, 1)


def month(number: int) -> date:
    """First day of a month on book of a loan paid out on PAID_OUT."""
    years, months = divmod(PAID_OUT.month - 1 + number, 12)
    return date(PAID_OUT.year + years, months + 1, 1)


def application(
    application_id: str = "A1", repayment: str = "instalment", granted_on: date | None = PAID_OUT
) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "application_id": [application_id],
            "business_id": ["B1"],
            "applied_at": [datetime(2024, 3, 1, 17, 0, tzinfo=UTC)],
            "repayment": [repayment],
            "granted_on": [granted_on],
            "known_on": [date(2024, 3, 12)],
        },
        schema_overrides={
            "applied_at": pl.Datetime("us", "UTC"),
            "repayment": pl.Enum(("bullet", "instalment")),
            "granted_on": pl.Date,
        },
    )


def book(rows: Iterable[tuple[int, int, str]], known: int = 5) -> pl.DataFrame:
    """Months on book as (month, worst days past due, state), each known after ``known`` days."""
    return pl.DataFrame(
        [
            {
                "application_id": "A1",
                "period": month(number),
                "worst_days_past_due": days,
                "state": state,
                "known_on": month(number + 1) + timedelta(days=known),
            }
            for number, days, state in rows
        ],
        schema={
            "application_id": pl.String,
            "period": pl.Date,
            "worst_days_past_due": pl.Int64,
            "state": pl.Enum(LOAN_STATES),
            "known_on": pl.Date,
        },
    )


def performing(*days: int) -> list[tuple[int, int, str]]:
    return [(number, worst, "performing") for number, worst in enumerate(days)]


def said(
    rows: Iterable[tuple[int, int, str]], repayment: str = "instalment", as_of: date = LONG_AFTER
) -> str:
    return str(label(application(repayment=repayment), book(rows), as_of)["label"].item())


def test_a_loan_never_over_thirty_days_through_its_window_is_good() -> None:
    assert said(performing(*[30] * 13)) == "good"


def test_ninety_days_inside_the_window_is_bad_and_eighty_nine_is_not() -> None:
    assert said(performing(*[0] * 12, 90)) == "bad"
    assert said(performing(*[0] * 12, 89)) == "indeterminate"
    assert said(performing(*[0] * 12, 31)) == "indeterminate"


def test_trouble_after_the_close_does_not_count() -> None:
    assert said(performing(*[0] * 13, 200)) == "good"


def test_a_bullet_loan_is_watched_for_fifteen_months() -> None:
    late_at_maturity = performing(*[0] * 13, 30, 61, 92)
    assert said(late_at_maturity, "bullet") == "bad"
    assert said(late_at_maturity, "instalment") == "good"
    assert said(performing(*[0] * 13), "bullet") == "immature"


def test_a_write_off_or_a_paid_guarantee_is_bad_whatever_the_days() -> None:
    for state in ("written_off", "guarantee_paid"):
        assert said([*performing(0, 20), (2, 20, state)]) == "bad"


def test_a_loan_repaid_early_is_good_at_once() -> None:
    assert said([*performing(0, 0), (2, 0, "repaid")], as_of=month(4)) == "good"


def test_a_renewed_loan_is_not_a_good_one() -> None:
    assert said([*performing(*[0] * 12), (12, 0, "renewed")], "bullet") == "indeterminate"


def test_a_deferred_loan_is_indeterminate_once_its_window_has_closed() -> None:
    deferred = [*performing(0, 0), *[(number, 0, "deferred") for number in range(2, 13)]]
    assert said(deferred) == "indeterminate"
    assert said(deferred, as_of=month(6)) == "immature"


def test_where_the_closing_month_is_missing_the_next_one_can_clear_but_not_condemn() -> None:
    assert said([*performing(*[0] * 12), (13, 0, "performing")]) == "good"
    assert said([*performing(*[0] * 12), (13, 95, "performing")]) == "indeterminate"


def test_an_unseen_month_leaves_a_loan_immature() -> None:
    rows = performing(*[0] * 13)
    known = month(13) + timedelta(days=5)
    assert said(rows, as_of=known - timedelta(days=1)) == "immature"
    assert said(rows, as_of=known) == "good"


def test_the_newest_known_version_of_a_month_is_the_valid_one() -> None:
    first = book(performing(*[0] * 12, 95))
    mended = book([(12, 10, "performing")], known=60)
    both = pl.concat([mended, first])
    assert label(application(), both, month(13) + timedelta(days=10))["label"].item() == "bad"
    assert label(application(), both, LONG_AFTER)["label"].item() == "good"


def test_only_loans_paid_out_by_then_are_labelled() -> None:
    declined = application("A2", granted_on=None)
    both = pl.concat([declined, application()])
    assert label(both, book([]), LONG_AFTER)["application_id"].to_list() == ["A1"]
    assert label(both, book([]), date(2024, 3, 9)).is_empty()


def test_the_day_of_application_is_the_day_in_shanghai() -> None:
    assert label(application(), book([]), LONG_AFTER)["applied_on"].item() == date(2024, 3, 2)


def test_a_vintage_matures_a_month_after_its_window_closes() -> None:
    def matures_on(repayment: str) -> date:
        day = label(application(repayment=repayment), book([]), LONG_AFTER)["matures_on"].item()
        assert isinstance(day, date)
        return day

    assert matures_on("instalment") == date(2025, 5, 1)
    assert matures_on("bullet") == date(2025, 8, 1)


histories = st.lists(
    st.tuples(st.integers(0, 130), st.sampled_from(["performing", "performing", "deferred"])),
    min_size=1,
    max_size=18,
)
closings = st.sampled_from([None, "repaid", "written_off", "guarantee_paid"])


def _worsening(days: list[tuple[int, str]], last: str | None) -> list[tuple[int, int, str]]:
    """A history whose worst days past due never fall, ended by ``last`` where there is one."""
    worst, rows = 0, []
    for number, (late, state) in enumerate(days):
        worst = max(worst, late - 40)
        rows.append((number, worst, state))
    return [*rows[:-1], (*rows[-1][:2], last)] if last else rows


@settings(max_examples=40, deadline=None)
@given(histories, closings, st.integers(0, 24), st.sampled_from(["bullet", "instalment"]))
def test_what_is_known_later_never_changes_a_label(
    days: list[tuple[int, str]], last: str | None, now: int, repayment: str
) -> None:
    """Rows known after the day are not used, and a label once said stays."""
    rows, as_of = book(_worsening(days, last)), month(now)
    loan = application(repayment=repayment)
    then = label(loan, rows, as_of)
    assert then.equals(label(loan, rows.filter(pl.col("known_on") <= as_of), as_of))
    assert then.schema["label"] == LABELS
    later = label(loan, rows, LONG_AFTER)
    if then.height and then["label"].item() != "immature":
        assert later["label"].item() == then["label"].item()


@settings(max_examples=20, deadline=None)
@given(histories, closings)
def test_the_order_and_doubling_of_rows_is_irrelevant(
    days: list[tuple[int, str]], last: str | None
) -> None:
    rows = book(_worsening(days, last))
    shuffled = pl.concat([rows, rows]).sample(fraction=1, shuffle=True, seed=len(days))
    assert label(application(), rows, LONG_AFTER).equals(label(application(), shuffled, LONG_AFTER))


def test_a_definition_of_default_is_read_as_it_is_written() -> None:
    assert Definition.parse("dpd60_9m") == Definition(days=60, months=9)
    assert Definition.parse(DPD90_12M.name) == DPD90_12M


@pytest.mark.parametrize("name", ["dpd30_12m", "dpd90", "90_12", "dpd90_0m", "dpd090_1y"])
def test_what_is_no_definition_of_default_is_refused_with_the_form_asked_for(name: str) -> None:
    with pytest.raises(BadDefinition, match="dpd90_12m"):
        Definition.parse(name)


def test_a_stricter_definition_calls_bad_what_the_usual_one_does_not() -> None:
    months = book([(0, 0, "performing"), (3, 65, "performing"), (12, 0, "repaid")])
    usual, strict = (
        label(application(), months, LONG_AFTER, definition)["label"].item()
        for definition in (DPD90_12M, Definition(days=60, months=12))
    )
    assert (usual, strict) == ("indeterminate", "bad")
