"""From columns of numbers to a feed's frame, in the types of its contract."""

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.tables import Table
from pipelines.world.months import Ints

NEVER = np.int64(10**6)  # a day that has not come: null in a feed
UNKNOWN = np.int64(-1)  # a figure or business that is not known: null in a feed


def frame(table: Table, codes: pl.Series, /, **columns: Any) -> pl.DataFrame:
    """One row per entry of the columns, with the types of the table's contract.

    ``business_id`` counts in ``codes`` and is of their type, which is quicker to sort and to join
    than text; enumerations are given as positions, days as numbers since 1970-01-01; ``NEVER`` and
    ``UNKNOWN`` become null.
    """
    series = {
        name: _typed(columns[name], dtype, name, codes) for name, dtype in table.dtypes.items()
    }
    return pl.DataFrame(series)


def _typed(values: Any, dtype: Any, name: str, codes: pl.Series) -> pl.Series:
    if isinstance(values, pl.Series):
        return values
    if name == "business_id":
        return picked(codes, values)
    if isinstance(dtype, pl.Enum):
        return picked(dtype.categories.cast(dtype), values)
    series = pl.Series(np.asarray(values))
    if dtype == pl.Date:
        return nulled(series.cast(pl.Int32), int(NEVER)).cast(pl.Date)
    if dtype == pl.Int64:
        return nulled(series.cast(pl.Int64), int(UNKNOWN))
    return series.cast(dtype)


def picked(names: pl.Series, positions: Any) -> pl.Series:
    """The name at each position; null where the position is negative."""
    index = pl.Series(np.asarray(positions, dtype=np.int64))
    known = nulled(index, int(UNKNOWN)).cast(pl.UInt32)
    return names.gather(known)


def ranked(names: pl.Series) -> pl.Series:
    """The names as positions in the sorted list of them, quicker to sort and to join than text."""
    return names.cast(pl.Enum(names.unique().sort()))


def nulled(series: pl.Series, value: int) -> pl.Series:
    """The series with null where it holds ``value``."""
    absent = series.to_numpy() == value
    return series.set(pl.Series(absent), None) if absent.any() else series


def key_order(table: Table, rows: pl.DataFrame) -> Ints:
    """Positions of the rows by entity, key and version, of equal ones as they come.

    Sorted by one number per row where it fits, which takes half the time of sorting by columns.
    """
    names = list(dict.fromkeys((table.entity, *table.key, *table.version)))
    place, spread = np.zeros(rows.height, dtype=np.int64), 1
    for column in [*(_numbered(rows[name]) for name in names), np.arange(rows.height)]:
        width = int(column.max(initial=0)) + 1
        spread *= width
        place = place * width + column
    if spread < 2**63:
        return pl.Series(place).arg_sort().to_numpy()
    ranked = rows.select(pl.arg_sort_by(names, maintain_order=True))
    return ranked.to_series().to_numpy()


def _numbered(column: pl.Series) -> NDArray[np.int64]:
    """Whole numbers from 0 in the order of the values."""
    column = ranked(column) if column.dtype == pl.String else column
    numbers = column.to_physical().cast(pl.Int64).to_numpy()
    return np.asarray(numbers - (numbers.min() if len(numbers) else 0))
