"""What the trees see: numbers as they are, each level of a text column as its observed risk."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.scoring.columns import Codes, Columns, Matrix, day_number

Vector = NDArray[np.float64]
Places = NDArray[np.int64]

PRIOR_ROWS = 10.0  # a level's risk is drawn to the mean as if this many average rows were added
PARTS = 5
MOMENTS = (date, timedelta)
COMMON_ROWS = 100.0  # from so many rows on, one row's outcome is lost in its level's risk


@dataclass(frozen=True)
class Encoding:
    """A fitted encoding: `risks` by level code (None for numbers), `fills` for the unknown."""

    columns: Columns
    risks: tuple[Vector | None, ...]
    fills: Vector

    def matrix(self, X: object) -> Matrix:
        """Frame to trees' matrix, shape (rows, columns)."""
        return self.apply(self.columns.matrix(X))

    def row(self, values: Mapping[str, Any]) -> Vector:
        """One applicant's values by column name, as the trees see them; absent means missing."""
        row = self.fills.copy()
        for at, (name, risks) in enumerate(self._by_name):
            value = values.get(name)
            if value is not None and risks is not None:
                value = risks.get(value)
            if value is not None and value == value:
                row[at] = day_number(value) if isinstance(value, MOMENTS) else value
        return row

    @cached_property
    def _by_name(self) -> list[tuple[str, dict[str, float] | None]]:
        columns = zip(self.columns.names, self.columns.levels, self.risks, strict=True)
        return [
            (name, None if risk is None else dict(zip(levels or (), risk.tolist(), strict=True)))
            for name, levels, risk in columns
        ]

    def apply(self, codes: Matrix) -> Matrix:
        """Codes to risks. Where training had no missing value, a missing one is the median."""
        matrix = _with_risks(codes, self.risks)
        for at, fill in enumerate(self.fills):
            if not np.isnan(fill):
                np.nan_to_num(matrix[:, at], copy=False, nan=fill, posinf=np.inf, neginf=-np.inf)
        return matrix


def fit_encoding(
    columns: Columns, codes: Codes, bad: Vector, weight: Vector, part: Places
) -> tuple[Encoding, Codes]:
    """The encoding for rows to come, and the training rows encoded without their own outcome.

    A training row's rare level is valued by the other parts of the data alone, so that a level seen
    once cannot give away its row's outcome; `part` says which part a row is in. Rows of a common
    level share one value, as they will when served: as many values as parts would blur it.
    """
    risks: list[Vector | None] = [None] * len(columns.names)
    encoded: dict[int, Vector] = {}
    for at, known in enumerate(columns.levels):
        if known is None:
            continue
        level, levels = codes.column(at), len(known)
        risks[at] = served = level_risks(level, bad, weight, levels)
        encoded[at] = _look_up(served, level)
        rare = _is_rare(level, weight, levels)
        for own in np.unique(part[rare]):
            others = part != own
            cross = level_risks(level[others], bad[others], weight[others], levels)
            hidden = rare & ~others
            encoded[at][hidden] = _look_up(cross, level[hidden])
    seen = codes.with_columns(encoded)
    return Encoding(columns, tuple(risks), _fills(seen)), seen


def level_risks(codes: Vector, bad: Vector, weight: Vector, levels: int) -> Vector:
    """Share of bad by level, drawn to the overall share (Micci-Barreca 2001); unseen are NaN."""
    seen = ~np.isnan(codes)
    level = codes[seen].astype(np.int64)
    rows = np.bincount(level, weight[seen], levels)
    bads = np.bincount(level, (weight * bad)[seen], levels)
    prior = np.average(bad, weights=weight) if len(bad) else 0.5
    return np.where(rows > 0, (bads + PRIOR_ROWS * prior) / (rows + PRIOR_ROWS), np.nan)


def _is_rare(codes: Vector, weight: Vector, levels: int) -> NDArray[np.bool_]:
    """Rows of levels with fewer than `COMMON_ROWS` effective rows (Kish 1965)."""
    level = np.where(np.isnan(codes), levels, codes).astype(np.int64)
    total = np.bincount(level, weight, levels + 1)
    squares = np.bincount(level, weight**2, levels + 1)
    return (total**2 < COMMON_ROWS * squares)[level]


def _with_risks(codes: Matrix, risks: tuple[Vector | None, ...]) -> Matrix:
    matrix = codes.copy(order="F")
    for at, risk in enumerate(risks):
        if risk is not None:
            matrix[:, at] = _look_up(risk, codes[:, at])
    return matrix


def _look_up(risk: Vector, codes: Vector) -> Vector:
    at = np.where(np.isnan(codes), len(risk), codes).astype(np.int64)
    return np.append(risk, np.nan)[at]


def _fills(codes: Codes) -> Vector:
    """Medians of the columns without a missing value."""
    return np.array([_median_if_complete(column) for column in codes])


def _median_if_complete(column: Vector) -> float:
    if np.isnan(column).any():
        return np.nan
    return float(np.quantile(column, 0.5, method="lower"))
