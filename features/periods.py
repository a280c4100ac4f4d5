"""Windows over a history, in months back from the newest known month, and units of features."""

import polars as pl

YUAN = 0.01  # yuan in a fen
MONTHS = 12 / 365.25  # months in a day


def in_months(first: int, count: int) -> pl.Expr:
    """Rows from ``first`` months back (0 is the newest known month) over ``count`` months."""
    return pl.col("months_back").is_between(first, first + count - 1)


def over(months: int, value: pl.Expr, *, before: int = 0, where: pl.Expr | None = None) -> pl.Expr:
    """``value`` in the ``months`` newest known months, else null; ``before`` shifts it back."""
    condition = in_months(before, months)
    return pl.when(condition if where is None else condition & where).then(value)


def within(days: int, age: str, *, where: pl.Expr | None = None) -> pl.Expr:
    """True for events at most ``days`` days before the application."""
    condition = pl.col(age).is_between(0, days)
    return condition if where is None else condition & where


def ratio(numerator: pl.Expr, denominator: pl.Expr) -> pl.Expr:
    """Their quotient; unknown where the denominator is not positive."""
    return pl.when(denominator > 0).then(numerator / denominator)
