"""Score and contributions by look-up in purified tables, the same bits for one row or many."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.scoring.calibration import Calibration
from models.scoring.columns import Matrix
from models.scoring.effects import Additive, Table, bins_of

Vector = NDArray[np.float64]
Places = NDArray[np.intp]

# Every entry is a whole multiple of GRAIN, so that sums below 256 are exact in float64 whatever
# their order: contributions add up to the score to the last bit, online as in batch.
GRAIN = 2.0**-44
BLOCK = 2048


@dataclass(frozen=True)
class ScoreTables:
    """Log-odds = `base` + a curve for each feature + a surface for each pair of features.

    Bins of a feature run over all its cuts; `place` translates them to the bins of a pair's own
    table. A surface counts half for either of its features (the Shapley value of an interaction
    of two), so `halves` holds half of every cell.
    """

    base: float
    cuts: tuple[Vector, ...]
    padded_cuts: Matrix
    missing_bin: Places
    curves: Vector
    curve_start: Places
    first: Places
    second: Places
    place: Places
    first_start: Places
    second_start: Places
    halves: Vector

    def contributions(self, matrix: Matrix) -> Matrix:
        """Log-odds that each feature adds to `base`, shape (rows, features)."""
        out = np.empty(matrix.shape)
        for start in range(0, len(matrix), BLOCK):
            out[start : start + BLOCK] = self._block(matrix[start : start + BLOCK]).T
        return out

    def score(self, matrix: Matrix) -> Vector:
        """Log-odds, shape (rows,)."""
        if len(matrix) == 1:
            return np.array([self.base + self.row_contributions(matrix[0]).sum()])
        return np.asarray(self.base + self.contributions(matrix).sum(axis=1))

    def row_contributions(self, row: Vector) -> Vector:
        """`contributions` of a single row, shape (features,), without the cost of a batch."""
        bins = self._bins(row, slice(None))
        halves, features = self._halves(bins, slice(None)), len(row)
        added = np.bincount(self.first, halves, features)
        added += np.bincount(self.second, halves, features)
        return np.asarray(self.curves.take(self.curve_start + bins) + added)

    def moved(self, row: Vector, at: Places, values: Matrix) -> Vector:
        """Log-odds of `row` with the features `at` moved to each row of `values`, shape (rows,).

        Only what a moved feature speaks in is looked up anew; as sums are exact in any order, these
        are the bits of `score`.
        """
        bins = np.tile(self._bins(row, slice(None)), (len(values) + 1, 1))
        bins[1:, at] = self._bins(values, at)
        is_moved = np.zeros(len(row), dtype=bool)
        is_moved[at] = True
        pairs = np.flatnonzero(is_moved[self.first] | is_moved[self.second])
        said = self.curves.take(self.curve_start[at] + bins[:, at]).sum(axis=1)
        said += 2 * self._halves(bins, pairs).sum(axis=1)
        return np.asarray(self.base + self.row_contributions(row).sum() + (said[1:] - said[0]))

    def _bins(self, values: Matrix, at: Places | slice) -> Places:
        """The bin of each value of the features `at`, which are on the last axis."""
        bins: Places = (values[..., None] > self.padded_cuts[at]).sum(axis=-1)
        return np.where(np.isnan(values), self.missing_bin[at], bins)

    def _halves(self, bins: Places, pairs: Places | slice) -> Matrix:
        """Half of each pair's cell, for bins of all features, which are on the last axis."""
        first, second = self.first[pairs], self.second[pairs]
        cells = self.place.take(self.first_start[pairs] + bins.take(first, axis=-1))
        cells += self.place.take(self.second_start[pairs] + bins.take(second, axis=-1))
        return self.halves.take(cells)

    def _block(self, matrix: Matrix) -> Matrix:
        bins = np.stack([bins_of(matrix[:, at], cuts) for at, cuts in enumerate(self.cuts)])
        added = self.curves[self.curve_start[:, None] + bins]
        pairs = zip(self.first, self.second, self.first_start, self.second_start, strict=True)
        for first, second, first_start, second_start in pairs:
            cells = self.place[first_start:].take(bins[first])
            cells += self.place[second_start:].take(bins[second])
            halves = self.halves.take(cells)
            added[first] += halves
            added[second] += halves
        return np.asarray(added)


