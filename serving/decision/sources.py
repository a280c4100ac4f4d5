"""How fresh each source is for an application: the newest day on which a record of it was known."""

from collections.abc import Mapping, Sequence
from datetime import date

import polars as pl

from features.build import BUSINESS_ZONE
from features.tables import TABLES, Table

Dates = Mapping[str, date | None]
DATED = tuple(t for t in TABLES.values() if t.entity == "business_id" and t.department != "bank")


def sources_as_of(
    applications: pl.DataFrame, tables: Mapping[str, pl.DataFrame]
) -> Sequence[Dates]:
    """By application, in order: table name to the newest ``known_on`` up to the application's day.

    Args:
        applications: ``business_id`` and ``applied_at`` (UTC), one row per application.
        tables: records by table name; None in the result means that a table has no record.
    """
    moments = applications.lazy().select(
        pl.int_range(pl.len()).alias("row"),
        "business_id",
        pl.col("applied_at").dt.convert_time_zone(BUSINESS_ZONE).dt.date().alias("applied_on"),
    )
    newest = moments.select("row")
    for table in DATED:
        records = tables.get(table.name)
        newest = newest.join(_newest(moments, records, table), on="row", how="left")
    return newest.sort("row").drop("row").collect().to_dicts()


def _newest(moments: pl.LazyFrame, records: pl.DataFrame | None, table: Table) -> pl.LazyFrame:
    known = (table.empty() if records is None else records).lazy()
    if table.holds:
        known = known.filter(table.holds)
    return (
        moments.join(known.select("business_id", "known_on"), on="business_id")
        .filter(pl.col("known_on") <= pl.col("applied_on"))
        .group_by("row")
        .agg(pl.col("known_on").max().alias(table.name))
    )
