"""Rows handed to LightGBM by the batch: it keeps bins, and so needs no matrix of them all."""

from typing import Any

import numpy as np

from models.scoring.columns import Codes, Matrix

ROWS = 4096


def batches(codes: Codes) -> Any:
    """The rows as a `lightgbm.Sequence`; the bins are those of the whole matrix."""
    import lightgbm

    class Batches(lightgbm.Sequence):
        batch_size = ROWS

        def __init__(self) -> None:
            self._first, self._held = 0, codes[:ROWS]

        def __len__(self) -> int:
            return len(codes)

        def __getitem__(self, at: Any) -> Matrix:
            """A batch, or one row of LightGBM's sample, which it asks for in ascending order."""
            if isinstance(at, slice):
                return codes[at]
            first = at - at % ROWS
            if self._first != first:
                self._first, self._held = first, codes[first : first + ROWS]
            return np.asarray(self._held[at - first])

    return Batches()
