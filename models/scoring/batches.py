"""Rows handed to LightGBM by the batch: it keeps bins, and so needs no matrix of them all."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.scoring.columns import Codes, Matrix

Vector = NDArray[np.float64]

ROWS = 4096


def dataset(
    settings: dict[str, Any],
    rows: Codes | Matrix,
    target: Vector,
    weight: Vector,
    names: list[str] | Literal["auto"] = "auto",
    reference: Any = None,
) -> Any:
    """A `lightgbm.Dataset` in the bins of ``reference``, or those a matrix of the rows would give.

    LightGBM forgets most settings where rows come in batches: it would draw another sample, leave
    out features by its own default of rows in a leaf, and print.
    """
    import lightgbm

    class Dataset(lightgbm.Dataset):
        def get_params(self) -> dict[str, Any]:
            is_made = bool(self._handle) or reference is not None
            return super().get_params() if is_made else dict(settings)

    return Dataset(
        _batches(rows) if isinstance(rows, Codes) else rows,
        target,
        weight=weight,
        feature_name=names,
        reference=reference,
        params=settings,
    )


def _batches(codes: Codes) -> Any:
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
