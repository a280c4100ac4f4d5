"""Features of the tax bureau: returns, grades and invoices."""

import polars as pl

from features.definition import feature
from features.periods import YUAN, in_months, over, ratio, volatility
from features.tables import INVOICES, TAX_GRADES, TAX_RETURNS

VAT = pl.col("tax") == "vat"
ISSUED = pl.col("direction") == "sales"
RECEIVED = pl.col("direction") == "purchases"


def _declared(months: int, before: int = 0) -> tuple[pl.Expr, pl.Expr]:
    """Declared sales (fen) of the window, and the months they were declared for."""
    filed = VAT & pl.col("sales_fen").is_not_null()
    sales = over(months, pl.col("sales_fen"), before=before, where=filed).sum()
    return sales, over(months, pl.col("months"), before=before, where=filed).sum()


def _declared_growth(months: int, before: int) -> pl.Expr:
    """Declared monthly sales of the newest ``months`` over those ``before`` months earlier."""
    sales, length = _declared(months)
    sales_before, length_before = _declared(months, before)
    return ratio(sales * length_before, sales_before * length)


def _issued(column: str, months: int, before: int = 0) -> pl.Expr:
    return over(months, pl.col(column), before=before, where=ISSUED)


def _issued_growth(months: int, before: int) -> pl.Expr:
    now = _issued("amount_fen", months).mean()
    return ratio(now, _issued("amount_fen", months, before).mean())


@feature(TAX_RETURNS, unit="yuan", risk="falls", reason="R14", plausible=(0, 1e10))
def declared_sales_monthly_12m() -> pl.Expr:
    """Mean declared monthly sales over the newest 12 known months."""
    return ratio(*_declared(12)) * YUAN


@feature(TAX_RETURNS, unit="ratio", risk="falls", reason="R13", plausible=(0, 50))
def declared_sales_growth_12m() -> pl.Expr:
    """Declared monthly sales of the newest 12 known months over those of the 12 before."""
    return _declared_growth(12, before=12)


@feature(TAX_RETURNS, unit="ratio", risk="falls", reason="R13", plausible=(0, 100))
def declared_sales_yoy_3m() -> pl.Expr:
    """Declared monthly sales of the newest 3 known months over the same 3 a year before."""
    return _declared_growth(3, before=12)


