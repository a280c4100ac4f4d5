"""Features of VAT invoices: sales to customers and purchases from suppliers, by month."""

from collections.abc import Callable

import polars as pl

from features.definition import feature
from features.periods import YUAN, count, mean, of_series, over, ratio, volatility
from features.tables import INVOICES


def _issued(column: str, months: int, before: int = 0) -> pl.Expr:
    return over(months, pl.col(column), before=before, of="sales")


def _received(column: str, months: int, before: int = 0) -> pl.Expr:
    return over(months, pl.col(column), before=before, of="purchases")


def _growth(
    side: Callable[[str, int, int], pl.Expr], column: str, months: int, before: int
) -> pl.Expr:
    """Monthly mean of the newest ``months`` over that of those ``before`` months earlier."""
    now, then = side(column, months, 0), side(column, months, before)
    return ratio(now.sum() * then.count(), then.sum() * now.count())


@feature(INVOICES, unit="yuan", risk="falls", reason="R47", plausible=(0, 1e10))
def invoiced_sales_monthly_12m() -> pl.Expr:
    """Mean monthly amount invoiced to customers over the newest 12 known months."""
    return mean(_issued("amount_fen", 12)) * YUAN


@feature(INVOICES, unit="yuan", risk="falls", reason="R47", plausible=(0, 1e10))
def invoiced_sales_monthly_3m() -> pl.Expr:
    """Mean monthly amount invoiced to customers over the newest 3 known months."""
    return mean(_issued("amount_fen", 3)) * YUAN


@feature(INVOICES, unit="ratio", risk="falls", reason="R13", told_if="< 1", plausible=(0, 50))
def invoiced_sales_growth_12m() -> pl.Expr:
    """Monthly invoiced sales of the newest 12 known months over those of the 12 before."""
    return _growth(_issued, "amount_fen", 12, before=12)


@feature(INVOICES, unit="ratio", risk="falls", reason="R13", told_if="< 1", plausible=(0, 100))
def invoiced_sales_yoy_3m() -> pl.Expr:
    """Monthly invoiced sales of the newest 3 known months over the same 3 a year before."""
    return _growth(_issued, "amount_fen", 3, before=12)


@feature(INVOICES, unit="ratio", risk="falls", reason="R13", told_if="< 1", plausible=(0, 1000))
def invoiced_sales_yoy_6m() -> pl.Expr:
    """Monthly invoiced sales of the newest 6 known months over the same 6 a year before."""
    return _growth(_issued, "amount_fen", 6, before=12)


@feature(INVOICES, unit="ratio", risk="falls", reason="R13", told_if="< 1", plausible=(0, 1000))
def invoiced_sales_trend_6m() -> pl.Expr:
    """Monthly invoiced sales of the newest 6 known months over those of the 6 before."""
    return _growth(_issued, "amount_fen", 6, before=6)


@feature(INVOICES, unit="ratio", risk="falls", reason="R13", told_if="< 1", plausible=(0, 1000))
def invoices_yoy_3m() -> pl.Expr:
    """Monthly invoices to customers of the newest 3 known months over the same 3 a year before."""
    return _growth(_issued, "invoices", 3, before=12)


@feature(INVOICES, unit="ratio", risk="rises", reason="R15", told_if="> 0.3", plausible=(0, 10))
def invoiced_sales_volatility_24m() -> pl.Expr:
    """Standard deviation over mean of monthly invoiced sales in the newest 24 known months."""
    return volatility(_issued("amount_fen", 24))


@feature(INVOICES, unit="share", risk="falls", reason="R15", told_if="< 0.5", plausible=(0, 1))
def invoiced_sales_lowest_share_12m() -> pl.Expr:
    """Sales of the lowest month over the mean month, in the newest 12 known months."""
    sales = _issued("amount_fen", 12)
    return ratio(sales.min() * sales.count(), sales.sum())


