"""What a set of features asks of each source, derived once from their declarations."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import polars as pl

from features.definition import Feature
from features.known import as_known, run
from features.periods import mark
from features.tables import Table
from features.trees import Divided, divide


@dataclass(frozen=True)
class Reading:
    """What the features ask of one source: columns, marks on its rows, and what is made of them."""

    source: Table
    columns: tuple[str, ...]
    marks: tuple[pl.Expr, ...]
    asked: Divided

    def seen(self, moments: pl.DataFrame, records: pl.DataFrame) -> pl.LazyFrame:
        """The rows that count at each moment, with their marks."""
        return as_known(moments, records[self.columns], self.source).with_columns(self.marks)

    @cached_property
    def nothing(self) -> pl.DataFrame:
        """What is made of an empty history: one row of zeros and nulls."""
        moments = pl.DataFrame(
            schema={"row": pl.UInt32, "business_id": pl.String, "applied_on": pl.Date}
        )
        seen = self.seen(moments, self.source.empty())
        return run(seen.select(self.asked.aggregates).select(self.asked.features))

    @cached_property
    def unknown(self) -> pl.DataFrame:
        """No history of any moment, in the columns of what is made of one."""
        row = pl.Series("row", dtype=pl.UInt32)
        return self.nothing.clear().insert_column(0, row)


@dataclass(frozen=True)
class Plan:
    """Readings by source, then the features of the row in steps that read what is before them."""

    readings: tuple[Reading, ...]
    steps: tuple[tuple[pl.Expr, ...], ...]


@lru_cache(maxsize=64)
def plan(features: tuple[Feature, ...]) -> Plan:
    """The plan of ``features``; the declarations never change."""
    readings = (
        _reading(source, [f.expression for f in features if f.source == source])
        for source in _sources(features)
    )
    return Plan(tuple(readings), tuple(map(tuple, _steps(features))))


def _reading(source: Table, expressions: Sequence[pl.Expr]) -> Reading:
    named = {name for expression in expressions for name in expression.meta.root_names()}
    series = source.series[0] if source.series else None
    found = (mark(name, series) for name in sorted(named))
    marks = tuple(one for one in found if one is not None)
    read = named.union(*(one.meta.root_names() for one in marks))
    return Reading(source, _columns_read(read, source), marks, divide(expressions))


def _columns_read(named: Iterable[str], source: Table) -> tuple[str, ...]:
    """Columns of ``source`` that cut time or are ``named``; never sensitive ones."""
    dates = {name.removesuffix("_ago").removesuffix("_months") + "_on" for name in named}
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
