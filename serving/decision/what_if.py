"""An applicant's features had the request been another, or had the applicant acted.

The request's features are computed by their own declarations, from the same row: nothing is
translated, so a proposal that is submitted meets the features it was judged by.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from features.build import REQUEST
from features.catalog import CATALOG
from features.one_row import finish_one
from serving.policy.instalments import Repayment
from serving.policy.policy import Action
from serving.policy.values import Row, clean, number

_OF_ROW = tuple(feature for feature in CATALOG if feature.source is None)
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
    return _moved_with(frozenset(names))


def moved_by(variants: Iterable[Variant]) -> frozenset[str]:
    """The features that differ in one of the variants, or could."""
    return moved_with(name for variant in variants for name, _ in variant.moved)


@lru_cache(maxsize=64)
def _moved_with(names: frozenset[str]) -> frozenset[str]:
    moved = {*names}
    for feature in _OF_ROW:  # each after what it reads
        if _READ[feature.name] & (moved | {*REQUEST}):
            moved.add(feature.name)
    return frozenset(moved)


def values_after(actions: Iterable[Action], row: Row) -> tuple[tuple[str, float], ...]:
    """The features that ``actions`` move, and where they stand then; unknown ones stay unknown."""
    moves = (move for action in actions for move in action.moves)
    return tuple(
        (move.feature, value + (number(row, move.plus) or 0.0) if move.plus else move.to or 0.0)
        for move in moves
        if (value := number(row, move.feature)) is not None
    )


def is_computable(row: Row) -> bool:
    """Whether ``row`` holds all that its features of the request are computed from."""
    return all(_READ[name] <= row.keys() | {*REQUEST} for name in _NAMES & row.keys())


def moves_if(row: Row, purpose: str, variants: Sequence[Variant]) -> list[Row]:
    """What differs from ``row`` under each variant: the same features in each, and no others.

    A row that lacks what a feature of the request is computed from (see ``is_computable``) would
    get it wrong.
    """
    names = moved_by(variants) & row.keys()
    computed = tuple(feature for feature in _OF_ROW if feature.name in names)
    usual = {name: row[name] for name in names}
    moves: list[Row] = []
    for amount, term_months, repayment, moved in variants:
        facts = {**row, **dict(moved), **request_columns(amount, term_months, purpose, repayment)}
        moves.append({**usual, **dict(moved), **clean(finish_one(facts, computed))})
    return moves


def rows_if(row: Row, purpose: str, variants: Sequence[Variant]) -> list[Row]:
    """``row`` under each variant, whole."""
    return [{**row, **moves} for moves in moves_if(row, purpose, variants)]


def request_columns(amount: int, term_months: int, purpose: str, repayment: str) -> dict[str, Any]:
    """A request as the features of the row read it; ``amount`` is in yuan."""
    return dict(zip(REQUEST, (amount * 100, term_months, purpose, repayment), strict=True))
