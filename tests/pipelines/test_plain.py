"""Numbers and dates are understood as people write them; what is text stays text."""

from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.learning.plain import plain


def read(*values: str | None) -> list[object]:
    frame, _ = plain(pl.DataFrame({"column": pl.Series(values, dtype=pl.String)}))
    return frame["column"].to_list()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (["1,234", "12", "-1,234,567"], [1234, 12, -1234567]),
        (["12%", "3.5 %", "１００％"], [0.12, 0.035, 1.0]),
        (["¥1,200.50", "￥30", "RMB 5", "12元", "-$7"], [1200.5, 30, 5, 12, -7]),
        (["12.5万", "3万", "1亿"], [125_000, 30_000, 100_000_000]),
        (["(1,234)", "5", "$6"], [-1234, 5, 6]),
        (["0,75", "1.234,5", "3"], [0.75, 1234.5, 3]),
        (["1e3", "2.5E-2", ".5"], [1000, 0.025, 0.5]),
        (["1 234 567", "8"], [1234567, 8]),
        (["1", None, "NA", "", "-", "null"], [1, None, None, None, None, None]),
    ],
)
def test_numbers_are_read_as_they_are_meant(written: list[str], meant: list[float]) -> None:
    assert read(*written) == pytest.approx(meant)


@pytest.mark.parametrize(
    "written",
    [
        ["2014-01-31", "2014-2-5 10:00:00", "2014-03-01T09:08:07Z"],
        ["2014/01/31", "2014/2/5", "2014/03/01"],
        ["2014.1.31", "2014.02.05", "2014.03.01"],
        ["2014年1月31日", "2014年2月5日", "2014年3月1日"],
        ["31/01/2014", "5/2/2014", "1/3/2014"],
        ["01/31/2014", "2/5/2014", "3/1/2014"],
        ["1/31/14", "2/5/14", "3/1/14"],
        ["31.01.2014", "5.2.2014", "1.3.2014"],
        ["31-Jan-14", "5-Feb-14", "1-Mar-14"],
        ["31 January 2014", "5 February 2014", "1 March 2014"],
        ["January 31, 2014", "Feb 5, 2014", "March 1, 2014"],
    ],
)
def test_dates_are_read_in_the_order_that_fits_them_all(written: list[str]) -> None:
    assert read(*written) == [date(2014, 1, 31), date(2014, 2, 5), date(2014, 3, 1)]


@pytest.mark.parametrize("written", ["Dec-2015", "2015-12", "2015年12月", "Dec-15"])
def test_a_month_counts_as_its_first_day(written: str) -> None:
    assert read(written) == [date(2015, 12, 1)]


@pytest.mark.parametrize(
    "text",
    [
        ["007", "123"],  # codes
        ["10+ years", "2 years"],
        ["1-3", "4-6"],
        ["餐饮", "零售"],
        ["3", "4", "many"],
    ],
)
def test_text_stays_text_without_the_blanks_around_it(text: list[str]) -> None:
    assert read(*(f" {value} " for value in text)) == text


def test_a_few_words_among_numbers_count_as_missing_and_are_told() -> None:
    values = [*map(str, range(97)), "unknown", "unknown", "n/a"]
    frame, warnings = plain(pl.DataFrame({"income": values}))
    assert frame["income"].to_list() == [*range(97), None, None, None]
    assert warnings == ["column 'income': 'unknown' in 2 rows counts as missing"]


def test_infinities_are_missing_and_told() -> None:
    frame, warnings = plain(pl.DataFrame({"ratio": [1.0, float("inf"), float("-inf")]}))
    assert frame["ratio"].to_list() == [1.0, None, None]
    assert warnings == ["column 'ratio': 2 infinities are missing"]


def test_decimals_are_numbers_like_any_other() -> None:
    written = pl.DataFrame({"amount": pl.Series(["1.25", None, "3.00"]).cast(pl.Decimal(12, 2))})
    amount = plain(written)[0]["amount"]
    assert amount.dtype == pl.Float64
    assert amount.to_list() == [1.25, None, 3.0]


def test_a_column_to_be_kept_stays_text() -> None:
    frame, _ = plain(pl.DataFrame({"paid": ["1", " 0", ""], "n": ["1", "2", "3"]}), keep=("paid",))
    assert frame["paid"].to_list() == ["1", "0", None]
    assert frame["n"].to_list() == [1, 2, 3]


@settings(max_examples=50)
@given(st.lists(st.decimals(-(10**9), 10**9, places=2), min_size=1))
def test_what_excel_formats_comes_back(values: list[object]) -> None:
    assert read(*(f"{value:,}" for value in values)) == pytest.approx(list(map(float, values)))
