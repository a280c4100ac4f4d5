"""Features of the request itself, and of the request against what the departments know."""

import polars as pl

from features.definition import feature
from features.periods import YUAN, ratio

AMOUNT = pl.col("amount_fen") * YUAN
YEAR = 12
LARGEST = 100_000_000  # yuan that may be asked for; more is a slip of the pen


@feature(
    None, unit="yuan", reason="R37", undirected="large firms ask for more", plausible=(1, LARGEST)
)
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


@feature(None, unit="months", risk="rises", reason="R14", told_if="> 1.2", plausible=(0, 10_000))
def amount_to_declared_sales() -> pl.Expr:
    """Amount asked for over declared monthly sales."""
    return ratio(AMOUNT, pl.col("declared_sales_monthly_12m"))


@feature(None, unit="months", risk="rises", reason="R14", told_if="> 1.2", plausible=(0, 10_000))
def amount_to_invoiced_sales() -> pl.Expr:
    """Amount asked for over invoiced monthly sales."""
    return ratio(AMOUNT, pl.col("invoiced_sales_monthly_12m"))


@feature(None, unit="ratio", risk="rises", reason="R37", plausible=(0, 1e6))
def amount_to_tax_paid() -> pl.Expr:
    """Amount asked for over the tax paid for the newest 12 known months."""
    return ratio(AMOUNT, pl.col("tax_paid_12m"))


@feature(None, unit="ratio", risk="rises", reason="R36", told_if="> 0.1", plausible=(0, 1e4))
def instalment_to_declared_sales() -> pl.Expr:
    """Principal a month of the term over declared monthly sales."""
    return ratio(AMOUNT, pl.col("declared_sales_monthly_12m") * pl.col("term_months"))


@feature(
    None, unit="ratio", risk="rises", reason="R36", told_if="> 1", unknown="R37", plausible=(0, 1e6)
)
def instalment_to_invoiced_margin() -> pl.Expr:
    """Principal a month over invoiced sales less purchases; null where nothing is left of them."""
    return ratio(AMOUNT, pl.col("invoiced_margin_monthly_12m") * pl.col("term_months"))


@feature(None, unit="ratio", risk="rises", reason="R33", told_if="> 0.1", plausible=(0, 1e4))
def debt_to_declared_sales() -> pl.Expr:
    """Balance owed to this bank and the amount asked for, over a year of declared sales."""
    debt = AMOUNT + pl.col("balance_owed")
    return ratio(debt, pl.col("declared_sales_monthly_12m") * YEAR)


@feature(
    None,
    unit="ratio",
    reason="R31",
    told_if="< 0.8 or > 1.25",
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
    reason="R59",
    undirected="a mismatch in either direction is the sign",
    plausible=(0, 1e6),
    department="utility",
)
def electricity_to_declared_sales() -> pl.Expr:
    """Electricity per thousand yuan of declared sales."""
    return ratio(pl.col("electricity_monthly_12m") * 1000, pl.col("declared_sales_monthly_12m"))


@feature(
    None,
    unit="kWh per thousand yuan",
    reason="R59",
    undirected="a mismatch in either direction is the sign",
    plausible=(0, 1e6),
    department="utility",
)
def electricity_to_invoiced_sales() -> pl.Expr:
    """Electricity per thousand yuan of invoiced sales."""
    return ratio(pl.col("electricity_monthly_12m") * 1000, pl.col("invoiced_sales_monthly_12m"))


@feature(
    None,
    unit="difference of ratios",
    reason="R31",
    told_if="< -0.2 or > 0.2",
    undirected="sales that grow without power, and power without sales, are both signs",
    plausible=(-1000, 1000),
    department="utility",
)
def declared_less_electricity_yoy_3m() -> pl.Expr:
    """Year-on-year change of declared sales less that of electricity."""
    return pl.col("declared_sales_yoy_3m") - pl.col("electricity_yoy_3m")


@feature(
    None,
    unit="difference of ratios",
    reason="R31",
    told_if="< -0.2 or > 0.2",
    undirected="declaring less than was invoiced and more are both signs",
    plausible=(-1000, 1000),
    department="tax",
)
def declared_less_invoiced_yoy_3m() -> pl.Expr:
    """Year-on-year change of declared sales less that of invoiced sales."""
    return pl.col("declared_sales_yoy_3m") - pl.col("invoiced_sales_yoy_3m")


@feature(None, unit="count", risk="falls", reason="R32", told_if="< 4", plausible=(0, 4))
def sources_known() -> pl.Expr:
    """Of register, returns, invoices and utility bills, how many know the business."""
    told = (
        "days_since_register_record",
        "days_since_tax_record",
        "days_since_invoice_record",
        "days_since_utility_record",
    )
    return pl.sum_horizontal(pl.col(name).is_not_null() for name in told).cast(pl.Float64)
