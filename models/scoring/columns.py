"""Read a frame of any kind as numbers, text columns as codes of their levels."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.utils.validation import check_array

from features.errors import BadTable

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]
Places = NDArray[np.int64]
Levels = tuple[str, ...]

MICROSECOND = timedelta(microseconds=1)
MICROSECONDS_A_DAY = 86_400_000_000


class UnreadableColumn(BadTable, ValueError):
    """A column that cannot become a feature as it stands."""


@dataclass(frozen=True)
class Codes:
    """Rows of a frame as float64, shape (rows, columns), read where the frame keeps them.

    A matrix would be the frame once more in memory: a column, or some rows, are copied when asked
    for. ``places`` are those of the rows in ``columns``.
    """

    columns: tuple[Vector, ...]
    places: Places

    def __len__(self) -> int:
        return len(self.places)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.places), len(self.columns)

    def column(self, at: int) -> Vector:
        """Values of one column."""
        return self.columns[at][self.places]

    def __iter__(self) -> Iterator[Vector]:
        """Column after column."""
        return (self.column(at) for at in range(len(self.columns)))

    def __getitem__(self, rows: slice | Places) -> Matrix:
        """Values of some rows."""
        places = self.places[rows]
        matrix = np.empty((len(places), len(self.columns)))
        for at, column in enumerate(self.columns):
            matrix[:, at] = column[places]
        return matrix

    def at(self, rows: Places) -> "Codes":
        """Some rows, uncopied."""
        return replace(self, places=self.places[rows])

    def and_columns(self, values: Iterable[Vector]) -> "Codes":
        """The same rows with further columns."""
        places = {len(self.columns) + at: column for at, column in enumerate(values)}
        nothing = (np.empty(len(self.columns[0])),) * len(places)
        return replace(self, columns=self.columns + nothing).with_columns(places)

    def with_columns(self, values: Mapping[int, Vector]) -> "Codes":
        """The same rows with other values in some columns."""
        columns = list(self.columns)
        for at, column in values.items():
            columns[at] = np.full(len(columns[at]), np.nan)
            columns[at][self.places] = column
        return replace(self, columns=tuple(columns))


@dataclass(frozen=True)
class Columns:
    """The columns a scorer was fitted on: names, levels of text, and places of dates."""

    names: tuple[str, ...]
    levels: tuple[Levels | None, ...]
    dates: frozenset[int] = frozenset()

    @classmethod
    def of(cls, X: Any) -> "Columns":
        """Learn them from the columns of `X`; nested values are refused."""
        known = [(name, _levels(column), _is_date(column)) for name, column in read(X)]
        names, levels, dates = zip(*known, strict=True) if known else ((), (), ())
        return cls(names, levels, frozenset(at for at, is_date in enumerate(dates) if is_date))

    def codes(self, X: Any) -> Codes:
        """Rows of `X` as float64, uncopied where it holds such; null and unknown levels are NaN."""
        X = X.collect() if isinstance(X, pl.LazyFrame) else frame_or_array(X)
        rows, columns = X.shape
        if columns != len(self.names):
            raise UnreadableColumn(
                f"The scorer was fitted on {len(self.names)} columns and got {columns}."
            )
        values = tuple(
            _numbers(name, column) if levels is None else _codes(name, column, levels)
            for (name, column), levels in zip(read(X), self.levels, strict=True)
        )
        return Codes(values, np.arange(rows))

    def matrix(self, X: Any) -> Matrix:
        """Rows of `X` as float64, shape (rows, columns); null and unknown levels are NaN."""
        codes = self.codes(X)
        matrix = np.empty(codes.shape, order="F")
        for at, column in enumerate(codes.columns):
            matrix[:, at] = column
        return matrix


def read(X: Any) -> Iterator[tuple[str, pl.Series | Vector]]:
    """The columns of a pandas, Polars or Arrow frame, or of an array, by name.

    Columns of float64 come as they lie, any other as a Polars series, one at a time.
    """
    if isinstance(X, pl.LazyFrame):
        X = X.collect()
    if isinstance(X, pa.Table):
        yield from ((str(name), _from_arrow(str(name), X[name])) for name in X.column_names)
    elif isinstance(X, pl.DataFrame):
        yield from ((column.name, column) for column in X.iter_columns())
    elif isinstance(X, pd.DataFrame):
        for at, name in enumerate(X.columns):
            yield str(name), _own_or_read(str(name), X.iloc[:, at])
    else:
        array = frame_or_array(X)
        for at in range(array.shape[1]):
            yield f"x{at}", _own_or_read(f"x{at}", array[:, at])


def _own_or_read(name: str, column: Any) -> pl.Series | Vector:
    if column.dtype == np.float64:
        return np.asarray(column)
    return one_column(name, column)


def frame_or_array(X: Any) -> Any:
    """A frame as it is, if its names differ; anything else as an array of two dimensions."""
    if isinstance(X, pl.DataFrame | pl.LazyFrame):
        return X
    if isinstance(X, pd.DataFrame | pa.Table):
        _demand_distinct(X.columns if isinstance(X, pd.DataFrame) else X.column_names)
        return X
    return check_array(X, dtype=None, ensure_all_finite=False)


def _demand_distinct(names: Iterable[Any]) -> None:
    twice = [name for name, times in Counter(map(str, names)).items() if times > 1]
    if twice:
        raise UnreadableColumn(
            f"{len(twice)} names stand over more than one column (first: {twice[0]!r}). "
            "Give every column a name of its own."
        )


def one_column(name: str, values: Any) -> pl.Series:
    """A pandas, Polars or Arrow column, or a sequence, as a Polars series."""
    if isinstance(values, pl.Series):
        return values.alias(name)
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return _from_arrow(name, values)
    if isinstance(values, pd.Series | pd.Index):
        return _from_pandas(name, pd.Series(values))
    return _from_array(name, np.asarray(values))


def _from_arrow(name: str, column: Any) -> pl.Series:
    return pl.Series(name, pl.from_arrow(column))


def _from_pandas(name: str, column: "pd.Series[Any]") -> pl.Series:
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    if column.dtype == object:
        return _from_array(name, column.to_numpy())
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column = column.dt.tz_convert(None)
    return pl.from_pandas(column).alias(name)


def _from_array(name: str, column: NDArray[Any]) -> pl.Series:
    """Numbers where every value is one (or missing), else text; dates keep their type."""
    if column.dtype.kind in "biufM":
        return pl.Series(name, column)
    known = [None if _is_missing(value) else value for value in column.tolist()]
    try:
        return pl.Series(name, known, dtype=None, strict=True)
    except (TypeError, pl.exceptions.PolarsError):
        return pl.Series(name, [None if value is None else str(value) for value in known])


def _is_missing(value: Any) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or value != value


def _levels(column: pl.Series | Vector) -> Levels | None:
    if isinstance(column, np.ndarray):
        return None
    kind = column.dtype
    if kind in (pl.String, pl.Categorical) or isinstance(kind, pl.Enum):
        return tuple(column.cast(pl.String).drop_nulls().unique().sort().to_list())
    if kind.is_numeric() or kind.is_temporal() or kind in (pl.Boolean, pl.Null):
        return None
    raise UnreadableColumn(
        f"Column {column.name!r} holds {kind}; a feature is a number, true/false, text or a date."
    )


def _is_date(column: pl.Series | Vector) -> bool:
    return isinstance(column, pl.Series) and column.dtype in (pl.Date, pl.Datetime)


def day_number(moment: date | timedelta) -> float:
    """Days since 1970 of a date or a moment (in UTC, if it has a zone), or those of a duration."""
    if not isinstance(moment, timedelta):
        if not isinstance(moment, datetime):
            moment = datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
        zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        moment = zoned - datetime(1970, 1, 1, tzinfo=UTC)
    return moment // MICROSECOND / MICROSECONDS_A_DAY


def _numbers(name: str, column: pl.Series | Vector) -> Vector:
    if isinstance(column, np.ndarray):
        return column
    if _levels(column) is not None:
        first = column.drop_nulls().head(1).to_list()
        if first:
            raise UnreadableColumn(
                f"Column {name!r} held numbers when fitted and holds text now "
                f"(first: {first[0]!r}). Give it as a number."
            )
    if column.dtype.is_temporal():
        return _days(column)
    return np.asarray(column.cast(pl.Float64, strict=False).to_numpy(), dtype=np.float64)


def _days(column: pl.Series) -> Vector:
    """Days since 1970 of dates and moments, with the fraction of the day; the days of durations."""
    is_moment = column.dtype in (pl.Date, pl.Datetime)
    microseconds = column.cast(pl.Datetime("us") if is_moment else pl.Duration("us"))
    # divided by NumPy, whose bits are those of `day_number`; Polars' are not
    return np.asarray(microseconds.to_physical().cast(pl.Float64).to_numpy() / MICROSECONDS_A_DAY)


def _codes(name: str, column: pl.Series | Vector, levels: Levels) -> Vector:
    if isinstance(column, np.ndarray):
        column = pl.Series(name, column, nan_to_null=True)
    if _levels(column) is None and column.null_count() < len(column):
        raise UnreadableColumn(
            f"Column {name!r} held text when fitted and holds {column.dtype} now. Give it as text."
        )
    known = column.cast(pl.String).cast(pl.Enum(list(levels)), strict=False)
    return np.asarray(known.to_physical().cast(pl.Float64).to_numpy(), dtype=np.float64)
