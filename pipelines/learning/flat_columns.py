"""What the columns of a flat table are: outcome, time, and those a scorer can learn from."""

import shlex
from collections.abc import Sequence

import polars as pl

from features.errors import MicroloanError, UnknownName

MANY_NAMES = 0.9  # text with more distinct values than this share of the rows names the rows
LONG_NUMBER = 10**7  # whole numbers from here on that are all different name the rows
EXACT = 2**53  # whole numbers beyond it are names: no measure has so many digits
LEAST = 10  # rows of either outcome: fewer tell nothing from chance
YES = ("1", "true", "t", "yes", "y", "是")
NO = ("0", "false", "f", "no", "n", "否")
FEW = 6  # values that a message names
MANY_VALUES = 50  # more than outcomes have names
YEARS = (1900, 2100)


def outcome(target: pl.Series, bad: str | None, good: str | None) -> tuple[pl.Series, list[str]]:
    """1 for default, 0 for none, null where unknown; and what was taken for granted.

    ``bad`` and ``good`` are values, or several separated by commas; without ``good`` every other
    value is.

    Raises:
        UnknownName: a value that the column does not hold.
        MicroloanError: the values do not tell, or one outcome has too few rows to learn from.
    """
    text = _as_text(target)
    known = text.drop_nulls().unique().sort().to_list()
    if bad is None:
        bads, goods = _yes_and_no(text, known, good)
    else:
        bads = _named(bad, known, target.name)
        goods = _named(good, known, target.name) if good else []
        goods = goods or [value for value in known if value not in bads]
    values = dict.fromkeys(goods, 0) | dict.fromkeys(bads, 1)
    flags = text.replace_strict(values, default=None, return_dtype=pl.Int8)
    _demand_both(flags)
    return flags, _taken_for_granted(flags, target, bads, goods, good)


def days(time: pl.Series) -> pl.Series:
    """The time as dates, from dates, datetimes, years, or numbers such as 202412 and 20241231.

    Raises:
        MicroloanError: it holds something else.
    """
    if time.dtype.is_temporal() and time.dtype not in (pl.Time, pl.Duration):
        return time.cast(pl.Date)
    if time.dtype.is_integer():
        text = time.cast(pl.String)
        for rest, looks in (("0101", r"^\d{4}$"), ("01", r"^\d{6}$"), ("", r"^\d{8}$")):
            found = (text + rest).str.to_date("%Y%m%d", strict=False)
            if text.drop_nulls().str.contains(looks).all() and _are_plausible(found, time):
                return found
    first = time.drop_nulls().head(1).to_list()
    raise MicroloanError(
        f"Column {time.name!r} holds {f'times such as {first[0]!r}' if first else 'no time'}; "
        "write them as 2024-12-31, all in one way, or as a year."
    )


def with_ages(frame: pl.DataFrame, time: str) -> tuple[pl.DataFrame, list[str]]:
    """Dates that never lie after the ``time`` as days before it; any other knows the future."""
    when = frame[time]
    ages: list[pl.Series] = []
    for column in frame.iter_columns():
        if column.name != time and column.dtype in (pl.Date, pl.Datetime):
            before = (when - column.cast(pl.Date)).dt.total_days()
            if not (before < 0).any():
                ages.append(before.alias(column.name))
    told = [f"column {age.name!r} counts as days before {time!r}" for age in ages]
    return frame.with_columns(ages), told


def usable(frame: pl.DataFrame) -> tuple[list[str], list[str]]:
    """Columns a scorer can learn from, and a warning for each left out.

    Raises:
        MicroloanError: none is left.
    """
    used: dict[str, pl.Series] = {}
    warnings = []
    for column in frame.iter_columns():
        why = _unusable(column) or _repeated(column, used)
        if why:
            warnings.append(f"column {column.name!r} is left out: {why}")
        else:
            used[column.name] = column
    if not used:
        raise MicroloanError(
            "No column is left to learn from"
            + (f" ({warnings[0]})" if warnings else "")
            + ". Hint: see --drop and --id."
        )
    return list(used), warnings


def _as_text(target: pl.Series) -> pl.Series:
    if target.dtype.is_float() and (target == target.floor()).all():
        target = target.cast(pl.Int64, strict=False)
    return target.cast(pl.String).str.strip_chars()


