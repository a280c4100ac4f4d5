"""What large trees see of text beside its risk: how common a level is, and levels that meet.

CatBoost's lead on tables of many texts lay in these two (docs/log.md). Trees held to two features
do without: a pair of levels beside a third feature would be three.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from models.scoring.columns import Codes, Columns, Matrix
from models.scoring.risks import cross_fitted

Vector = NDArray[np.float64]
Places = NDArray[np.int64]
Of = tuple[int, ...]  # the text columns of a term: one, or two that meet

MOST_PAIRS = 45  # those of ten text columns
NESTED = 1.05  # a pair of hardly more cells than its finer column has levels says nothing new


@dataclass(frozen=True)
class Term:
    """A value for each cell: the rows of a level, or the risk of two levels that meet.

    ``cells`` are the numbers of the known ones, ascending. The missing count as a level. A level
    that is unknown is taken for one as rare as can be; the risk of unknown pairs is NaN.
    """

    of: Of
    cells: Places
    values: Vector

    def of_cells(self, cells: Places) -> Vector:
        """The value of each cell."""
        at = np.searchsorted(self.cells, cells).clip(max=len(self.cells) - 1)
        unknown = 1.0 if len(self.of) == 1 else np.nan
        return np.where(self.cells[at] == cells, self.values[at], unknown)


def plan_terms(columns: Columns, codes: Codes) -> tuple[Of, ...]:
    """The terms of a table, whatever its outcomes: each text column, and pairs of them.

    Of more than `MOST_PAIRS` those of the fewest cells are taken, which have most rows for each.
    """
    texts = [at for at, levels in enumerate(columns.levels) if levels]
    sizes = {(at,): len(np.unique(cells_of(columns, codes, (at,)))) for at in texts}
    pairs = {
        pair: len(np.unique(cells_of(columns, codes, pair))) for pair in combinations(texts, 2)
    }
    new = [
        pair
        for pair, cells in sorted(pairs.items(), key=lambda item: item[1])
        if cells > NESTED * max(sizes[(at,)] for at in pair)
    ]
    return (*sizes, *sorted(new[:MOST_PAIRS]))


def fit_terms(
    plan: Sequence[Of], columns: Columns, codes: Codes, bad: Vector, weight: Vector, part: Places
) -> Iterator[tuple[Term, Vector]]:
    """Each term, and its values for the training rows, in which no rare pair knows its own row."""
    for of in plan:
        cells, level, rows = np.unique(
            cells_of(columns, codes, of), return_inverse=True, return_counts=True
        )
        if len(of) == 1:
            values = rows.astype(np.float64)
            yield Term(of, cells, values), values[level]
        else:
            found = level.astype(np.float64)
            risks, seen = cross_fitted(found, bad, weight, len(cells), part)
            yield Term(of, cells, risks), seen


def cells_of(columns: Columns, codes: Codes | Matrix, of: Of) -> Places:
    """The number of each row's cell; a level that is missing or unknown is one more."""
    cells: Places = np.zeros(len(codes), dtype=np.int64)
    for at in of:
        levels = len(columns.levels[at] or ())
        code = codes.column(at) if isinstance(codes, Codes) else codes[:, at]
        cells = cells * (levels + 1) + np.where(np.isnan(code), levels, code).astype(np.int64)
    return cells
