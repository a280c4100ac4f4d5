"""Columns as people write them, as numbers and dates where nearly every value is one."""

from collections.abc import Iterator

import polars as pl

NEARLY = 0.95  # of the known values, the rest being a few words for "missing"
FEW_WORDS = 5
MISSING = ("", "na", "n/a", "#n/a", "nan", "null", "none", "-", "--", "—", "?", ".")

_CURRENCY = r"(?:rmb|cny|usd|eur|gbp|ngn|us\$|hk\$|[¥$€£₦₹元])"
_NUMBER = rf"(?i)^(\(|-|\+)?\s*{_CURRENCY}?\s*([-+]?)BODY\s*(%|万|亿)?\s*{_CURRENCY}?\)?$"
_POINT = r"(\d{1,3}(?:[, ']\d{3})+(?:\.\d*)?|\d+(?:\.\d*)?(?:e[-+]?\d+)?|\.\d+)"
_COMMA = r"(\d{1,3}(?:[. ']\d{3})+(?:,\d*)?|\d+(?:,\d*)?)"
_UNITS = {"%": 0.01, "万": 1e4, "亿": 1e8}
_CODE = r"^0\d+$"  # 007 is a name, not a number
_EXACT = 2.0**53

_TIME_OF_DAY = r"[T ]\d{1,2}:\d{2}.*$"
# what a date looks like, what is put before and after it to make it whole, and how it then reads
_DATES = (
    (r"^\d{4}-\d{1,2}-\d{1,2}$", "{}", "%Y-%m-%d"),
    (r"^\d{4}/\d{1,2}/\d{1,2}$", "{}", "%Y/%m/%d"),
    (r"^\d{4}\.\d{1,2}\.\d{1,2}$", "{}", "%Y.%m.%d"),
    (r"^\d{4}年\d{1,2}月\d{1,2}日$", "{}", "%Y年%m月%d日"),
    (r"^\d{4}-\d{1,2}$", "{}-01", "%Y-%m-%d"),
    (r"^\d{4}/\d{1,2}$", "{}/01", "%Y/%m/%d"),
    (r"^\d{4}年\d{1,2}月$", "{}01日", "%Y年%m月%d日"),
    (r"^\d{1,2}/\d{1,2}/\d{4}$", "{}", "%d/%m/%Y"),
    (r"^\d{1,2}/\d{1,2}/\d{4}$", "{}", "%m/%d/%Y"),
    (r"^\d{1,2}/\d{1,2}/\d{2}$", "{}", "%d/%m/%y"),
    (r"^\d{1,2}/\d{1,2}/\d{2}$", "{}", "%m/%d/%y"),
    (r"^\d{1,2}-\d{1,2}-\d{4}$", "{}", "%d-%m-%Y"),
    (r"^\d{1,2}-\d{1,2}-\d{4}$", "{}", "%m-%d-%Y"),
    (r"^\d{1,2}\.\d{1,2}\.\d{4}$", "{}", "%d.%m.%Y"),
    (r"^\d{1,2}[- ][A-Za-z]{3,9}[- ]\d{4}$", "{}", "%d-%B-%Y"),
    (r"^\d{1,2}[- ][A-Za-z]{3,9}[- ]\d{2}$", "{}", "%d-%B-%y"),
    (r"^[A-Za-z]{3,9}[- ]\d{4}$", "01-{}", "%d-%B-%Y"),
    (r"^[A-Za-z]{3,9}[- ]\d{2}$", "01-{}", "%d-%B-%y"),
    (r"^[A-Za-z]{3,9} \d{1,2}, \d{4}$", "{}", "%B-%d,-%Y"),
)


def plain(frame: pl.DataFrame, keep: tuple[str, ...] = ()) -> tuple[pl.DataFrame, list[str]]:
    """Text as numbers or dates where nearly all of a column is, and what that took.

    Thousands separators, currencies, percent signs, 万 and 亿, brackets around negative numbers and
    decimal commas are understood; text that stays text is stripped of blanks. Columns in ``keep``
    stay text. Infinities, which come of divisions by zero, are missing. The sentences tell what was
    taken for missing.
    """
    columns: list[pl.Series] = []
    warnings: list[str] = []
    for column in frame.iter_columns():
        if column.dtype == pl.String:
            text = _known(column)
            found = None if column.name in keep else _read(text)
            warnings += _disguised(text, found)
            column = text if found is None else found  # noqa: PLW2901
        elif column.dtype.is_decimal():
            column = column.cast(pl.Float64)  # noqa: PLW2901
        elif column.dtype.is_float() and (infinite := column.is_infinite()).any():
            warnings.append(f"column {column.name!r}: {infinite.sum():,} infinities are missing")
            column = column.set(infinite, None)  # noqa: PLW2901
        columns.append(column)
    return pl.DataFrame(columns), warnings


