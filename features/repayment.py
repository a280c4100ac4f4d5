"""Features of earlier loans with this bank."""

import polars as pl

from features.definition import feature
from features.periods import YUAN, count, in_months, over, ratio
from features.tables import REPAYMENTS

NEWEST = in_months(0, 1)  # of each loan
RUNNING = NEWEST & (pl.col("state") != "repaid")


@feature(
    REPAYMENTS,
    unit="count",
    reason="R38",
    unknown="R38",
    undirected="loyal customers and heavy borrowers both have many",
    plausible=(0, 100),
)
def earlier_loans() -> pl.Expr:
    """Loans of this bank seen in the loan book before the application."""
    return pl.col("application_id").n_unique().cast(pl.Float64)


@feature(
    REPAYMENTS,
    unit="days",
    risk="rises",
    reason="R34",
    told_if="> 0",
    unknown="R38",
    plausible=(0, 10_000),
)
def earlier_days_past_due() -> pl.Expr:
    """Most days past due that any earlier loan ever reached."""
    return pl.col("worst_days_past_due").max().cast(pl.Float64)


@feature(
    REPAYMENTS,
    unit="yuan",
    risk="rises",
    reason="R53",
    told_if="> 0",
    unknown="R38",
    plausible=(0, 1e8),
)
def balance_owed() -> pl.Expr:
    """Principal outstanding on earlier loans, at the newest known month of each."""
    return pl.col("balance_fen").filter(RUNNING).sum() * YUAN


@feature(REPAYMENTS, unit="count", risk="falls", reason="R38", unknown="R38", plausible=(0, 100))
def repaid_loans() -> pl.Expr:
    """Earlier loans that are known to be repaid."""
    return count(NEWEST & (pl.col("state") == "repaid"))


@feature(
    REPAYMENTS,
    unit="count",
    risk="rises",
    reason="R53",
    told_if="> 0",
    unknown="R38",
    plausible=(0, 100),
)
def running_loans() -> pl.Expr:
    """Earlier loans that are not known to be repaid."""
    return count(RUNNING)


@feature(REPAYMENTS, unit="count", risk="rises", reason="R38", unknown="R38", plausible=(0, 100))
def renewed_loans() -> pl.Expr:
    """Earlier loans whose newest known state is renewed or deferred."""
    return count(NEWEST & ((pl.col("state") == "renewed") | (pl.col("state") == "deferred")))


@feature(
    REPAYMENTS,
    unit="days",
    risk="rises",
    reason="R34",
    told_if="> 0",
    unknown="R38",
    plausible=(0, 10_000),
)
def days_past_due_now() -> pl.Expr:
    """Most days past due of the earlier loans, at the newest known month of each."""
    return over(1, pl.col("days_past_due")).max().cast(pl.Float64)


@feature(
    REPAYMENTS,
    unit="months",
    risk="rises",
    reason="R34",
    told_if="> 0",
    unknown="R38",
    plausible=(0, 2400),
)
def months_past_due_24m() -> pl.Expr:
    """Month ends of the last 24 months at which an earlier loan was past due, over all loans."""
    return count((pl.col("days_past_due") > 0) & pl.col("months_ago").is_between(1, 24))


@feature(
    REPAYMENTS,
    unit="share",
    risk="falls",
    reason="R34",
    told_if="< 1",
    unknown="R38",
    plausible=(0, 1),
)
def paid_share_of_due() -> pl.Expr:
    """Paid over due so far on all earlier loans; null while nothing has fallen due."""
    return ratio(over(1, pl.col("paid_fen")).sum(), over(1, pl.col("due_fen")).sum())


@feature(
    REPAYMENTS,
    unit="months",
    reason="R38",
    unknown="R38",
    undirected="loyal customers and heavy borrowers both came long ago",
    plausible=(0, 1200),
)
def months_since_first_loan() -> pl.Expr:
    """Months since the oldest known month of an earlier loan; null for a new customer."""
    return pl.col("months_ago").max().cast(pl.Float64)


@feature(
    REPAYMENTS,
    unit="months",
    reason="R38",
    unknown="R38",
    undirected="0 or 1 while a loan runs, more after it ended well or badly",
    plausible=(0, 1200),
)
def months_since_last_loan() -> pl.Expr:
    """Months since the newest known month of an earlier loan; null for a new customer."""
    return pl.col("months_ago").min().cast(pl.Float64)