@feature(TAX_RETURNS, unit="ratio", risk="rises", reason="R15", plausible=(0, 10))
def declared_sales_volatility_24m() -> pl.Expr:
    """Standard deviation over mean of monthly declared sales, by period, in 24 known months."""
    yearly = pl.col("sales_fen") * (12 // pl.col("months"))
    return volatility(over(24, yearly, where=VAT))


@feature(TAX_RETURNS, unit="months", risk="rises", reason="R16", plausible=(0, 12))
def zero_sales_months_12m() -> pl.Expr:
    """Months declared with no sales among the newest 12 known months."""
    nil = VAT & (pl.col("sales_fen") == 0)
    return over(12, pl.col("months"), where=nil).sum().cast(pl.Float64)


@feature(TAX_RETURNS, unit="count", risk="rises", reason="R17", plausible=(0, 60))
def late_returns_24m() -> pl.Expr:
    """Returns of the newest 24 known months filed late; of an amended one it is not known."""
    late = (pl.col("filed_ago") < pl.col("due_ago")) & (pl.col("amendment") == 0)
    return (in_months(0, 24) & late).sum().cast(pl.Float64)


@feature(TAX_RETURNS, unit="count", risk="rises", reason="R17", plausible=(0, 60))
def missing_returns_24m() -> pl.Expr:
    """Returns of the newest 24 known months that were due and are still not filed."""
    missing = pl.col("filed_ago").is_null() & (pl.col("due_ago") > 0)
    return (in_months(0, 24) & missing).sum().cast(pl.Float64)


@feature(TAX_RETURNS, unit="count", risk="rises", reason="R39", plausible=(0, 60))
def amended_returns_24m() -> pl.Expr:
    """Returns of the newest 24 known months that were amended."""
    return (in_months(0, 24) & (pl.col("amendment") > 0)).sum().cast(pl.Float64)


@feature(TAX_RETURNS, unit="yuan", risk="rises", reason="R18", plausible=(0, 1e9))
def tax_arrears() -> pl.Expr:
    """Tax that was due by the day of the application and is known to be unpaid."""
    unpaid = pl.col("tax_due_fen") - pl.col("tax_paid_fen")
    return unpaid.filter((pl.col("due_ago") > 0) & (unpaid > 0)).sum() * YUAN


@feature(TAX_RETURNS, unit="yuan", risk="falls", reason="R21", plausible=(0, 1e9))
def tax_paid_12m() -> pl.Expr:
    """Tax paid for the newest 12 known months."""
    return over(12, pl.col("tax_paid_fen")).sum() * YUAN


@feature(TAX_RETURNS, unit="months", risk="falls", reason="R21", plausible=(0, 24))
def declared_months_24m() -> pl.Expr:
    """Months covered by filed VAT returns among the last 24 before the application."""
    covered = VAT & pl.col("filed_ago").is_not_null() & pl.col("months_ago").is_between(1, 24)
    return pl.col("months").filter(covered).sum().cast(pl.Float64)


@feature(TAX_RETURNS, unit="months", risk="rises", reason="R21", plausible=(0, 600))
def months_since_return() -> pl.Expr:
    """Months since the newest filed VAT return's period ended."""
    filed = VAT & pl.col("filed_ago").is_not_null()
    return pl.col("months_ago").filter(filed).min().cast(pl.Float64)


@feature(TAX_RETURNS, unit="flag", reason="R38", undirected="a way of levying, not conduct")
def is_assessed_levy() -> pl.Expr:
    """1 if the newest VAT period is under assessed levy: declared sales are then a fixed sum."""
    assessed = VAT & (pl.col("levy") == "assessed") & in_months(0, 1)
    return assessed.any().cast(pl.Float64)


@feature(TAX_GRADES, unit="rank", risk="rises", reason="R20", plausible=(1, 5))
def tax_grade_rank() -> pl.Expr:
    """Newest tax credit grade: 1 for A, 2 B, 3 M, 4 C, 5 D; null for the ungraded."""
    return pl.col("grade").sort_by("year").last().to_physical().cast(pl.Float64) + 1


@feature(INVOICES, unit="yuan", risk="falls", reason="R14", plausible=(0, 1e10))
def invoiced_sales_monthly_12m() -> pl.Expr:
    """Mean monthly amount invoiced to customers over the newest 12 known months."""
    return _issued("amount_fen", 12).mean() * YUAN


@feature(INVOICES, unit="ratio", risk="falls", reason="R13", plausible=(0, 50))
def invoiced_sales_growth_12m() -> pl.Expr:
    """Monthly invoiced sales of the newest 12 known months over those of the 12 before."""
    return _issued_growth(12, before=12)


@feature(INVOICES, unit="ratio", risk="falls", reason="R13", plausible=(0, 100))
def invoiced_sales_yoy_3m() -> pl.Expr:
    """Monthly invoiced sales of the newest 3 known months over the same 3 a year before."""
    return _issued_growth(3, before=12)


@feature(INVOICES, unit="ratio", risk="rises", reason="R15", plausible=(0, 10))
def invoiced_sales_volatility_24m() -> pl.Expr:
    """Standard deviation over mean of monthly invoiced sales in the newest 24 known months."""
    return volatility(_issued("amount_fen", 24))


@feature(INVOICES, unit="months", risk="rises", reason="R16", plausible=(0, 12))
def months_without_invoice_12m() -> pl.Expr:
    """Known months without any invoice to a customer among the newest 12."""
    return (_issued("invoices", 12) == 0).sum().cast(pl.Float64)


@feature(INVOICES, unit="count", risk="falls", reason="R16", plausible=(0, 1e6))
def invoices_monthly_12m() -> pl.Expr:
    """Mean number of invoices to customers a month over the newest 12 known months."""
    return _issued("invoices", 12).mean()


@feature(INVOICES, unit="share", risk="rises", reason="R24", plausible=(0, 10))
def red_letter_share_12m() -> pl.Expr:
    """Red-letter amount over invoiced amount in the newest 12 known months."""
    return ratio(_issued("red_letter_fen", 12).sum(), _issued("amount_fen", 12).sum())


@feature(
    INVOICES,
    unit="share",
    reason="R24",
    undirected="fully digital invoices cannot be voided: its meaning ended in 2022-24",
    plausible=(0, 1),
)
def void_share_12m() -> pl.Expr:
    """Voided invoices over all invoices written in the newest 12 known months."""
    voids = _issued("voids", 12).sum()
    return ratio(voids, voids + _issued("invoices", 12).sum())


@feature(INVOICES, unit="count", risk="falls", reason="R22", plausible=(0, 1e5))
def customers_monthly_12m() -> pl.Expr:
    """Mean number of customers a month over the newest 12 known months."""
    return _issued("counterparties", 12).mean()


@feature(INVOICES, unit="share", risk="rises", reason="R22", plausible=(0, 1))
def largest_customer_share_12m() -> pl.Expr:
    """Amount of each month's largest customer over all sales, in the newest 12 known months."""
    return ratio(_issued("largest_counterparty_fen", 12).sum(), _issued("amount_fen", 12).sum())


@feature(
    INVOICES,
    unit="ratio",
    reason="R25",
    undirected="too few purchases and too many are both signs of trouble",
    plausible=(0, 100),
)
def purchases_to_sales_12m() -> pl.Expr:
    """Invoiced purchases over invoiced sales in the newest 12 known months."""
    purchases = over(12, pl.col("amount_fen"), where=RECEIVED).sum()
    return ratio(purchases, _issued("amount_fen", 12).sum())
