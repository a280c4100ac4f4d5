"""Build the feature table: the only place where time is cut.

One function serves one business in a request and a bucket of many. It turns each source into the
rows that were valid, as known on the day of each application, ages them relative to it, and
evaluates the declared expressions. It does so in two steps that may lie apart: what the sources
tell on a day (``as_of``) needs no request, and is kept for those to come (``finish``).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import repeat

import polars as pl

from features.definition import Feature
from features.errors import BadTable
from features.periods import mark
from features.tables import Table

BUSINESS_ZONE = "Asia/Shanghai"
REQUEST = ("amount_fen", "term_months", "purpose", "repayment")
FEW = 10_000  # rows that are sorted faster than they are checked for order
KEYS = ("application_id", "business_id", "applied_on")

# The plan below reads no column twice and filters as early as it can; looking for more to optimise
# costs one business a quarter of its time and gains a bucket of many nothing.
AS_WRITTEN = pl.QueryOptFlags.none()


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
    readings = _plan(tuple(features)).readings
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
    for step in _plan(tuple(features)).steps:
        row = row.with_columns(step)
    return _run(row)


def as_known(moments: pl.DataFrame, records: pl.DataFrame, table: Table) -> pl.LazyFrame:
    """Rows of ``records`` valid and known at each moment, with dates turned into ages.

    Of the versions of a key that are known, the last is valid. ``moments`` has ``row``,
    ``business_id`` and ``applied_on``; the result is ordered by ``row``.
    """
    last = pl.any_horizontal(
        pl.col(name).ne_missing(pl.col(name).shift(-1)) for name in ("row", *table.key)
    )
    seen = (
        moments.lazy()
        .select("row", "business_id", "applied_on")
        .join(_in_order(records, table), on="business_id", maintain_order="left_right")
        .filter(pl.col("known_on") <= pl.col("applied_on"))
        .filter(last & pl.col(table.holds) if table.holds else last)
    )
    return _aged(seen, records.columns, table)


@dataclass(frozen=True)
class _Reading:
    """What the features ask of one source: columns, marks on its rows, and the aggregates.

    ``nothing`` is the row they make of an empty history.
    """

    source: Table
    columns: tuple[str, ...]
    marks: tuple[pl.Expr, ...]
    expressions: tuple[pl.Expr, ...]

    def of(self, moments: pl.DataFrame, records: pl.DataFrame) -> pl.LazyFrame:
        """The rows that count at each moment, with their marks."""
        return as_known(moments, records[self.columns], self.source).with_columns(self.marks)

    @cached_property
    def nothing(self) -> pl.DataFrame:
        """The aggregates of an empty history: one row of zeros and nulls."""
        moments = pl.DataFrame(
            schema={"row": pl.UInt32, "business_id": pl.String, "applied_on": pl.Date}
        )
        return _run(self.of(moments, self.source.empty()).select(self.expressions))

    @cached_property
    def unknown(self) -> pl.DataFrame:
        """No history of any moment, in the columns of the aggregates."""
        row = pl.Series("row", dtype=pl.UInt32)
        return self.nothing.clear().insert_column(0, row)


@dataclass(frozen=True)
class _Plan:
    """Readings by source, then the features of the row in steps that read what is before them."""

    readings: tuple[_Reading, ...]
    steps: tuple[tuple[pl.Expr, ...], ...]


@lru_cache(maxsize=64)
def _plan(features: tuple[Feature, ...]) -> _Plan:
    """Derived once: the declarations never change."""
    readings = (
        _reading(source, [f.expression for f in features if f.source == source])
        for source in _sources(features)
    )
    return _Plan(tuple(readings), tuple(map(tuple, _steps(features))))


def _reading(source: Table, expressions: Sequence[pl.Expr]) -> _Reading:
    named = {name for expression in expressions for name in expression.meta.root_names()}
    series = source.series[0] if source.series else None
    found = (mark(name, series) for name in sorted(named))
    marks = tuple(one for one in found if one is not None)
    read = named.union(*(one.meta.root_names() for one in marks))
    return _Reading(source, _columns_read(read, source), marks, tuple(expressions))


def _histories(
    moments: pl.DataFrame, known: pl.DataFrame, given: pl.DataFrame | None, asked: _Reading
) -> pl.DataFrame:
    """A row per moment with a history in the source, with the value of each expression.

    A complete source has a history of every business: where nothing is known nothing happened.
    """
    if given is None or not asked.source.complete or known.height == moments.height:
        return known
    others = moments.select("row").join(known.select("row"), on="row", how="anti")
    return pl.concat([known, others.join(asked.nothing, how="cross")])


def _aligned(rows: pl.DataFrame, histories: pl.DataFrame) -> pl.DataFrame:
    """A row of ``histories`` for each of ``rows``, in their order; nulls where there is none."""
    if not histories.height:
        return histories.drop("row").clear(rows.height)
    if not histories["row"].equals(rows["row"]):
        histories = rows.join(histories, on="row", how="left", maintain_order="left")
    return histories.drop("row")


def _known(moments: pl.DataFrame, given: pl.DataFrame | None, asked: _Reading) -> pl.LazyFrame:
    """The value of each expression for the moments of which something is known in the source."""
    if given is None or not _conform(given, asked.source).height:
        return asked.unknown.lazy()
    return asked.of(moments, given).group_by("row", maintain_order=True).agg(asked.expressions)


def _columns_read(named: Iterable[str], source: Table) -> tuple[str, ...]:
    """Columns of ``source`` that cut time or are ``named``; never sensitive ones."""
    dates = {name.removesuffix("_ago") + "_on" for name in named}
    cut = {"business_id", *source.key, *source.version, *source.series, source.holds, "months"}
    read = (set(named) | dates | cut) - set(source.sensitive)
    return tuple(name for name in source.dtypes if name in read)


def _steps(features: Iterable[Feature]) -> list[list[pl.Expr]]:
    """Features of the row, in batches that read the sources, the request or earlier batches."""
    steps: list[list[pl.Expr]] = [[]]
    fresh: set[str] = set()
    for feature in features:
        if feature.source is None:
            if fresh & set(feature.expression.meta.root_names()):
                steps.append([])
                fresh = set()
            steps[-1].append(feature.expression)
            fresh.add(feature.name)
    return steps


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
    """``records``, after checking columns and types."""
    found = records.schema
    for name, dtype in table.dtypes.items():
        if name not in found:
            raise BadTable(f"Table {table.name} has no column {name!r}; its contract asks for it.")
        if found[name] != dtype:
            raise BadTable(f"{table.name}.{name} is {found[name]}; its contract asks for {dtype}.")
    return records


def _in_order(records: pl.DataFrame, table: Table) -> pl.LazyFrame:
    """``records`` sorted by business, key and version; untouched where they are so already."""
    order = list(dict.fromkeys(("business_id", *table.key, *table.version)))
    sort = records.height < FEW or not _is_in_order(records, order)
    return records.lazy().sort(order) if sort else records.lazy()


def _is_in_order(records: pl.DataFrame, order: Sequence[str]) -> bool:
    """Whether no row comes before the one above it."""
    later = pl.lit(value=True)
    for name in reversed(order):
        before = pl.col(name).shift(1)
        later = (before < pl.col(name)) | ((before == pl.col(name)) & later)
    return bool(_run(records.lazy().select(later.slice(1).all())).item())


def _aged(seen: pl.LazyFrame, columns: Sequence[str], table: Table) -> pl.LazyFrame:
    """Replace every date by its age at the application, and number months back in each series."""
    dates = [name for name in columns if table.dtypes[name] == pl.Date]
    plain = [name for name in columns if name not in dates and name != "business_id"]
    ages = [
        (pl.col("applied_on") - pl.col(name))
        .dt.total_days()
        .alias(name.removesuffix("_on") + "_ago")
        for name in dates
        if name != "period"
    ]
    if "period" not in dates:
        return seen.select("row", *plain, *ages)
    length = pl.col("months") if "months" in table.dtypes else pl.lit(1)
    months_ago = _month_number("applied_on") - _month_number("period") - (length - 1)
    newest = pl.col("months_ago").min().over("row", *table.series)
    return seen.select("row", *plain, *ages, months_ago.alias("months_ago")).with_columns(
        (pl.col("months_ago") - newest).alias("months_back")
    )


def _month_number(day: str) -> pl.Expr:
    """Months since year 0, so that differences count calendar months."""
    return pl.col(day).dt.year().cast(pl.Int64) * 12 + pl.col(day).dt.month()


def _run(plan: pl.LazyFrame) -> pl.DataFrame:
    """The plan's result. The streaming engine, Polars' own choice, takes twice as long here."""
    return plan.collect(optimizations=AS_WRITTEN, engine="in-memory")
