"""What was known of businesses on their days: the only place where time is cut."""

from collections.abc import Sequence
from datetime import date
from functools import lru_cache

import polars as pl

from features.errors import BadTable
from features.tables import Table

FEW = 10_000  # rows that are sorted faster than they are checked for order

# The plan below reads no column twice and filters as early as it can; looking for more to optimise
# costs one business a quarter of its time and gains a bucket of many nothing.
AS_WRITTEN = pl.QueryOptFlags.none()


def as_known(moments: pl.DataFrame, records: pl.DataFrame, table: Table) -> pl.LazyFrame:
    """Rows of ``records`` valid and known at each moment, with dates turned into ages.

    Of the versions of a key that are known, the last is valid. ``moments`` has ``row``,
    ``business_id`` and ``applied_on``; the result is ordered by ``row``.
    """
    valid, aged, counted = _cut(table, tuple(records.columns))
    seen = _seen(moments, records, table)
    return seen.filter(valid).select("row", *aged).with_columns(counted)


def valid_days(moments: pl.DataFrame, records: pl.DataFrame, table: Table) -> pl.LazyFrame:
    """``row`` and ``known_on`` of the rows valid and known at each moment, as ``as_known``."""
    read = records.select(
        [name for name in records.columns if name in {*_order(table), table.holds}]
    )
    valid, *_ = _cut(table, tuple(read.columns))
    return _seen(moments, read, table).filter(valid).select("row", "known_on")


def conform(records: pl.DataFrame, table: Table) -> pl.DataFrame:
    """``records``, after checking columns and types.

    Raises:
        BadTable: they lack a column of the table's contract, or hold it in another type.
    """
    found = records.schema
    for name, dtype in table.dtypes.items():
        if name not in found:
            raise BadTable(f"Table {table.name} has no column {name!r}; its contract asks for it.")
        if found[name] != dtype:
            raise BadTable(f"{table.name}.{name} is {found[name]}; its contract asks for {dtype}.")
    return records


def run(plan: pl.LazyFrame) -> pl.DataFrame:
    """The plan's result. The streaming engine, Polars' own choice, takes twice as long here."""
    return plan.collect(optimizations=AS_WRITTEN, engine="in-memory")


def _seen(moments: pl.DataFrame, records: pl.DataFrame, table: Table) -> pl.LazyFrame:
    seen = _of_one if moments.height == 1 else _of_many
    return seen(moments, records, table)


def _of_many(moments: pl.DataFrame, records: pl.DataFrame, table: Table) -> pl.LazyFrame:
    """What each moment knows of its business, by row, key and version."""
    return (
        moments.lazy()
        .select("row", "business_id", "applied_on")
        .join(_in_order(records, table), on="business_id", maintain_order="left_right")
        .filter(pl.col("known_on") <= pl.col("applied_on"))
    )


def _of_one(moments: pl.DataFrame, records: pl.DataFrame, table: Table) -> pl.LazyFrame:
    """The same of a single moment, without the cost of starting a join."""
    known, at = _moment(*(moments[name].item() for name in ("row", "business_id", "applied_on")))
    return records.lazy().filter(known).sort(_order(table)).with_columns(at)


@lru_cache(maxsize=64)  # one moment asks every source
def _moment(row: int, business: str, day: date) -> tuple[pl.Expr, Sequence[pl.Expr]]:
    """What a business knows on a day, and the columns that a join would add."""
    known = (pl.col("business_id") == business) & (pl.col("known_on") <= day)
    return known, (pl.lit(row, pl.UInt32).alias("row"), pl.lit(day).alias("applied_on"))


@lru_cache(maxsize=256)
def _cut(
    table: Table, columns: tuple[str, ...]
) -> tuple[pl.Expr, Sequence[pl.Expr], Sequence[pl.Expr]]:
    """Which of the known rows are valid, their columns with ages for dates, and months back.

    Months are counted back from the newest of each series.
    """
    keys = ("row", *table.key)
    last = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift(-1)) for name in keys)
    valid = last & pl.col(table.holds) if table.holds else last
    dates = [name for name in columns if table.dtypes[name] == pl.Date]
    plain = [pl.col(name) for name in columns if name not in dates and name != "business_id"]
    aged = [*plain, *(_age(name) for name in dates if name != "period")]
    aged += [_whole_months(name) for name in dates if name == table.anniversary]
    if "period" not in dates:
        return valid, aged, ()
    length = pl.col("months") if "months" in table.dtypes else pl.lit(1)
    months_ago = _month_number("applied_on") - _month_number("period") - (length - 1)
    newest = pl.col("months_ago").min().over("row", *table.series)
    months_back = (pl.col("months_ago") - newest).alias("months_back")
    return valid, [*aged, months_ago.alias("months_ago")], (months_back,)


def _age(day: str) -> pl.Expr:
    days = (pl.col("applied_on") - pl.col(day)).dt.total_days()
    return days.alias(day.removesuffix("_on") + "_ago")


def _whole_months(day: str) -> pl.Expr:
    """Calendar months that are over; one without such a day is over on its last."""
    last = pl.col("applied_on").dt.month_end().dt.day()
    is_reached = pl.col("applied_on").dt.day() >= pl.min_horizontal(pl.col(day).dt.day(), last)
    months = _month_number("applied_on") - _month_number(day) - (~is_reached).cast(pl.Int64)
    return months.alias(day.removesuffix("_on") + "_months_ago")


def _month_number(day: str) -> pl.Expr:
    """Months since year 0, so that differences count calendar months."""
    return pl.col(day).dt.year().cast(pl.Int64) * 12 + pl.col(day).dt.month()


def _order(table: Table) -> list[str]:
    return list(dict.fromkeys(("business_id", *table.key, *table.version)))


def _in_order(records: pl.DataFrame, table: Table) -> pl.LazyFrame:
    """``records`` sorted by business, key and version; untouched where they are so already."""
    order = _order(table)
    sort = records.height < FEW or not _is_in_order(records, order)
    return records.lazy().sort(order) if sort else records.lazy()


def _is_in_order(records: pl.DataFrame, order: Sequence[str]) -> bool:
    """Whether no row comes before the one above it."""
    later = pl.lit(value=True)
    for name in reversed(order):
        before = pl.col(name).shift(1)
        later = (before < pl.col(name)) | ((before == pl.col(name)) & later)
    return bool(run(records.lazy().select(later.slice(1).all())).item())
