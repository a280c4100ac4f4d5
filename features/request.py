"""Features of the request itself, and of the request against what the departments know."""

import polars as pl

from features.definition import feature
from features.periods import YUAN, ratio

AMOUNT = pl.col("amount_fen") * YUAN


@feature(None, unit="yuan", reason="R37", undirected="large firms ask for more", plausible=(1, 1e8))
def amount() -> pl.Expr:
    """Amount asked for."""
    return AMOUNT


@feature(
    None, unit="months", reason="R37", undirected="set by the product asked for", plausible=(1, 120)
)
def term() -> pl.Expr:
    """Term asked for."""
    return pl.col("term_months").cast(pl.Float64)


@feature(None, unit="category", reason="R37", undirected="names have no order")
def loan_purpose() -> pl.Expr:
    """What the money is for."""
    return pl.col("purpose").cast(pl.String)


@feature(None, unit="category", reason="R37", undirected="names have no order")
def repayment_form() -> pl.Expr:
    """Interest monthly and bullet at maturity, or equal instalments."""
    return pl.col("repayment").cast(pl.String)


@feature(None, unit="months", risk="rises", reason="R14", plausible=(0, 10_000))
def amount_to_declared_sales() -> pl.Expr:
    """Amount asked for over declared monthly sales."""
    return ratio(AMOUNT, pl.col("declared_sales_monthly_12m"))


@feature(None, unit="months", risk="rises", reason="R14", plausible=(0, 10_000))
def amount_to_invoiced_sales() -> pl.Expr:
    """Amount asked for over invoiced monthly sales."""
    return ratio(AMOUNT, pl.col("invoiced_sales_monthly_12m"))


@feature(
    None,
    unit="ratio",
    reason="R31",
    undirected="declaring less than was invoiced and more are both signs",
    plausible=(0, 1000),
    department="tax",
)
def declared_to_invoiced_sales() -> pl.Expr:
    """Declared monthly sales over invoiced monthly sales."""
    return ratio(pl.col("declared_sales_monthly_12m"), pl.col("invoiced_sales_monthly_12m"))


@feature(
    None,
    unit="kWh per thousand yuan",
    reason="R31",
    undirected="a mismatch in either direction is the sign",
    plausible=(0, 1e6),
    department="utility",
)
def electricity_to_declared_sales() -> pl.Expr:
    """Electricity per thousand yuan of declared sales."""
    return ratio(pl.col("electricity_monthly_12m") * 1000, pl.col("declared_sales_monthly_12m"))
