"""The features of one applicant at the price of one: what ``build`` says, bit for bit.

A query over a single row costs a hundred times its arithmetic. So each source is asked for its
aggregates alone, without a join or groups, and what is arithmetic over them and over the row is
done by Python functions that were made once of the declared expressions. A feature of the row that
uses more than arithmetic leaves all of them to the query.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import polars as pl

from features.arithmetic import BeyondError, Compute, function
from features.build import finish
from features.definition import Feature
from features.known import AS_WRITTEN, conform
from features.plan import Reading, plan
from features.tables import APPLICATIONS
from features.trees import tree

Value = float | str | None
COUNTED = "counted"  # the column beside the aggregates that says how many records are in them


def as_of_one(
    moment: pl.DataFrame, tables: Mapping[str, pl.DataFrame], features: Sequence[Feature]
) -> dict[str, Value]:
    """What ``build.as_of`` tells of a single moment, by name."""
    readings = {reading.source.name: reading for reading in plan(tuple(features)).readings}
    given = {
        name: conform(tables[name], readings[name].source) for name in readings if name in tables
    }
    queries = {
        name: _aggregated(moment, records, readings[name])
        for name, records in given.items()
        if records.height
    }
    found = pl.collect_all(queries.values(), optimizations=AS_WRITTEN, engine="in-memory")
    rows = {name: frame.row(0, named=True) for name, frame in zip(queries, found, strict=True)}
    told: dict[str, Value] = {}
    for name, reading in readings.items():
        told |= _made_of(rows.get(name, {}), reading, delivered=name in given)
    return told


def _aggregated(moment: pl.DataFrame, records: pl.DataFrame, reading: Reading) -> pl.LazyFrame:
    """One row: how many records count at the moment, and the aggregates of them."""
    seen = reading.seen(moment, records)
    return seen.select(pl.len().alias(COUNTED), *reading.asked.aggregates)


def _made_of(row: Mapping[str, Any], reading: Reading, *, delivered: bool) -> Mapping[str, Value]:
    """The features of a source from its aggregates; of no record, what that means there."""
    if row.get(COUNTED):
        return {name: compute(row) for name, compute in reading.asked.computed.items()}
    if delivered and reading.source.complete:
        return reading.nothing.row(0, named=True)
    return dict.fromkeys(reading.asked.computed)


def finish_one(row: Mapping[str, Any], features: Sequence[Feature]) -> dict[str, Value]:
    """The features of the row among ``features``, by name.

    Args:
        row: the request (``amount_fen``, ``term_months``, ``purpose``, ``repayment``) and what the
            sources tell; None is unknown, and no value is NaN.
        features: of which those with a source are passed over.
    """
    computed = _computed(tuple(features))
    if computed is None:
        return _queried(row, features)
    known = dict(row)
    for name, compute in computed:
        known[name] = compute(known)
    return {name: known[name] for name, _ in computed}


@lru_cache(maxsize=64)
def _computed(features: tuple[Feature, ...]) -> tuple[tuple[str, Compute], ...] | None:
    """A function for each feature of the row, in order; None if one is beyond arithmetic."""
    try:
        return tuple((f.name, function(tree(f.expression))) for f in features if f.source is None)
    except BeyondError:
        return None


def _queried(row: Mapping[str, Any], features: Sequence[Feature]) -> dict[str, Value]:
    of_row = [feature for feature in features if feature.source is None]
    names = {name for feature in of_row for name in feature.expression.meta.root_names()}
    read = names - {feature.name for feature in of_row}
    categories = {feature.name for feature in features if feature.is_category}
    types = {name: pl.String if name in categories else pl.Float64 for name in read}
    types |= {name: dtype for name, dtype in APPLICATIONS.dtypes.items() if name in read}
    frame = pl.DataFrame([{name: row[name] for name in types}], schema=types)
    found = finish(frame, of_row).row(0, named=True)
    return {feature.name: found[feature.name] for feature in of_row}
