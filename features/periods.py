"""Windows over a history, in months back from the newest known month, and units of features."""

import re

import polars as pl

YUAN = 0.01  # yuan in a fen
MONTHS = 12 / 365.25  # months in a day

# Windows are marked once for all features of a source: most of a feature's time was finding its
# rows. The mark "vat[0:12]" is the column that is true in the newest 12 known months of VAT.
MARK = re.compile(r"(\w*)\[(\d*):(\d*)\]")


def in_months(first: int, count: int, of: str = "") -> pl.Expr:
    """Rows from ``first`` months back (0 is the newest known month) over ``count`` months.

    ``of`` narrows them to one series of a source that has several, as "vat" or "electricity".
    """
    return pl.col(f"{of}[{first}:{first + count}]")


def of_series(name: str) -> pl.Expr:
    """All known rows of one series, as "vat" or "electricity"."""
    return pl.col(f"{name}[:]")


def mark(name: str, series: str | None) -> pl.Expr | None:
    """What the column ``name`` marks, read from ``months_back`` and ``series``; None if no mark."""
    found = MARK.fullmatch(name)
    if not found:
        return None
    of, first, end = found.groups()
    conditions = [pl.col(series) == of] if series and of else []
    if end:
        conditions.append(pl.col("months_back").is_between(int(first), int(end) - 1))
    return pl.all_horizontal(conditions).alias(name)


def over(
    months: int, value: pl.Expr, *, before: int = 0, of: str = "", where: pl.Expr | None = None
) -> pl.Expr:
    """``value`` of the rows in the ``months`` newest known months, or ``before`` months earlier."""
    condition = in_months(before, months, of)
    return value.filter(condition if where is None else condition & where)


def within(days: int, age: str, *, where: pl.Expr | None = None) -> pl.Expr:
    """True for events at most ``days`` days before the application."""
    condition = pl.col(age).is_between(0, days)
    return condition if where is None else condition & where


def ratio(numerator: pl.Expr, denominator: pl.Expr) -> pl.Expr:
    """Their quotient; unknown where the denominator is not positive."""
    return pl.when(denominator > 0).then(numerator / denominator)


def mean(value: pl.Expr) -> pl.Expr:
    """Mean of whole numbers, from their exact sum; unknown where there are none."""
    return ratio(value.sum(), value.count())


def count(condition: pl.Expr) -> pl.Expr:
    """How many rows fulfil ``condition``; those of which it is unknown do not."""
    return condition.sum().cast(pl.Float64)


def volatility(value: pl.Expr) -> pl.Expr:
    """Sample standard deviation over mean of whole numbers; null with fewer than three values.

    From exact sums: Polars' own ``std`` rounds by the rows around a group, so that a business alone
    and in a batch would differ in the last bit.
    """
    whole, size = pl.element().cast(pl.Int128), pl.element().len().cast(pl.Int64)
    total = whole.sum()
    spread = (size * (whole * whole).sum() - total * total).cast(pl.Float64)
    deviation = (spread * size / (size - 1)).sqrt()
    relative = pl.when(size >= 3).then(ratio(deviation, total.cast(pl.Float64)))
    return value.drop_nulls().implode().list.agg(relative)
