"""Build the feature table: the only place where time is cut.

One function serves one business in a request and a bucket of many. It turns each source into the
rows that were valid, as known on the day of each application, ages them relative to it, and
evaluates the declared expressions.
"""

from collections.abc import Iterable, Mapping, Sequence

import polars as pl

from features.definition import Feature
from features.errors import BadTable
from features.tables import Table

BUSINESS_ZONE = "Asia/Shanghai"
REQUEST = ("amount_fen", "term_months", "purpose", "repayment")
FEW = 10_000  # rows that are sorted faster than they are checked for order
KEYS = ("application_id", "business_id", "applied_on")


def build(
    applications: pl.DataFrame, tables: Mapping[str, pl.DataFrame], features: Sequence[Feature]
) -> pl.DataFrame:
    """Compute ``features`` of each application from what was known on its day.

    Args:
        applications: one row per application with ``application_id``, ``business_id``,
            ``applied_at`` (UTC) and the request: ``amount_fen``, ``term_months``, ``purpose``,
            ``repayment``.
        tables: records by table name; other businesses' rows are ignored, an absent table has
            no records. The order of rows does not matter.
        features: what to compute, those of the row (``source`` None) after what they read.

    Returns:
        One row per application, in the given order: ``application_id``, ``business_id``,
        ``applied_on`` (date in Asia/Shanghai) and a column per feature. Null means not known.

    Raises:
        BadTable: a table lacks a column of its contract, or holds it in another type.
    """
    moments = _moments(applications)
    row = moments.lazy()
    for source in _sources(features):
        own = [feature.expression for feature in features if feature.source == source]
        records = _conform(tables.get(source.name, source.empty()), source)
        known = as_known(moments, records, source)
        aggregated = known.group_by("row", maintain_order=True).agg(own)
        row = row.join(aggregated, on="row", how="left", maintain_order="left")
    for feature in features:
        if feature.source is None:
            row = row.with_columns(feature.expression)
    return row.select(*KEYS, *(feature.name for feature in features)).collect()


def as_known(moments: pl.DataFrame, records: pl.DataFrame, table: Table) -> pl.LazyFrame:
    """Rows of ``records`` valid and known at each moment, with dates turned into ages.

    A row is seen from its ``known_on`` until a later version of its key is known. ``moments`` has
    ``row``, ``business_id`` and ``applied_on``; the result is ordered by ``row``.
    """
    versions = _with_next_version(_in_order(records, table), table)
    seen = (
        moments.lazy()
        .select("row", "business_id", "applied_on")
        .join(versions, on="business_id", maintain_order="left_right")
        .filter(pl.col("known_on") <= pl.col("applied_on"))
        .filter(
            pl.col("superseded_on").is_null() | (pl.col("superseded_on") > pl.col("applied_on"))
        )
    )
    return _aged(seen, table)


def _sources(features: Iterable[Feature]) -> list[Table]:
    """Distinct sources, in order of first use."""
    found: dict[str, Table] = {}
    for feature in features:
        if feature.source is not None:
            found.setdefault(feature.source.name, feature.source)
    return list(found.values())


def _moments(applications: pl.DataFrame) -> pl.DataFrame:
    """The applications with their day in the business's time zone and a row number."""
    applied_on = pl.col("applied_at").dt.convert_time_zone(BUSINESS_ZONE).dt.date()
    return applications.select(
        pl.int_range(pl.len(), dtype=pl.UInt32).alias("row").set_sorted(),
        "application_id",
        "business_id",
        applied_on.alias("applied_on"),
        *REQUEST,
    )


def _conform(records: pl.DataFrame, table: Table) -> pl.DataFrame:
    """``records`` without sensitive columns, after checking columns and types."""
    for name, dtype in table.dtypes.items():
        if name not in records.columns:
            raise BadTable(f"Table {table.name} has no column {name!r}; its contract asks for it.")
        if records.schema[name] != dtype:
            found = records.schema[name]
            raise BadTable(f"{table.name}.{name} is {found}; its contract asks for {dtype}.")
    return records.select(pl.all().exclude(*table.sensitive) if table.sensitive else pl.all())


def _in_order(records: pl.DataFrame, table: Table) -> pl.DataFrame:
    """``records`` sorted by business, key and version; untouched where they are so already."""
    order = list(dict.fromkeys(("business_id", *table.key, *table.version)))
    if records.height < FEW:
        return records.sort(order)
    later = pl.lit(value=True)
    for name in reversed(order):
        before = pl.col(name).shift(1)
        later = (before < pl.col(name)) | ((before == pl.col(name)) & later)
    in_order = records.lazy().select(later.slice(1).all()).collect().item()
    return records if in_order else records.sort(order)


def _with_next_version(records: pl.DataFrame, table: Table) -> pl.LazyFrame:
    """Add ``superseded_on``: the day the next version of the same key was known."""
    same_key = pl.all_horizontal(pl.col(name) == pl.col(name).shift(-1) for name in table.key)
    superseded_on = pl.when(same_key).then(pl.col("known_on").shift(-1))
    return records.lazy().with_columns(superseded_on.alias("superseded_on"))


def _aged(seen: pl.LazyFrame, table: Table) -> pl.LazyFrame:
    """Replace every date by its age at the application, and number months back in each series."""
    dates = [name for name, dtype in table.dtypes.items() if dtype == pl.Date and name != "period"]
    ages = [
        (pl.col("applied_on") - pl.col(name))
        .dt.total_days()
        .alias(name.removesuffix("_on") + "_ago")
        for name in dates
    ]
    aged = seen.with_columns(ages)
    if "period" in table.dtypes:
        length = pl.col("months") if "months" in table.dtypes else pl.lit(1)
        months_ago = _month_number("applied_on") - _month_number("period") - (length - 1)
        newest = pl.col("months_ago").min().over("row", *table.series)
        aged = aged.with_columns(months_ago.alias("months_ago")).with_columns(
            (pl.col("months_ago") - newest).alias("months_back")
        )
    return aged.drop(*dates, "superseded_on", "applied_on", "period", strict=False)


def _month_number(day: str) -> pl.Expr:
    """Months since year 0, so that differences count calendar months."""
    return pl.col(day).dt.year().cast(pl.Int64) * 12 + pl.col(day).dt.month()
