"""An order of rows that depends on their content alone, and the folds cut from it."""

from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

Vector = NDArray[np.float64]
Places = NDArray[np.int64]
Fold = tuple[Places, Places]

FOLDS = 3
FIRST_TRAINED_SHARE = 0.4  # of the rows, oldest first, before the first forward fold


def content_order(columns: Iterable[Vector], tie: Vector) -> Places:
    """Places of rows sorted by a hash of their values: shuffled rows give the same sequence.

    Rows of equal values follow in the order of `tie`; rows that tie there too are one and the
    same. Zero and minus zero hash alike, and so do all NaNs.
    """
    hashes = np.zeros(len(tie), dtype=np.uint64)
    for column in columns:
        value = np.where(np.isnan(column), np.nan, column) + 0.0
        hashes = _mixed(hashes ^ _mixed(value.view(np.uint64)))
    return np.lexsort((tie, hashes))


def _mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finaliser (Steele, Lea and Flood 2014)."""
    bits = bits + np.uint64(0x9E3779B97F4A7C15)
    bits ^= bits >> np.uint64(30)
    bits *= np.uint64(0xBF58476D1CE4E5B9)
    bits ^= bits >> np.uint64(27)
    bits *= np.uint64(0x94D049BB133111EB)
    bits ^= bits >> np.uint64(31)
    return bits


def random_folds(bad: NDArray[np.generic], groups: Places | None, seed: int) -> Iterator[Fold]:
    """Stratified thirds, each validated once; a group is never on both sides."""
    kind = StratifiedKFold if groups is None else StratifiedGroupKFold
    split = kind(FOLDS, shuffle=True, random_state=seed)
    yield from split.split(np.zeros(len(bad)), bad, groups)


def forward_folds(applied_on: Vector, groups: Places | None, blocks: int = FOLDS) -> Iterator[Fold]:
    """Train on what came before, validate on the next block of applications."""
    shares = np.linspace(FIRST_TRAINED_SHARE, 1.0, blocks + 1)
    cuts = np.quantile(applied_on, shares, method="higher")
    for start, end in pairwise(cuts):
        last = end == cuts[-1]
        inside = (applied_on >= start) & ((applied_on < end) | (last & (applied_on == end)))
        before = applied_on < start
        if groups is not None:
            before &= ~np.isin(groups, groups[inside])
        yield np.flatnonzero(before), np.flatnonzero(inside)


def parts(rows: int, groups: Places | None, count: int, seed: int = 0) -> Places:
    """A part for each row, whole groups together; another division for each seed."""
    unit = np.arange(rows) if groups is None else groups
    if seed == 0:
        return unit % count
    return np.random.default_rng(seed).permutation(int(unit.max()) + 1)[unit] % count
