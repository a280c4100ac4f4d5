"""Outcome, time and features of a flat table are found, or asked for in one sentence."""

from datetime import date, time

import polars as pl
import pytest

from features.errors import MicroloanError
from pipelines.learning.flat_columns import days, outcome, usable, with_ages

STATUS = pl.Series("status", ["Fully Paid"] * 40 + ["Current"] * 20 + ["Charged Off"] * 15)


@pytest.mark.parametrize(
    ("yes", "no"), [("Y", "N"), ("是", "否"), ("yes", "No"), ("TRUE", "FALSE"), ("1", "0")]
)
def test_yes_means_default(yes: str, no: str) -> None:
    flags, warnings = outcome(pl.Series("bad", [yes] * 12 + [no] * 20 + [None]), None, None)
    assert flags.to_list() == [1] * 12 + [0] * 20 + [None]
    assert warnings == ["1 rows without an outcome in 'bad' are left out"]


@pytest.mark.parametrize("dtype", [pl.Int64, pl.Float64, pl.Boolean])
def test_ones_mean_default_of_whatever_type(dtype: pl.DataType) -> None:
    target = pl.Series("bad", [1] * 10 + [0] * 10).cast(dtype)
    assert outcome(target, None, None)[0].to_list() == [1] * 10 + [0] * 10
    if dtype != pl.Boolean:
        assert outcome(target, "0", None)[0].to_list() == [0] * 10 + [1] * 10


def test_values_that_are_neither_good_nor_bad_are_left_out() -> None:
    flags, warnings = outcome(STATUS, "Charged Off", "Fully Paid")
    assert flags.to_list() == [0] * 40 + [None] * 20 + [1] * 15
    assert "20 rows that are neither good nor bad" in warnings[0]


def test_several_values_that_all_count_as_good_are_named() -> None:
    flags, warnings = outcome(STATUS, "Charged Off", None)
    assert flags.sum() == 15
    assert "'Current', 'Fully Paid': all count as good" in warnings[0]


def test_several_values_may_mean_default() -> None:
    assert outcome(STATUS, "Charged Off, Current", None)[0].sum() == 35


def test_a_majority_of_defaults_is_wondered_at() -> None:
    _, warnings = outcome(STATUS, "Fully Paid", None)
    assert any(warning.startswith("53% of the rows are default") for warning in warnings)


@pytest.mark.parametrize(
    ("target", "bad", "sentence"),
    [
        (STATUS, None, "which value means default, as --bad='Charged Off'"),
        (STATUS, "Charged", "no value of status 'Charged'"),
        (pl.Series("y", [1] * 3 + [0] * 97), None, "3 defaults among 100 rows"),
        (pl.Series("y", [0] * 50), None, "0 defaults among 50 rows"),
        (pl.Series("y", [None] * 50, dtype=pl.Int8), None, "0 defaults among 0 rows"),
        (pl.Series("y", [0.5, 1.5] * 20), None, "'0.5', '1.5'; it must be 0/1"),
    ],
)
def test_an_outcome_that_does_not_tell_is_refused(
    target: pl.Series, bad: str | None, sentence: str
) -> None:
    with pytest.raises(MicroloanError, match=sentence):
        outcome(target, bad, None)


@pytest.mark.parametrize(
    ("written", "meant"),
    [(2014, date(2014, 1, 1)), (201403, date(2014, 3, 1)), (20140331, date(2014, 3, 31))],
)
def test_whole_numbers_may_tell_the_time(written: int, meant: date) -> None:
    assert days(pl.Series("when", [written, None])).to_list() == [meant, None]


@pytest.mark.parametrize("written", ["soon", 7, 20141399, 1.5, time(1, 2)])
def test_what_is_no_time_is_refused(written: object) -> None:
    with pytest.raises(MicroloanError, match="write them as 2024-12-31"):
        days(pl.Series("when", [written]))


def test_dates_before_the_time_count_as_days_and_those_that_know_the_future_stay() -> None:
    frame = pl.DataFrame(
        {
            "applied": [date(2024, 3, 1), date(2024, 3, 2), date(2024, 3, 3)],
            "opened": [date(2024, 2, 1), None, date(2024, 3, 3)],
            "charged_off": [None, date(2024, 9, 1), date(2024, 3, 1)],
            "income": [1, 2, 3],
        }
    )
    aged, told = with_ages(frame, "applied")
    assert aged["opened"].to_list() == [29, None, 0]
    assert aged.drop("opened").equals(frame.drop("opened"))
    assert told == ["column 'opened' counts as days before 'applied'"]


def test_columns_nothing_can_be_learnt_from_are_left_out_and_told_why() -> None:
    rows = range(100)
    frame = pl.DataFrame(
        {
            "income": [row * row % 37 for row in rows],
            "again": [row * row % 37 for row in rows],
            "number": [row + 5 for row in rows],
            "account": [62_220_000 + 97 * row for row in rows],
            "citizen": pl.Series([10**17 + row % 9 for row in rows]),
            "name": [f"firm {row}" for row in rows],
            "same": ["x"] * 100,
            "nothing": pl.Series([None] * 100, dtype=pl.String),
            "opened": [date(2020, 1, 1)] * 100,
            "list": [[row] for row in rows],
            "bytes": [bytes([row]) for row in rows],
            "half_known": [None if row % 2 else 1.0 for row in rows],
        }
    )
    used, warnings = usable(frame)
    assert used == ["income", "half_known"]
    why = [warning.split(": ", 1)[1] for warning in warnings]
    assert why == [
        "it repeats 'income'",
        "100 different whole numbers in as many rows name the rows",
        "100 different whole numbers in as many rows name the rows",
        "numbers of so many digits are names",
        "100 distinct texts in 100 rows name the rows",
        "it has one value only",
        "it has one value only",
        "a date is no feature, unless it never lies after that of --time",
        "List(Int64) is not a plain value",
        "Binary is not a plain value",
    ]


def test_a_table_without_a_usable_column_is_refused() -> None:
    with pytest.raises(MicroloanError, match=r"'same' is left out.*see --drop and --id"):
        usable(pl.DataFrame({"same": [1, 1]}))
