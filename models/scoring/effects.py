"""Leaves on at most two features each, summed into tables and purified of what one explains."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from models.scoring.columns import Matrix
from models.scoring.trees import Leaf

Vector = NDArray[np.float64]
Places = NDArray[np.int64]

INDEPENDENCE = 0.01  # share of independent features in a pair's distribution: fills empty cells
LEAST_MARGIN = 1e-9  # of a bin no training row is in


@dataclass(frozen=True)
class Table:
    """The summed leaves of one or two features, a value for each bin or pair of bins.

    The bins of a feature end at its cuts; then comes the open bin above the last cut, and last the
    bin of the missing.
    """

    features: tuple[int, ...]
    cuts: tuple[Vector, ...]
    values: Matrix

    def bins(self, matrix: Matrix) -> tuple[Places, ...]:
        """The bin of each row, by feature of the table."""
        pairs = zip(self.features, self.cuts, strict=True)
        return tuple(bins_of(matrix[:, feature], cuts) for feature, cuts in pairs)


@dataclass(frozen=True)
class Additive:
    """The part of a table that one feature alone explains: a mean, and an effect by bin."""

    mean: float
    effects: tuple[Vector, ...]


def bins_of(x: Vector, cuts: Vector) -> Places:
    """The bin of each value; LightGBM sends a value equal to a cut to the left of it."""
    return np.where(np.isnan(x), len(cuts) + 1, np.searchsorted(cuts, x, side="left"))


def sum_leaves(leaves: Iterable[Leaf]) -> tuple[float, list[Table]]:
    """What leaves without a split add, and one table for each set of features leaves depend on.

    A tree may split on more than two features as long as no leaf depends on more than two.
    """
    together: dict[tuple[int, ...], list[Leaf]] = defaultdict(list)
    for leaf in leaves:
        together[leaf.features].append(leaf)
    if any(len(features) > 2 for features in together):
        raise ValueError("a leaf depends on three features or more; tables hold two at most")
    constant = sum(leaf.value for leaf in together.pop((), []))
    return constant, [_table(features, together[features]) for features in sorted(together)]


def _table(features: tuple[int, ...], leaves: Sequence[Leaf]) -> Table:
    cuts = _cuts(features, leaves)
    # one value inside each bin
    inside = {f: np.append(cut, [np.inf, np.nan]) for f, cut in zip(features, cuts, strict=True)}
    values = np.zeros([len(bins) for bins in inside.values()])
    for leaf in leaves:
        box = {feature: np.ones(len(bins)) for feature, bins in inside.items()}
        for split in leaf.splits:
            box[split.feature] *= split.holds(inside[split.feature])
        values += leaf.value * reduce(np.multiply.outer, box.values())
    return Table(features, cuts, values)


def _cuts(features: tuple[int, ...], leaves: Iterable[Leaf]) -> tuple[Vector, ...]:
    cuts: dict[int, set[float]] = {feature: set() for feature in features}
    for leaf in leaves:
        for split in leaf.splits:
            cuts[split.feature].add(split.threshold)
    return tuple(np.array(sorted(cuts[feature])) for feature in features)


def additive_part(table: Table, matrix: Matrix, weight: Vector) -> Additive:
    """What the features of a table explain each alone, over the rows of `matrix`.

    The additive function nearest to the table in weighted least squares; what is left has mean
    zero along every row and column (functional ANOVA under the joint distribution, Hooker 2007;
    Lengerich et al. 2020 reach the same by moving mass cell by cell).
    """
    share = _distribution(table.bins(matrix), table.values.shape, weight)
    mean = float((share * table.values).sum())
    centred = table.values - mean
    if len(table.features) == 1:
        return Additive(mean, (centred,))
    rows, columns = share.sum(axis=1), share.sum(axis=0)
    normal = np.block([[np.diag(rows) + np.outer(rows, rows), share], [share.T, np.diag(columns)]])
    target = np.concatenate([(share * centred).sum(axis=1), (share * centred).sum(axis=0)])
    effects = np.linalg.solve(normal, target)
    return Additive(mean, (effects[: len(rows)], effects[len(rows) :]))


def _distribution(bins: tuple[Places, ...], shape: tuple[int, ...], weight: Vector) -> Matrix:
    flat = np.ravel_multi_index(bins, shape)
    joint = np.bincount(flat, weight, int(np.prod(shape))).reshape(shape)
    joint = joint / joint.sum()
    if len(shape) == 1:
        return np.asarray(joint)
    rows = np.maximum(joint.sum(axis=1), LEAST_MARGIN)
    columns = np.maximum(joint.sum(axis=0), LEAST_MARGIN)
    mixed = (1 - INDEPENDENCE) * joint + INDEPENDENCE * np.outer(rows, columns)
    return np.asarray(mixed / mixed.sum())
