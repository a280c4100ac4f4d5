"""The risk that each level of a text column showed, for rows to come and for those it came from."""

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Places = NDArray[np.int64]

PRIOR_ROWS = 10.0  # a level's risk is drawn to the mean as if this many average rows were added
PARTS = 5
COMMON_ROWS = 100.0  # from so many rows on, one row's outcome is lost in its level's risk


def level_risks(codes: Vector, bad: Vector, weight: Vector, levels: int) -> Vector:
    """Share of bad by level, drawn to the overall share (Micci-Barreca 2001); unseen are NaN."""
    seen = ~np.isnan(codes)
    level = codes[seen].astype(np.int64)
    rows = np.bincount(level, weight[seen], levels)
    bads = np.bincount(level, (weight * bad)[seen], levels)
    prior = np.average(bad, weights=weight) if len(bad) else 0.5
    return np.where(rows > 0, (bads + PRIOR_ROWS * prior) / (rows + PRIOR_ROWS), np.nan)


def cross_fitted(
    codes: Vector, bad: Vector, weight: Vector, levels: int, part: Places
) -> tuple[Vector, Vector]:
    """The risk of each level as it is served, and that of each training row.

    A row's rare level is valued by the other parts of the data alone, so that a level seen once
    cannot give away its row's outcome; `part` says which part a row is in. Rows of a common level
    share one value, as they will when served: as many values as parts would blur it.
    """
    served = level_risks(codes, bad, weight, levels)
    seen = look_up(served, codes)
    rare = is_rare(codes, weight, levels)
    for own in np.unique(part[rare]):
        others = part != own
        cross = level_risks(codes[others], bad[others], weight[others], levels)
        hidden = rare & ~others
        seen[hidden] = look_up(cross, codes[hidden])
    return served, seen


def is_rare(codes: Vector, weight: Vector, levels: int) -> NDArray[np.bool_]:
    """Rows of levels with fewer than `COMMON_ROWS` effective rows (Kish 1965)."""
    level = np.where(np.isnan(codes), levels, codes).astype(np.int64)
    total = np.bincount(level, weight, levels + 1)
    squares = np.bincount(level, weight**2, levels + 1)
    return (total**2 < COMMON_ROWS * squares)[level]


def look_up(risk: Vector, codes: Vector) -> Vector:
    """The risk of each code, NaN of the unknown."""
    at = np.where(np.isnan(codes), len(risk), codes).astype(np.int64)
    return np.append(risk, np.nan)[at]