def _known(text: pl.Series) -> pl.Series:
    text = text.str.strip_chars()
    return text.set(text.str.to_lowercase().is_in(MISSING), None)


def _read(text: pl.Series) -> pl.Series | None:
    """The text as numbers, else as dates, else None."""
    whole = text.str.normalize("NFKC")
    if whole.drop_nulls().str.contains(_CODE).any():
        return None
    for found in (*_numbers(whole), _dates(whole)):
        if _is_nearly(text, found):
            return found
    return None


def _is_nearly(text: pl.Series, found: pl.Series) -> bool:
    known = len(text) - text.null_count()
    lost = text.filter(found.is_null() & text.is_not_null())
    return known > 0 and len(lost) <= (1 - NEARLY) * known and lost.n_unique() <= FEW_WORDS


def _disguised(text: pl.Series, found: pl.Series | None) -> Iterator[str]:
    if found is not None and found.null_count() > text.null_count():
        lost = text.filter(found.is_null() & text.is_not_null())
        words = ", ".join(map(repr, lost.unique().sort().to_list()))
        yield f"column {text.name!r}: {words} in {len(lost):,} rows counts as missing"


def _numbers(text: pl.Series) -> list[pl.Series]:
    """Read with decimal points and with decimal commas, the fuller reading first."""
    readings = [
        _number(text, _POINT, thousands="[, ']", decimal="."),
        _number(text, _COMMA, thousands="[. ']", decimal=","),
    ]
    return sorted(readings, key=lambda reading: reading.null_count())


def _number(text: pl.Series, body: str, *, thousands: str, decimal: str) -> pl.Series:
    pattern = _NUMBER.replace("BODY", body)
    frame = pl.DataFrame({"text": text}).select(
        outer=pl.col("text").str.extract(pattern, 1),
        inner=pl.col("text").str.extract(pattern, 2),
        digits=pl.col("text").str.extract(pattern, 3),
        unit=pl.col("text").str.extract(pattern, 4),
    )
    digits = pl.col("digits").str.replace_all(thousands, "").str.replace(decimal, ".", literal=True)
    negative = pl.col("outer").is_in(["(", "-"]) | (pl.col("inner") == "-")
    sign = pl.when(negative).then(-1.0).otherwise(1.0)
    unit = pl.col("unit").replace_strict(_UNITS, default=1.0, return_dtype=pl.Float64)
    value = frame.select(digits.cast(pl.Float64, strict=False) * sign * unit).to_series()
    return _whole(value).alias(text.name)


def _whole(value: pl.Series) -> pl.Series:
    known = value.drop_nulls()
    is_whole = (known == known.floor()).all() and (known.abs() < _EXACT).all()
    return value.cast(pl.Int64) if is_whole else value


def _dates(text: pl.Series) -> pl.Series:
    """The fullest reading; where day and month could be either, the day comes first."""
    day = text.str.replace(_TIME_OF_DAY, "")
    readings = [_date(day, *how) for how in _DATES if day.str.contains(how[0]).any()]
    nothing = pl.Series(text.name, [None] * len(text), dtype=pl.Date)
    return min(readings, key=lambda reading: reading.null_count(), default=nothing)


def _date(day: pl.Series, looks: str, whole: str, reads: str) -> pl.Series:
    frame = pl.DataFrame({"day": day}).select(
        pl.when(pl.col("day").str.contains(looks)).then(pl.col("day"))
    )
    before, after = whole.split("{}")
    text = pl.lit(before) + frame.to_series() + pl.lit(after)
    if "%B" in reads:
        text = text.str.replace_all(" ", "-")
    return pl.select(text.str.to_date(reads, strict=False).alias(day.name)).to_series()
