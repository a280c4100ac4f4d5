"""Features of earlier loans with this bank."""

import polars as pl

from features.definition import feature
from features.periods import YUAN, over
from features.tables import REPAYMENTS


@feature(
    REPAYMENTS,
    unit="count",
    reason="R38",
    undirected="loyal customers and heavy borrowers both have many",
    plausible=(0, 100),
)
def earlier_loans() -> pl.Expr:
    """Loans of this bank seen in the loan book before the application."""
    return pl.col("application_id").n_unique().cast(pl.Float64)


@feature(REPAYMENTS, unit="days", risk="rises", reason="R34", plausible=(0, 10_000))
def earlier_days_past_due() -> pl.Expr:
    """Most days past due that any earlier loan ever reached."""
    return pl.col("worst_days_past_due").max().cast(pl.Float64)


@feature(REPAYMENTS, unit="yuan", risk="rises", reason="R33", plausible=(0, 1e8))
def balance_owed() -> pl.Expr:
    """Principal outstanding on earlier loans, at the newest known month of each."""
    open_loan = pl.col("state") != "repaid"
    return over(1, pl.col("balance_fen"), where=open_loan).sum() * YUAN
