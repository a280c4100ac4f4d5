"""A feature's profile tells the truth of values, default, drift and what it goes with."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from models.validation.profile import default_by, profile, quarters, related, values_of
from models.validation.profile_plot import profile_plot

ROWS = 4_000
RANDOM = np.random.default_rng(7)
VALUE = RANDOM.normal(size=ROWS)
NOISE = RANDOM.normal(size=ROWS)
BAD = (RANDOM.uniform(size=ROWS) < 1 / (1 + np.exp(2.5 - 1.2 * VALUE))).astype(float)
DAYS = pl.Series([date(2022, 1, 1) + timedelta(days=i * 1095 // ROWS) for i in range(ROWS)])


def some(values: Any, *, missing: float = 0.0) -> pl.Series:
    """A column with a share of nulls."""
    known = RANDOM.uniform(size=ROWS) >= missing
    return pl.select(pl.when(pl.Series(known)).then(pl.Series(values))).to_series().rename("x")


def test_a_rising_risk_is_found_and_held_against_the_declaration() -> None:
    told = default_by(some(VALUE), BAD, 1)
    assert told.trend == "rises"
    assert told.agreement == "as declared"
    assert default_by(some(VALUE), BAD, -1).agreement == "against the declaration"
    assert default_by(some(-VALUE), BAD, 1).trend == "falls"
    assert default_by(some(VALUE), BAD, 0).agreement is None
    assert told.information_value > 0.5


def test_noise_has_no_direction_beyond_doubt_and_no_information() -> None:
    told = default_by(some(NOISE), BAD, 1)
    assert told.agreement == "no direction beyond doubt"
    assert told.information_value < 0.05


def test_a_valley_is_neither_rising_nor_falling() -> None:
    bad = (RANDOM.uniform(size=ROWS) < 0.05 + 0.2 * (np.abs(NOISE) > 1)).astype(float)
    assert default_by(some(NOISE), bad, 1).trend == "neither"


def test_bins_hold_every_loan_once_and_the_missing_ones_apart() -> None:
    told = default_by(some(VALUE, missing=0.2), BAD, 1)
    assert sum(one.rows for one in told.bins) == told.loans == ROWS
    assert sum(one.bads for one in told.bins) == told.bads == BAD.sum()
    [unknown] = [one for one in told.bins if one.label == "Missing"]
    assert 0.15 * ROWS < unknown.rows < 0.25 * ROWS
    for one in told.bins:
        assert one.low <= one.bad_rate == one.bads / one.rows <= one.high


def test_words_are_binned_by_name_without_a_direction() -> None:
    told = default_by(some(np.where(VALUE > 0.5, "mill", "shop")), BAD, 0)
    assert {one.label for one in told.bins} == {"mill", "shop"}
    assert told.trend is told.rank_auc is told.agreement is None


@pytest.mark.parametrize("column", [[None] * ROWS, [1.0] * ROWS])
def test_a_column_that_says_nothing_has_a_profile(column: list[float | None]) -> None:
    table = pl.DataFrame({"x": pl.Series(column, dtype=pl.Float64)})
    told = profile(table, "x", DAYS, default_by(table["x"], BAD, 1))
    assert told.missing == (column[0] is None)
    assert told.default
    assert told.default.information_value == pytest.approx(0)
    assert told.default.agreement in (None, "no direction beyond doubt")
    assert profile_plot(told, "count")[1:4] == b"PNG"


def test_shares_of_values_add_up() -> None:
    assert sum(cell.share for cell in values_of(some(VALUE))) == pytest.approx(1)
    words = values_of(some(np.where(VALUE > 0, "mill", "shop"), missing=0.3))
    assert {cell.label for cell in words} == {"mill", "shop"}
    assert sum(cell.share for cell in words) == pytest.approx(1)


def test_a_quarter_that_moved_is_red_and_the_others_green() -> None:
    moved = np.where(np.array([day >= date(2024, 10, 1) for day in DAYS]), VALUE + 2, VALUE)
    told = quarters(pl.Series("x", moved), DAYS)
    assert [one.quarter for one in told][:2] == ["2022-Q1", "2022-Q2"]
    assert sum(one.rows for one in told) == ROWS
    assert [one.light for one in told if one.light == "red"] == ["red"]
    assert told[-1].light == "red"


def test_what_ranks_alike_comes_first_whatever_its_sign() -> None:
    table = pl.DataFrame(
        {"x": VALUE, "opposite": -np.exp(VALUE), "noise": NOISE, "near": VALUE + NOISE}
    ).with_columns(word=pl.lit("shop"))
    told = related("x", table, most=2)
    assert [name for name, _ in told] == ["opposite", "near"]
    assert told[0][1] == pytest.approx(-1)
    assert related("word", table) == ()
