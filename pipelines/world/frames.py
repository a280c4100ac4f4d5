"""From columns of numbers to a feed's frame, in the types of its contract."""

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.tables import Table

NEVER = np.int64(10**6)  # a day that has not come: null in a feed
UNKNOWN = np.int64(-1)  # a figure or business that is not known: null in a feed


def frame(table: Table, codes: NDArray[Any], /, **columns: Any) -> pl.DataFrame:
    """One row per entry of the columns, with the types of the table's contract.

    ``business_id`` counts in ``codes``; enumerations are given as positions, days as numbers since
    1970-01-01; ``NEVER`` and ``UNKNOWN`` become null.
    """
    series = {
        name: _typed(columns[name], dtype, name, codes) for name, dtype in table.dtypes.items()
    }
    return pl.DataFrame(series)


def _typed(values: Any, dtype: Any, name: str, codes: NDArray[Any]) -> pl.Series:
    if isinstance(values, pl.Series):
        return values
    if name == "business_id":
        return picked(codes, values).cast(dtype)
    if isinstance(dtype, pl.Enum):
        return picked(dtype.categories.to_numpy(), values).cast(dtype)
    series = pl.Series(np.asarray(values))
    if dtype == pl.Date:
        return nulled(series.cast(pl.Int32), int(NEVER)).cast(pl.Date)
    if dtype == pl.Int64:
        return nulled(series.cast(pl.Int64), int(UNKNOWN))
    return series.cast(dtype)


def picked(names: NDArray[Any], positions: Any) -> pl.Series:
    """The name at each position; null where the position is negative."""
    index = pl.Series(np.asarray(positions, dtype=np.int64))
    known = nulled(index, int(UNKNOWN)).cast(pl.UInt32)
    return pl.Series(names, dtype=pl.String).gather(known)


def nulled(series: pl.Series, value: int) -> pl.Series:
    """The series with null where it holds ``value``."""
    if not (series == value).any():
        return series
    return series.set(series == value, None)
