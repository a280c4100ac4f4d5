"""A link is made when one business fits, undone when two do, and never by what is not yet known."""

from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.linking.belief import ENOUGH, beliefs

START = date(2024, 1, 1)
SURE, WEAK = 500.0, 0.5
Candidate = tuple[int, str, float, int]
Mind = tuple[int, int, str | None, float | None]


def told(
    *candidates: Candidate, left: float = 0.0
) -> list[tuple[int, int, str | None, float | None]]:
    """(account, day, business, probability) of each change of mind about (account, business, odds,
    day) of the candidates, each of whom has ``left`` with these odds."""
    rows: list[dict[str, Any]] = [
        {
            "account": a, "business_id": b, "odds": odds, "bears": odds * (1 + left),
            "known_on": START + timedelta(day),
        }
        for a, b, odds, day in candidates
    ]  # fmt: skip
    figures = {"odds": pl.Float64, "bears": pl.Float64}
    schema = {"account": pl.UInt32, "business_id": pl.String} | figures
    found = beliefs(pl.DataFrame(rows, schema=schema | {"known_on": pl.Date}))
    day = (pl.col("known_on") - START).dt.total_days()
    return list(found.select("account", day, "business_id", "link_probability").iter_rows())


def test_who_fits_alone_is_believed_from_the_day_both_were_known() -> None:
    assert told((0, "mill", SURE, 3)) == [(0, 3, "mill", SURE / (1 + SURE))]


def test_who_fits_too_little_is_not_believed() -> None:
    assert told((0, "mill", WEAK, 3)) == []


def test_who_may_have_left_is_believed_so_much_less_however_well_the_name_fits() -> None:
    changes = told((0, "mill", 1e9, 3), (0, "shop", 1e3, 3), left=0.04)
    assert [business for _, _, business, _ in changes] == ["mill"]
    assert changes[0][3] == pytest.approx(1 / 1.04, abs=1e-5)
    assert told((0, "mill", 1e9, 3), left=0.2) == []


def test_a_second_one_who_fits_as_well_leaves_the_account_with_nobody_from_that_day() -> None:
    changes = told((0, "mill", SURE, 3), (0, "shop", SURE, 8))
    assert [(day, business) for _, day, business, _ in changes] == [(3, "mill"), (8, None)]


def test_a_better_one_takes_the_account_over() -> None:
    changes = told((0, "mill", SURE, 3), (0, "shop", 100 * SURE, 8))
    assert [(day, business) for _, day, business, _ in changes] == [(3, "mill"), (8, "shop")]


def test_a_second_name_of_the_same_business_does_not_compete_with_the_first() -> None:
    changes = told((0, "mill", SURE, 3), (0, "mill", SURE, 8))
    assert [(day, business) for _, day, business, _ in changes] == [(3, "mill")]


def test_the_last_word_of_a_day_counts() -> None:
    assert told((0, "mill", SURE, 3), (0, "shop", SURE, 3)) == []


CANDIDATES = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(["mill", "shop", "stall"]),
        st.sampled_from([0.01, 0.5, 20.0, 500.0, 1e6]),
        st.integers(0, 9),
    ),
    max_size=10,
)


def expected(candidates: list[Candidate], account: int, day: int) -> str | None:
    """Who is believed on a day, reckoned the long way from all that was then known."""
    odds: dict[str, float] = {}
    for one, business, value, known in candidates:
        if one == account and known <= day:
            odds[business] = max(odds.get(business, 0.0), value)
    if not odds:
        return None
    best = max(odds, key=lambda business: odds[business])
    return best if odds[best] / (1 + sum(odds.values())) >= ENOUGH else None


@given(CANDIDATES)
def test_as_of_any_day_the_belief_is_what_the_candidates_known_then_allow(
    candidates: list[Candidate],
) -> None:
    changes = told(*candidates)
    for account in range(3):
        for day in range(10):
            seen = [b for a, known, b, _ in changes if a == account and known <= day]
            assert (seen[-1] if seen else None) == expected(candidates, account, day)