def score_tables(
    features: int,
    constant: float,
    tables: Sequence[Table],
    additive: Sequence[Additive],
    calibration: Calibration,
) -> ScoreTables:
    """Purified and calibrated tables, ready to look up."""
    cuts = tuple(_all_cuts(feature, tables) for feature in range(features))
    curves = [np.zeros(len(cut) + 2) for cut in cuts]
    for table, part in zip(tables, additive, strict=True):
        for feature, own, effect in zip(table.features, table.cuts, part.effects, strict=True):
            curves[feature] += effect[_coarser(cuts[feature], own)]
    base = constant + sum(part.mean for part in additive)
    pairs = [(t, part) for t, part in zip(tables, additive, strict=True) if len(t.features) == 2]
    curve_start = np.cumsum([0, *(len(curve) for curve in curves)])[:-1]
    scale = calibration.slope
    return ScoreTables(
        base=float(_rounded(np.array([calibration(np.array([base]))[0]]))[0]),
        cuts=cuts,
        padded_cuts=_padded(cuts),
        missing_bin=np.array([len(cut) + 1 for cut in cuts], dtype=np.intp),
        curves=_rounded(scale * np.concatenate(curves)),
        curve_start=curve_start.astype(np.intp),
        first=np.array([table.features[0] for table, _ in pairs], dtype=np.intp),
        second=np.array([table.features[1] for table, _ in pairs], dtype=np.intp),
        **_cells(cuts, pairs, scale),
    )


def _cells(
    cuts: Sequence[Vector], pairs: Sequence[tuple[Table, Additive]], scale: float
) -> dict[str, Any]:
    """The surfaces laid end to end, and how a pair of bins finds its cell."""
    place, first_start, second_start, halves = [], [], [], []
    placed, laid = 0, 0
    for table, part in pairs:
        (i, j), (rows, columns) = table.features, part.effects
        surface = table.values - part.mean - rows[:, None] - columns[None, :]
        row_places = laid + _coarser(cuts[i], table.cuts[0]) * len(columns)
        column_places = _coarser(cuts[j], table.cuts[1])
        place += [row_places, column_places]
        first_start.append(placed)
        second_start.append(placed + len(row_places))
        placed += len(row_places) + len(column_places)
        halves.append(_rounded(scale * surface.ravel() / 2))
        laid += surface.size
    return {
        "place": np.concatenate([np.empty(0, np.intp), *place]).astype(np.intp),
        "first_start": np.array(first_start, dtype=np.intp),
        "second_start": np.array(second_start, dtype=np.intp),
        "halves": np.concatenate([np.empty(0), *halves]),
    }


def _all_cuts(feature: int, tables: Sequence[Table]) -> Vector:
    own = [
        cuts
        for table in tables
        for of, cuts in zip(table.features, table.cuts, strict=True)
        if of == feature
    ]
    return np.unique(np.concatenate([np.empty(0), *own]))


def _coarser(cuts: Vector, own: Vector) -> Places:
    """For each bin of `cuts`, the bin of `own` it lies in; `own` is a subset of `cuts`."""
    return bins_of(np.concatenate([cuts, [np.inf, np.nan]]), own)


def _padded(cuts: Sequence[Vector]) -> Matrix:
    padded = np.full((len(cuts), max((len(cut) for cut in cuts), default=0)), np.inf)
    for at, cut in enumerate(cuts):
        padded[at, : len(cut)] = cut
    return padded


def _rounded(values: Vector) -> Vector:
    return np.asarray(np.round(values / GRAIN) * GRAIN)