@feature(INVOICES, unit="share", risk="rises", reason="R15", told_if="> 0.15", plausible=(0, 1))
def busiest_month_share_12m() -> pl.Expr:
    """Sales of the highest month over all sales, in the newest 12 known months."""
    return ratio(_issued("amount_fen", 12).max(), _issued("amount_fen", 12).sum())


@feature(INVOICES, unit="months", risk="rises", reason="R16", told_if="> 0", plausible=(0, 12))
def months_without_invoice_12m() -> pl.Expr:
    """Known months without any invoice to a customer among the newest 12."""
    return count(_issued("invoices", 12) == 0)


@feature(INVOICES, unit="months", risk="rises", reason="R16", told_if="> 0", plausible=(0, 24))
def months_without_invoice_24m() -> pl.Expr:
    """Known months without any invoice to a customer among the newest 24."""
    return count(_issued("invoices", 24) == 0)


@feature(
    INVOICES,
    unit="months",
    risk="rises",
    reason="R16",
    told_if="> 2",
    unknown="R58",
    plausible=(0, 600),
)
def months_since_sale() -> pl.Expr:
    """Months since the newest known month with an invoice to a customer; null if none is known."""
    sold = of_series("sales") & (pl.col("invoices") > 0)
    return pl.col("months_ago").filter(sold).min().cast(pl.Float64)


@feature(INVOICES, unit="months", risk="falls", reason="R21", told_if="< 24", plausible=(0, 24))
def invoiced_months_24m() -> pl.Expr:
    """Known months of invoiced sales among the last 24 before the application."""
    return count(of_series("sales") & pl.col("months_ago").is_between(1, 24))


@feature(
    INVOICES,
    unit="days",
    reason="R52",
    told_if="> 45",
    undirected="says when the department last spoke, not what it said",
    plausible=(0, 20_000),
)
def days_since_invoice_record() -> pl.Expr:
    """Days since the newest record of any month's invoices was known."""
    return pl.col("known_ago").min().cast(pl.Float64)


@feature(INVOICES, unit="count", risk="falls", reason="R47", plausible=(0, 1e6))
def invoices_monthly_12m() -> pl.Expr:
    """Mean number of invoices to customers a month over the newest 12 known months."""
    return mean(_issued("invoices", 12))


@feature(INVOICES, unit="share", risk="rises", reason="R24", told_if="> 0.05", plausible=(0, 10))
def red_letter_share_12m() -> pl.Expr:
    """Red-letter amount over invoiced amount in the newest 12 known months."""
    return ratio(_issued("red_letter_fen", 12).sum(), _issued("amount_fen", 12).sum())


@feature(INVOICES, unit="share", risk="rises", reason="R24", told_if="> 0.05", plausible=(0, 100))
def red_letter_share_3m() -> pl.Expr:
    """Red-letter amount over invoiced amount in the newest 3 known months."""
    return ratio(_issued("red_letter_fen", 3).sum(), _issued("amount_fen", 3).sum())


@feature(INVOICES, unit="ratio", risk="rises", reason="R24", told_if="> 0.05", plausible=(0, 100))
def red_letters_per_invoice_12m() -> pl.Expr:
    """Red-letter invoices for each invoice to a customer in the newest 12 known months."""
    return ratio(_issued("red_letters", 12).sum(), _issued("invoices", 12).sum())


@feature(
    INVOICES,
    unit="share",
    reason="R24",
    told_if="> 0.05",
    undirected="fully digital invoices cannot be voided: its meaning ended in 2022-24",
    plausible=(0, 1),
)
def void_share_12m() -> pl.Expr:
    """Voided invoices over all invoices written in the newest 12 known months."""
    voids = _issued("voids", 12).sum()
    return ratio(voids, voids + _issued("invoices", 12).sum())