def _yes_and_no(
    text: pl.Series, known: Sequence[str], good: str | None
) -> tuple[list[str], list[str]]:
    """The values that say yes and no by themselves."""
    bads = [value for value in known if value.lower() in YES]
    goods = [value for value in known if value.lower() in NO]
    if good is not None or len(bads) + len(goods) < len(known):
        raise MicroloanError(
            f"Column {text.name!r} holds {_some(known)}; it must be 0/1, true/false or yes/no. "
            f"Hint: {_way_to_outcome(text.drop_nulls())}."
        )
    return bads, goods


def _way_to_outcome(text: pl.Series) -> str:
    """Of few values the rarest is the likeliest to mean default."""
    if text.n_unique() > MANY_VALUES:
        return "--target names the column that says what became of the loan"
    rarest = text.value_counts().sort("count", text.name)[text.name].item(0)
    return f"say which value means default, as --bad={shlex.quote(rarest)}"


def _named(values: str, known: Sequence[str], column: str) -> list[str]:
    """One value, or several with commas between them."""
    named = [values.strip()] if values.strip() in known else [v.strip() for v in values.split(",")]
    for value in named:
        if value not in known:
            raise UnknownName(f"value of {column}", value, known)
    return named


def _demand_both(flags: pl.Series) -> None:
    known = flags.drop_nulls()
    bads = int(known.sum())
    if min(bads, len(known) - bads) < LEAST:
        raise MicroloanError(
            f"Column {flags.name!r} tells of {bads:,} defaults among {len(known):,} rows with an "
            f"outcome; at least {LEAST} of either outcome are needed to tell anything from chance. "
            "Hint: give more rows, or see --bad."
        )


def _taken_for_granted(
    flags: pl.Series, target: pl.Series, bads: Sequence[str], goods: Sequence[str], good: str | None
) -> list[str]:
    warnings = []
    if missing := flags.null_count():
        why = "without an outcome" if good is None else "that are neither good nor bad"
        warnings.append(f"{missing:,} rows {why} in {target.name!r} are left out")
    if good is None and len(goods) > 1:
        warnings.append(
            f"beside {_some(bads)} column {target.name!r} holds {_some(goods)}: all count as good. "
            "Hint: name those that are, with --good; the others are then left out."
        )
    share = flags.drop_nulls().mean()
    if isinstance(share, float) and share > 0.5:
        warnings.append(
            f"{share:.0%} of the rows are default ({target.name!r} is {_some(bads)}). Hint: see "
            "--bad if it means the opposite, --prior if the table is a case-control sample."
        )
    return warnings


def _are_plausible(found: pl.Series, time: pl.Series) -> bool:
    return found.null_count() == time.null_count() and bool(
        found.drop_nulls().dt.year().is_between(*YEARS).all()
    )


def _unusable(column: pl.Series) -> str:
    if column.dtype.is_temporal():
        return "a date is no feature, unless it never lies after that of --time"
    if column.dtype.is_nested() or column.dtype in (pl.Binary, pl.Object):
        return f"{column.dtype} is not a plain value"
    distinct = column.n_unique()
    if column.dtype == pl.String and distinct > MANY_NAMES * max(len(column), 20):
        return f"{distinct:,} distinct texts in {len(column):,} rows name the rows"
    if distinct < 2:
        return "it has one value only"
    return _number_of_the_row(column, distinct) if column.dtype.is_integer() else ""


def _number_of_the_row(column: pl.Series, distinct: int) -> str:
    """Why whole numbers are names rather than measures."""
    low, high = column.min(), column.max()
    assert isinstance(low, int)
    assert isinstance(high, int)
    if max(abs(low), abs(high)) > EXACT:
        return "numbers of so many digits are names"
    if distinct == len(column) and (low > LONG_NUMBER or high - low == distinct - 1):
        return f"{distinct:,} different whole numbers in as many rows name the rows"
    return ""


def _repeated(column: pl.Series, used: dict[str, pl.Series]) -> str:
    for name, other in used.items():
        if column.dtype == other.dtype and column.equals(other, null_equal=True):
            return f"it repeats {name!r}"
    return ""


def _some(values: Sequence[str]) -> str:
    shown = ", ".join(map(repr, values[:FEW]))
    return shown if len(values) <= FEW else f"{shown} and {len(values) - FEW:,} more"
