"""How fresh each source is for an application: the newest day on which a record of it was known."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import cast

import polars as pl

from features.build import BUSINESS_ZONE
from features.known import run, valid_days
from features.spans import moments_of
from features.tables import DATED, Table

Dates = Mapping[str, date | None]


def sources_as_of(
    applications: pl.DataFrame, tables: Mapping[str, pl.DataFrame]
) -> Sequence[Dates]:
    """By application, in order: table name to the newest ``known_on`` up to the application's day.

    Args:
        applications: ``business_id`` and ``applied_at`` (UTC), one row per application.
        tables: records by table name; None in the result means that a table has no record.
    """
    applied_on = pl.col("applied_at").dt.convert_time_zone(BUSINESS_ZONE).dt.date()
    numbered = pl.int_range(pl.len(), dtype=pl.UInt32).alias("row")
    moments = applications.select(numbered, "business_id", applied_on.alias("applied_on"))
    return dates_as_of(moments, tables).to_dicts()


def dates_as_of(moments: pl.DataFrame, tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """The same of ``moments`` (as `features.build.as_of` takes them), a column per dated table.

    A record that its newest version withdrew, as a bill whose meter is no longer the business's,
    is no record.
    """
    given = {table: tables.get(table.name) for table in DATED}
    known = {table: table.empty() if rows is None else rows for table, rows in given.items()}
    held = (
        valid_days(moments, known[table], table).with_columns(pl.lit(at).alias("table"))
        for at, table in enumerate(DATED)
        if table.holds
    )
    newest = (
        pl.col("known_on").filter(pl.col("table") == at).max().alias(table.name)
        for at, table in enumerate(DATED)
    )
    found = pl.concat([_told(moments, known), *held]).group_by("row").agg(newest)
    row = moments.lazy().select("row").join(found, on="row", how="left", maintain_order="left")
    return run(row.drop("row"))


def dates_of_one(business: str, day: date, tables: Mapping[str, pl.DataFrame]) -> Dates:
    """The same of one business on one day, without the query: that costs more than its work."""
    return {table.name: _newest(business, day, table, tables.get(table.name)) for table in DATED}


def _newest(business: str, day: date, table: Table, records: pl.DataFrame | None) -> date | None:
    if records is None or not records.height:
        return None
    if table.holds and not records[table.holds].all():  # few: most businesses keep their meters
        records = run(valid_days(moments_of(pl.Series([business]), day), records, table))
        return cast("date | None", records["known_on"].max())
    known = records["known_on"]
    counts = (known <= day) & (records["business_id"] == business)
    return cast("date | None", known.filter(counts).max())


def ages_on(day: date, sources: Dates) -> dict[str, int | None]:
    """Days since the newest record of each table; None where there is none."""
    return {
        table: None if known is None else (day - known).days for table, known in sources.items()
    }


def _told(moments: pl.DataFrame, known: Mapping[Table, pl.DataFrame]) -> pl.LazyFrame:
    """Records of the tables that withdraw none, in one join."""
    rows = (
        known[table].lazy().select("business_id", "known_on", pl.lit(at).alias("table"))
        for at, table in enumerate(DATED)
        if not table.holds
    )
    joined = moments.lazy().join(pl.concat(rows), on="business_id")
    seen = joined.filter(pl.col("known_on") <= pl.col("applied_on"))
    return seen.select("row", "known_on", "table")
