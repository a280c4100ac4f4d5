"""Build the feature table from what was known of each business on the day of its application.

One function serves one business in a request and a bucket of many. It evaluates the declared
expressions in two steps that may lie apart: what the sources tell on a day (``as_of``) needs no
request, and is kept for those to come (``finish``).
"""

from collections.abc import Mapping, Sequence
from itertools import repeat

import polars as pl

from features.definition import Feature
from features.known import AS_WRITTEN, conform, run
from features.plan import Reading, plan

BUSINESS_ZONE = "Asia/Shanghai"
REQUEST = ("amount_fen", "term_months", "purpose", "repayment")
KEYS = ("application_id", "business_id", "applied_on")


def build(
    applications: pl.DataFrame, tables: Mapping[str, pl.DataFrame], features: Sequence[Feature]
) -> pl.DataFrame:
    """Compute ``features`` of each application from what was known on its day.

    Args:
        applications: one row per application with ``application_id``, ``business_id``,
            ``applied_at`` (UTC) and the request: ``amount_fen``, ``term_months``, ``purpose``,
            ``repayment``.
        tables: records by table name; other businesses' rows are ignored. A table that was never
            delivered is absent; one without a row is empty. The order of rows does not matter.
        features: what to compute, those of the row (``source`` None) after what they read.

    Returns:
        One row per application, in the given order: ``application_id``, ``business_id``,
        ``applied_on`` (date in Asia/Shanghai) and a column per feature. Null means not known: of a
        business without a row in a source, everything, unless that source is ``complete``.

    Raises:
        BadTable: a table lacks a column of its contract, or holds it in another type.
    """
    moments = _moments(applications)
    told = as_of(moments, tables, features)
    rows = pl.concat([moments, told], how="horizontal")
    return finish(rows, features).select(*KEYS, *(feature.name for feature in features))


def as_of(
    moments: pl.DataFrame, tables: Mapping[str, pl.DataFrame], features: Sequence[Feature]
) -> pl.DataFrame:
    """What the sources tell of businesses on their days.

    Args:
        moments: ``row`` (numbers from 0), ``business_id`` and ``applied_on``.
        tables: as ``build`` takes them.
        features: those of the row (``source`` None) are left out.

    Returns:
        A row per moment, in the given order, and a column per feature that reads a source.
    """
    rows = moments.select("row")
    readings = plan(tuple(features)).readings
    given = [tables.get(reading.source.name) for reading in readings]
    # All sources in one go: of one business, a query costs more to start than to run.
    known = pl.collect_all(
        [_known(moments, *each) for each in zip(given, readings, strict=True)],
        optimizations=AS_WRITTEN,
        engine="in-memory",
    )
    told = map(_histories, repeat(moments), known, given, readings)
    aligned = (_aligned(rows, histories) for histories in told)
    return pl.concat([rows, *aligned], how="horizontal").drop("row")


def finish(rows: pl.DataFrame, features: Sequence[Feature]) -> pl.DataFrame:
    """``rows`` and the features of the row: of the request, and of it against what is told.

    ``rows`` has the request's columns and whatever else the features of the row read.
    """
    row = rows.lazy()
    for step in plan(tuple(features)).steps:
        row = row.with_columns(step)
    return run(row)


def _histories(
    moments: pl.DataFrame, known: pl.DataFrame, given: pl.DataFrame | None, reading: Reading
) -> pl.DataFrame:
    """A row per moment with a history in the source, with the value of each expression.

    A complete source has a history of every business: where nothing is known nothing happened.
    """
    if given is None or not reading.source.complete or known.height == moments.height:
        return known
    others = moments.select("row").join(known.select("row"), on="row", how="anti")
    return pl.concat([known, others.join(reading.nothing, how="cross")])


def _aligned(rows: pl.DataFrame, histories: pl.DataFrame) -> pl.DataFrame:
    """A row of ``histories`` for each of ``rows``, in their order; nulls where there is none."""
    if not histories.height:
        return histories.drop("row").clear(rows.height)
    if not histories["row"].equals(rows["row"]):
        histories = rows.join(histories, on="row", how="left", maintain_order="left")
    return histories.drop("row")


def _known(moments: pl.DataFrame, given: pl.DataFrame | None, reading: Reading) -> pl.LazyFrame:
    """The value of each expression for the moments of which something is known in the source."""
    if given is None or not conform(given, reading.source).height:
        return reading.unknown.lazy()
    known = reading.seen(moments, given).group_by("row", maintain_order=True)
    return known.agg(reading.asked.aggregates).select("row", *reading.asked.features)


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
