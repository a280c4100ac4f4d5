"""Cells are read exactly or not at all."""

from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest

from pipelines.intake.parse import Unreadable, parser

MOMENT = pl.Datetime("us", "UTC")


def read(cells: pl.Series, target: Any) -> list[Any]:
    """The cells as the parser reads them."""
    return pl.select(parser(cells.dtype, target)(pl.lit(cells))).to_series().to_list()


@pytest.mark.parametrize("cell", ["12.5", "1e3", " 12", "12 ", "1,200", "", "twelve", str(2**63)])
def test_text_that_is_not_exactly_an_integer_is_not_read(cell: str) -> None:
    assert read(pl.Series([cell]), pl.Int64()) == [None]


def test_integers_are_read_exactly() -> None:
    assert read(pl.Series(["0", "-7", str(2**63 - 1)]), pl.Int64()) == [0, -7, 2**63 - 1]


@pytest.mark.parametrize(
    "cell", ["2024-5-1", "2024-02-30", " 2024-5-1", "20240501", "2024-05-01T00:00:00", "+2024-05-1"]
)
def test_only_iso_dates_of_real_days_are_read(cell: str) -> None:
    assert read(pl.Series(["2024-05-01", cell]), pl.Date()) == [date(2024, 5, 1), None]


@pytest.mark.parametrize(
    "cell",
    ["2024-05-01T08:30:00+08:00", "2024-05-01 00:30:00Z", "2024-05-01T00:30:00.000000+0000"],
)
def test_moments_with_an_offset_are_the_same_moment(cell: str) -> None:
    assert read(pl.Series([cell]), MOMENT) == [datetime(2024, 5, 1, 0, 30, tzinfo=UTC)]


@pytest.mark.parametrize("cell", ["2024-05-01T08:30:00", "2024-05-01", "2024-05-01T25:00:00Z"])
def test_a_moment_without_an_offset_is_not_read(cell: str) -> None:
    assert read(pl.Series([cell]), MOMENT) == [None]


def test_truth_is_true_false_one_or_zero() -> None:
    cells = pl.Series(["true", "FALSE", "1", "0", "yes", "2"])

    assert read(cells, pl.Boolean()) == [True, False, True, False, None, None]
    assert read(pl.Series([1, 0, 2]), pl.Boolean()) == [True, False, None]


def test_a_word_that_is_not_allowed_is_not_read() -> None:
    assert read(pl.Series(["A", "E"]), pl.Enum(["A", "B"])) == ["A", None]


def test_whole_floats_are_integers_and_others_are_not() -> None:
    cells = pl.Series([12.0, 12.5, None, float("nan"), float("inf"), 2.0**60])

    assert read(cells, pl.Int64()) == [12, None, None, None, None, None]


def test_a_midnight_is_a_date_and_another_hour_is_not() -> None:
    cells = pl.Series([datetime(2024, 5, 1), datetime(2024, 5, 1, 8)])  # noqa: DTZ001

    assert read(cells, pl.Date()) == [date(2024, 5, 1), None]


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (pl.Int64(), pl.String()),  # 007 became 7 before we saw it
        (pl.Datetime("us"), MOMENT),
        (pl.Float64(), pl.Date()),
        (pl.List(pl.Int64), pl.Int64()),
        (MOMENT, pl.Date()),
    ],
)
def test_a_type_that_lost_what_the_contract_asks_for_is_refused(source: Any, target: Any) -> None:
    with pytest.raises(Unreadable):
        parser(source, target)