@feature(INVOICES, unit="count", risk="falls", reason="R22", told_if="< 10", plausible=(0, 1e5))
def customers_monthly_12m() -> pl.Expr:
    """Mean number of customers a month over the newest 12 known months."""
    return mean(_issued("counterparties", 12))


@feature(INVOICES, unit="ratio", risk="falls", reason="R23", told_if="< 1", plausible=(0, 1000))
def customers_growth_12m() -> pl.Expr:
    """Customers a month in the newest 12 known months over those in the 12 before."""
    return _growth(_issued, "counterparties", 12, before=12)


@feature(INVOICES, unit="share", risk="rises", reason="R22", told_if="> 0.5", plausible=(0, 1))
def largest_customer_share_12m() -> pl.Expr:
    """Amount of each month's largest customer over all sales, in the newest 12 known months."""
    return ratio(_issued("largest_counterparty_fen", 12).sum(), _issued("amount_fen", 12).sum())


@feature(INVOICES, unit="share", risk="rises", reason="R22", told_if="> 0.5", plausible=(0, 1))
def largest_customer_share_3m() -> pl.Expr:
    """Amount of each month's largest customer over all sales, in the newest 3 known months."""
    return ratio(_issued("largest_counterparty_fen", 3).sum(), _issued("amount_fen", 3).sum())


@feature(
    INVOICES,
    unit="ratio",
    reason="R25",
    told_if="< 0.1 or > 1.2",
    undirected="too few purchases and too many are both signs of trouble",
    plausible=(0, 100),
)
def purchases_to_sales_12m() -> pl.Expr:
    """Invoiced purchases over invoiced sales in the newest 12 known months."""
    return ratio(_received("amount_fen", 12).sum(), _issued("amount_fen", 12).sum())


@feature(
    INVOICES,
    unit="ratio",
    reason="R25",
    told_if="< 0.1 or > 1.2",
    undirected="too few purchases and too many are both signs of trouble",
    plausible=(0, 1000),
)
def purchases_to_sales_3m() -> pl.Expr:
    """Invoiced purchases over invoiced sales in the newest 3 known months."""
    return ratio(_received("amount_fen", 3).sum(), _issued("amount_fen", 3).sum())


@feature(
    INVOICES,
    unit="ratio",
    reason="R58",
    undirected="stock used up and work that stops both cut purchases",
    plausible=(0, 1000),
)
def purchases_growth_12m() -> pl.Expr:
    """Monthly purchases of the newest 12 known months over those of the 12 before."""
    return _growth(_received, "amount_fen", 12, before=12)


@feature(
    INVOICES,
    unit="ratio",
    reason="R58",
    undirected="stock used up and work that stops both cut purchases",
    plausible=(0, 1000),
)
def purchases_yoy_3m() -> pl.Expr:
    """Monthly purchases of the newest 3 known months over the same 3 a year before."""
    return _growth(_received, "amount_fen", 3, before=12)


@feature(INVOICES, unit="yuan", risk="falls", reason="R36", told_if="<= 0", plausible=(-1e10, 1e10))
def invoiced_margin_monthly_12m() -> pl.Expr:
    """Invoiced sales less purchases a month, newest 12 known months: roughly the free cash."""
    return (mean(_issued("amount_fen", 12)) - mean(_received("amount_fen", 12))) * YUAN


@feature(INVOICES, unit="count", risk="falls", reason="R40", told_if="< 5", plausible=(0, 1e5))
def suppliers_monthly_12m() -> pl.Expr:
    """Mean number of suppliers a month over the newest 12 known months."""
    return mean(_received("counterparties", 12))


@feature(INVOICES, unit="share", risk="rises", reason="R40", told_if="> 0.5", plausible=(0, 1))
def largest_supplier_share_12m() -> pl.Expr:
    """Amount of each month's largest supplier over all purchases, newest 12 known months."""
    largest = _received("largest_counterparty_fen", 12)
    return ratio(largest.sum(), _received("amount_fen", 12).sum())
