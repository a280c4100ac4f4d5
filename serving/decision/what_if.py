"""An applicant's features had the request been another, or had the applicant acted.

The request's features are computed by their own declarations, from the same row: nothing is
translated, so a proposal that is submitted meets the features it was judged by.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import polars as pl

from features.build import REQUEST
from features.catalog import CATALOG
from serving.policy.instalments import Repayment
from serving.policy.values import Row, clean

_OF_ROW = tuple(feature for feature in CATALOG if feature.source is None)
_TYPES = {f.name: pl.String if f.is_category else pl.Float64 for f in CATALOG}
_NAMES = frozenset(feature.name for feature in _OF_ROW)
_READ = {f.name: frozenset(f.expression.meta.root_names()) for f in _OF_ROW}


class Variant(NamedTuple):
    """A request but for its guarantee, and the features that the applicant's actions would move."""

    amount: int
    term_months: int
    repayment: Repayment
    moved: tuple[tuple[str, float], ...] = ()


def moved_with(names: Iterable[str]) -> frozenset[str]:
    """``names``, and the features that move when the request or one of them does."""
    moved = {*names}
    for feature in _OF_ROW:  # each after what it reads
        if _READ[feature.name] & (moved | {*REQUEST}):
            moved.add(feature.name)
    return frozenset(moved)


def is_computable(row: Row) -> bool:
    """Whether ``row`` holds all that its features of the request are computed from."""
    return all(_READ[name] <= row.keys() | {*REQUEST} for name in _NAMES & row.keys())


def rows_if(row: Row, purpose: str, variants: Sequence[Variant]) -> list[Row]:
    """``row`` under each variant: moved features, and those of the request computed anew.

    A row that lacks what a feature of the request is computed from (see ``is_computable``) would
    get it wrong.
    """
    computed = [feature for feature in _OF_ROW if feature.name in row]
    read = {name for feature in computed for name in _READ[feature.name]} - _NAMES - {*REQUEST}
    facts = [{**row, **dict(variant.moved)} for variant in variants]
    frame = pl.LazyFrame(
        {
            "amount_fen": [variant.amount * 100 for variant in variants],
            "term_months": [variant.term_months for variant in variants],
            "purpose": [purpose] * len(variants),
            "repayment": [variant.repayment for variant in variants],
            **{name: [fact[name] for fact in facts] for name in sorted(read)},
        },
        schema_overrides={name: _TYPES[name] for name in read},
    )
    for feature in computed:
        frame = frame.with_columns(feature.expression)
    moved = frame.select(feature.name for feature in computed)
    found = moved.collect(optimizations=pl.QueryOptFlags.none())  # too small to plan for
    rows = zip(facts, found.iter_rows(named=True), strict=True)
    return [{**fact, **clean(values)} for fact, values in rows]
