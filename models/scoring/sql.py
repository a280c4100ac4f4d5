"""A scorer of the pairs form as one SELECT, so that a database scores where the rows lie."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from math import log
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from features.errors import UnknownName
from models.scoring.columns import MICROSECONDS_A_DAY
from models.scoring.effects import bins_of
from models.scoring.encoding import Encoding
from models.scoring.scorecard import Surface, surfaces, tables_of
from models.scoring.tables import ScoreTables

if TYPE_CHECKING:
    from models.scoring.scorer import Scorer

Numbers = NDArray[np.float64 | np.intp]
LookUp = Callable[[Numbers, str], str]  # an array and the SQL of a place in it, counted from 1

DIALECTS = ("duckdb", "spark", "databricks", "trino")


def to_sql(
    scorer: "Scorer", table: str, *, keys: Sequence[str] = (), dialect: str = "duckdb"
) -> str:
    """One SELECT of `log_odds`, `probability_of_default` and `points` for each row of `table`.

    The sums are exact (see `models.scoring.tables.GRAIN`), so the log-odds are the scorer's to the
    last bit. Every feature is binned once, by bisection of its cuts or a join with its levels; the
    rest is looking up arrays.

    Args:
        scorer: Fitted, of the pairs form.
        table: What stands after FROM: the name of a table, or a query in brackets.
        keys: Columns of the table to carry along, such as the application's number.
        dialect: One of `DIALECTS`. All but DuckDB are written by SQLGlot.

    Raises:
        NotTables: the scorer's form is another.
        UnknownName: the dialect is none of them.
    """
    if dialect not in DIALECTS:
        raise UnknownName("dialect", dialect, DIALECTS)
    write = partial(_select, scorer, table, [_name(key) for key in keys])
    return write(_from_text) if dialect == "duckdb" else _by_sqlglot(write, dialect)


def _select(scorer: "Scorer", table: str, keys: list[str], look_up: LookUp) -> str:
    tables, encoding, points = tables_of(scorer), scorer.fitted_.encoding, scorer.points
    used = [at for at, cuts in enumerate(tables.cuts) if len(cuts)]
    bins = [f"{_bin(encoding, tables, at)} AS {_bin_name(at)}" for at in used]
    odds_of_base = f"(log_odds + {_number(log(points.base_odds))})"
    return f"""\
WITH given AS (
  SELECT {_lines([*keys, *(_value(encoding, at) for at in used)])}
  FROM {table}
), binned AS (
  SELECT {_lines([*keys, *bins])}
  FROM given{"".join(_join(encoding, tables, at) for at in used)}
), scored AS (
  SELECT {_lines([*keys, f"{_sum(tables, used, look_up)} AS log_odds"])}
  FROM binned
)
SELECT {_lines([*keys, "log_odds"])},
    1e0 / (1e0 + EXP(-log_odds)) AS probability_of_default,
    {_number(points.base_points)} - {_number(points.per_log_odds)} * {odds_of_base} AS points
