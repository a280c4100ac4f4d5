"""Windows over a history, in months back from the newest known month, and units of features."""

import polars as pl

YUAN = 0.01  # yuan in a fen
MONTHS = 12 / 365.25  # months in a day


def in_months(first: int, count: int) -> pl.Expr:
    """Rows from ``first`` months back (0 is the newest known month) over ``count`` months."""
    return pl.col("months_back").is_between(first, first + count - 1)


def over(months: int, value: pl.Expr, *, before: int = 0, where: pl.Expr | None = None) -> pl.Expr:
    """``value`` of the rows in the ``months`` newest known months, or ``before`` months earlier."""
    condition = in_months(before, months)
    return value.filter(condition if where is None else condition & where)


def within(days: int, age: str, *, where: pl.Expr | None = None) -> pl.Expr:
    """True for events at most ``days`` days before the application."""
    condition = pl.col(age).is_between(0, days)
    return condition if where is None else condition & where


def ratio(numerator: pl.Expr, denominator: pl.Expr) -> pl.Expr:
    """Their quotient; unknown where the denominator is not positive."""
    return pl.when(denominator > 0).then(numerator / denominator)


def volatility(value: pl.Expr) -> pl.Expr:
    """Sample standard deviation over mean of whole numbers; null with fewer than three values.

    From exact sums: Polars' own ``std`` rounds by the rows around a group, so that a business alone
    and in a batch would differ in the last bit.
    """
    whole, count = pl.element().cast(pl.Int128), pl.element().len().cast(pl.Int64)
    total = whole.sum()
    spread = (count * (whole * whole).sum() - total * total).cast(pl.Float64)
    deviation = (spread * count / (count - 1)).sqrt()
    relative = pl.when(count >= 3).then(ratio(deviation, total.cast(pl.Float64)))
    return value.drop_nulls().implode().list.agg(relative)
