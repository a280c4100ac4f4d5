"""Reading delivered cells as the contract's types, exactly or not at all.

Polars' own casts are lenient where a feed must be strict: 12.5 becomes 12, a date takes a clock
time, text takes a number that lost its leading zeros. Each parser here gives null for a cell it
cannot read exactly; ``pipelines.intake.check`` then names that cell.
"""

from collections.abc import Callable

import polars as pl

Parser = Callable[[pl.Expr], pl.Expr]
_EXACT_FLOATS = 2**53
_TEXT = (pl.String, pl.Categorical, pl.Enum)


class Unreadable(Exception):
    """A column whose type can never hold what the contract asks for."""


def parser(source: pl.DataType, target: pl.DataType) -> Parser:
    """How to read a column of type ``source`` as ``target``.

    Raises:
        Unreadable: no exact reading exists; the message continues "column x …".
    """
    if source == target or isinstance(source, pl.Null):
        return lambda column: column.cast(target)
    if isinstance(source, _TEXT):
        return lambda column: _from_text(target)(column.cast(pl.String))
    if found := _from_typed(source, target):
        return found
    raise Unreadable(f"holds {source}, which cannot be read as {_plainly(target)}")


def _from_text(target: pl.DataType) -> Parser:
    match target:
        case pl.Int64():
            return lambda cell: cell.cast(pl.Int64, strict=False)
        case pl.Date():
            return _date_from_text
        case pl.Datetime():
            return _moment_from_text
        case pl.Boolean():
            return _truth_from_text
        case pl.Enum():
            return lambda cell: cell.cast(target, strict=False)
        case _:
            return lambda cell: cell


def _date_from_text(cell: pl.Expr) -> pl.Expr:
    """2024-05-01 and nothing else: the format alone would take 2024-5-1 and a leading blank."""
    whole = cell.str.contains(r"^\d{4}-\d\d-\d\d$")
    return pl.when(whole).then(cell.str.to_date("%Y-%m-%d", strict=False))


def _moment_from_text(cell: pl.Expr) -> pl.Expr:
    """2024-05-01T08:30:00+08:00, or with a blank for T, a fraction, or Z for the offset."""
    with_offset = cell.str.replace(r"[Zz]$", "+00:00").str.replace(" ", "T", literal=True)
    return with_offset.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%:z", strict=False, time_unit="us")


def _truth_from_text(cell: pl.Expr) -> pl.Expr:
    words = {"true": True, "false": False, "1": True, "0": False}
    return cell.str.to_lowercase().replace_strict(words, default=None, return_dtype=pl.Boolean)


def _from_typed(source: pl.DataType, target: pl.DataType) -> Parser | None:
    match target:
        case pl.Int64() if source.is_integer():
            return lambda cell: cell.cast(pl.Int64, strict=False)
        case pl.Int64() if source.is_float():
            return _whole_number
        case pl.Boolean() if source.is_integer():
            return lambda cell: pl.when(cell.is_between(0, 1)).then(cell == 1)
        case pl.Date() if isinstance(source, pl.Datetime) and source.time_zone is None:
            return lambda cell: pl.when(cell.dt.time() == pl.time(0)).then(cell.dt.date())
        case pl.Datetime() if isinstance(source, pl.Datetime) and source.time_zone is not None:
            return lambda cell: cell.dt.convert_time_zone("UTC").dt.cast_time_unit("us")
        case _:
            return None


def _whole_number(cell: pl.Expr) -> pl.Expr:
    """Integers that came as floats because the column has gaps (as pandas writes them)."""
    exact = (cell == cell.round()) & (cell.abs() <= _EXACT_FLOATS)
    return pl.when(exact).then(cell.cast(pl.Int64, strict=False))


def _plainly(target: pl.DataType) -> str:
    if isinstance(target, pl.Datetime):
        return "a moment with an offset from UTC"
    return {"Int64": "an integer", "String": "text"}.get(str(target), str(target))