FROM scored
"""  # noqa: S608  # names and levels are quoted, and `table` is the caller's own


def _value(encoding: Encoding, at: int) -> str:
    """A number as DOUBLE, NaN as NULL; a date as its days since 1970; text as it is."""
    column = _name(encoding.columns.names[at])
    if at in encoding.columns.dates:
        epoch, moment = "TIMESTAMP '1970-01-01 00:00:00'", f"CAST({column} AS TIMESTAMP)"
        microseconds = f"DATE_DIFF('microsecond', {epoch}, {moment})"
        return f"{microseconds} / {MICROSECONDS_A_DAY}e0 AS {_value_name(at)}"
    if encoding.risks[at] is not None:
        return f"CAST({column} AS VARCHAR) AS {_value_name(at)}"
    number = f"CAST({column} AS DOUBLE)"
    return f"CASE WHEN ISNAN({number}) THEN NULL ELSE {number} END AS {_value_name(at)}"


def _bin(encoding: Encoding, tables: ScoreTables, at: int) -> str:
    """The number of the bin, counted from 1, of a given value."""
    cuts = tables.cuts[at]
    missing = 1 + bins_of(encoding.fills[at : at + 1], cuts).item()
    if encoding.risks[at] is not None:
        return f"COALESCE({_levels_name(at)}.bin, {missing})"
    finite = cuts[cuts < np.inf]  # a cut at infinity parts the known from the missing
    found = _search(_value_name(at), [_number(cut) for cut in finite.tolist()], 1)
    return f"CASE WHEN {_value_name(at)} IS NULL THEN {missing} ELSE {found} END"


def _search(value: str, cuts: Sequence[str], first: int) -> str:
    """Bisection: the number of the interval, where `first` is that below all cuts."""
    if not cuts:
        return str(first)
    middle = len(cuts) // 2
    below = _search(value, cuts[:middle], first)
    above = _search(value, cuts[middle + 1 :], first + middle + 1)
    return f"CASE WHEN {value} <= {cuts[middle]} THEN {below} ELSE {above} END"


def _join(encoding: Encoding, tables: ScoreTables, at: int) -> str:
    """For a text feature, the join that finds the bin of a level; unseen levels find none."""
    levels, risks = encoding.columns.levels[at], encoding.risks[at]
    if not levels or risks is None:
        return ""
    known = np.where(np.isnan(risks), encoding.fills[at], risks)
    bins = 1 + bins_of(known, tables.cuts[at])
    rows = ", ".join(
        f"({_text(level)}, {bin_})" for level, bin_ in zip(levels, bins.tolist(), strict=True)
    )
    name = _levels_name(at)
    on = f"{_value_name(at)} = {name}.level"
    return f"\n  LEFT JOIN (VALUES {rows}) AS {name}(level, bin) ON {on}"


def _sum(tables: ScoreTables, used: Sequence[int], look_up: LookUp) -> str:
    """Base, curves and surfaces, in one bracket a feature: a flat sum is too deep for engines."""
    terms = {at: [_curve(tables, at, look_up)] for at in used}
    for surface in surfaces(tables):
        terms[surface.first].append(_cell(surface, look_up))
    brackets = ["(" + "\n      + ".join(some) + ")" for some in terms.values()]
    return "\n    + ".join([_number(tables.base), *brackets])


def _curve(tables: ScoreTables, at: int, look_up: LookUp) -> str:
    start = tables.curve_start[at]
    return look_up(tables.curves[start : start + len(tables.cuts[at]) + 2], _bin_name(at))


def _cell(surface: Surface, look_up: LookUp) -> str:
    """The value of a pair of bins: the cells of a row lie side by side."""
    row = look_up(surface.rows * surface.values.shape[1], _bin_name(surface.first))
    column = look_up(surface.columns + 1, _bin_name(surface.second))
    return look_up(surface.values.ravel(), f"{row} + {column}")


def _from_text(array: Numbers, place: str) -> str:
    """An array that DuckDB reads from one constant text, in half the time of as many numbers."""
    kind = "DOUBLE" if array.dtype == np.float64 else "INTEGER"
    return f"CAST('[{_numbers(array)}]' AS {kind}[])[{place}]"


def _by_sqlglot(write: Callable[[LookUp], str], dialect: str) -> str:
    """The same in another dialect; arrays wait aside by number, being long and the same in all."""
    import sqlglot
    from sqlglot import exp

    arrays: list[str] = []

    def element_at(array: Numbers, place: str) -> str:
        arrays.append(_numbers(array))
        return f"ELEMENT_AT({len(arrays) - 1}, {place})"

    tree = sqlglot.parse_one(write(element_at), read="duckdb")
    for call in list(tree.find_all(exp.Anonymous)):
        number = call.expressions[0]
        if call.name == "ELEMENT_AT" and number.is_int:
            number.replace(exp.Array(expressions=[exp.Var(this=arrays[int(number.name)])]))
    return tree.sql(dialect, pretty=True)


def _numbers(array: Numbers) -> str:
    return ", ".join(map(_number, array.tolist()))


def _number(value: float) -> str:
    """Exact, and a DOUBLE: without an exponent a number with a point is a DECIMAL."""
    text = repr(value)
    return text if isinstance(value, int) or "e" in text else f"{text}e0"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _value_name(at: int) -> str:
    return f"value_{at}"


def _bin_name(at: int) -> str:
    return f"bin_{at}"


def _levels_name(at: int) -> str:
    return f"levels_{at}"


def _lines(items: Iterable[str]) -> str:
    return ",\n    ".join(items) or "1 AS nothing"  # a scorer may use no feature
