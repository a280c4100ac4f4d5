"""Training rows in the order of their content, with what a fit must know of each."""

from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.utils.validation import check_consistent_length

from features.errors import MicroloanError
from models.scoring.columns import Codes, Columns, one_column
from models.scoring.folds import content_order

Vector = NDArray[np.float64]
Places = NDArray[np.int64]


class UnfitRows(MicroloanError, ValueError):
    """Targets, weights, dates or groups from which nothing can be learnt."""


@dataclass(frozen=True)
class Rows:
    """Codes of the columns, what is to be learnt, its weights, and what folds need.

    ``target`` is 1.0 for default and 0.0 for none, or defaults over exposure. ``places`` is where
    each row stood in what was given.
    """

    places: Places
    codes: Codes
    target: Vector
    weight: Vector
    applied_on: Vector | None
    groups: Places | None

    def __len__(self) -> int:
        return len(self.target)

    def at(self, places: Places) -> "Rows":
        """Some of the rows."""
        return Rows(
            places=self.places[places],
            codes=self.codes.at(places),
            target=self.target[places],
            weight=self.weight[places],
            applied_on=None if self.applied_on is None else self.applied_on[places],
            groups=None if self.groups is None else self.groups[places],
        )

    @property
    def bad(self) -> NDArray[np.bool_]:
        """Whether each row defaulted."""
        return self.target > 0

    @property
    def fewest(self) -> int:
        """Rows of the rarer class."""
        bads = int(self.bad.sum())
        return min(bads, len(self) - bads)


def training_rows(
    columns: Columns, X: Any, bad: Vector, *, applied_on: Any, groups: Any, sample_weight: Any
) -> Rows:
    """Rows of positive weight, sorted by a hash of everything known of them."""
    codes = columns.codes(X)
    check_consistent_length(codes, bad)
    weight = _weights(sample_weight, len(bad))
    days = None if applied_on is None else _moments(applied_on)
    group = None if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    check_consistent_length(codes, weight, days, group)
    facts = [bad, *(key.astype(np.float64) for key in (days, group) if key is not None)]
    order = content_order(chain(codes, facts), tie=weight)
    order = order[weight[order] > 0]
    return Rows(
        places=order,
        codes=codes.at(order),
        target=bad[order],
        weight=weight[order] / weight[order].mean(),
        applied_on=None if days is None else days[order],
        groups=None if group is None else group[order].astype(np.int64),
    )


def _weights(sample_weight: Any, rows: int) -> Vector:
    if sample_weight is None:
        return np.ones(rows)
    weight = np.asarray(sample_weight, dtype=np.float64)
    if weight.ndim == 0:
        weight = np.full(rows, float(weight))
    if not np.isfinite(weight).all() or (weight < 0).any() or not (weight > 0).any():
        raise UnfitRows("sample_weight holds a negative or missing value, or is zero throughout.")
    return weight


def _moments(applied_on: Any) -> Vector:
    """Dates, datetimes or numbers such as years, as float64 that sorts in time."""
    moments = one_column("applied_on", applied_on)
    if not (moments.dtype.is_temporal() or moments.dtype.is_numeric()):
        raise UnfitRows(
            f"applied_on holds {moments.dtype}; give dates, datetimes or numbers that sort in time."
        )
    if moments.null_count():
        raise UnfitRows(f"applied_on is missing in {moments.null_count()} rows; give all of them.")
    physical = moments.to_physical() if moments.dtype.is_temporal() else moments
    return np.asarray(physical.cast(pl.Float64).to_numpy(), dtype=np.float64)
