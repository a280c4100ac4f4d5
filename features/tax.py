"""Features of the tax bureau's returns and grades."""

import polars as pl

from features.definition import feature
from features.periods import YUAN, count, in_months, of_series, over, ratio, volatility
from features.tables import TAX_GRADES, TAX_RETURNS

FILED = pl.col("filed_ago").is_not_null()
ORIGINAL = pl.col("amendment") == 0
UNPAID = pl.col("tax_due_fen") - pl.col("tax_paid_fen")
IN_ARREARS = (pl.col("due_ago") > 0) & (UNPAID > 0)
RANK = pl.col("grade").to_physical().cast(pl.Int64).sort_by("year") + 1


def _declared(months: int, before: int = 0) -> tuple[pl.Expr, pl.Expr]:
    """Declared sales (fen) of the window, and the months they were declared for."""
    sales = over(months, pl.col("sales_fen"), before=before, of="vat").sum()
    return sales, over(months, pl.col("months"), before=before, of="vat", where=FILED).sum()


def _declared_growth(months: int, before: int) -> pl.Expr:
    """Declared monthly sales of the newest ``months`` over those ``before`` months earlier."""
    sales, length = _declared(months)
    sales_before, length_before = _declared(months, before)
    return ratio(sales * length_before, sales_before * length)


def _late(months: int) -> pl.Expr:
    """Original returns of the window filed after they were due."""
    return in_months(0, months) & (pl.col("filed_ago") < pl.col("due_ago")) & ORIGINAL


def _nil(months: int) -> pl.Expr:
    """Months declared with no sales in the window, of periods that reach beyond it those inside."""
    inside = pl.min_horizontal(pl.col("months"), months - pl.col("months_back"))
    nil = over(months, inside, of="vat", where=pl.col("sales_fen") == 0)
    return nil.sum().cast(pl.Float64)


@feature(TAX_RETURNS, unit="yuan", risk="falls", reason="R47", plausible=(0, 1e10))
def declared_sales_monthly_12m() -> pl.Expr:
    """Mean declared monthly sales over the newest 12 known months."""
    return ratio(*_declared(12)) * YUAN


@feature(TAX_RETURNS, unit="yuan", risk="falls", reason="R47", plausible=(0, 1e10))
def declared_sales_monthly_3m() -> pl.Expr:
    """Mean declared monthly sales over the newest 3 known months."""
    return ratio(*_declared(3)) * YUAN


@feature(TAX_RETURNS, unit="ratio", risk="falls", reason="R13", told_if="< 1", plausible=(0, 50))
def declared_sales_growth_12m() -> pl.Expr:
    """Declared monthly sales of the newest 12 known months over those of the 12 before."""
    return _declared_growth(12, before=12)


@feature(TAX_RETURNS, unit="ratio", risk="falls", reason="R13", told_if="< 1", plausible=(0, 100))
def declared_sales_yoy_3m() -> pl.Expr:
    """Declared monthly sales of the newest 3 known months over the same 3 a year before."""
    return _declared_growth(3, before=12)


@feature(TAX_RETURNS, unit="ratio", risk="falls", reason="R13", told_if="< 1", plausible=(0, 1000))
def declared_sales_yoy_6m() -> pl.Expr:
    """Declared monthly sales of the newest 6 known months over the same 6 a year before."""
    return _declared_growth(6, before=12)


@feature(TAX_RETURNS, unit="ratio", risk="falls", reason="R13", told_if="< 1", plausible=(0, 1000))
def declared_sales_trend_6m() -> pl.Expr:
    """Declared monthly sales of the newest 6 known months over those of the 6 before."""
    return _declared_growth(6, before=6)


@feature(TAX_RETURNS, unit="ratio", risk="rises", reason="R15", told_if="> 0.3", plausible=(0, 10))
def declared_sales_volatility_24m() -> pl.Expr:
    """Standard deviation over mean of monthly declared sales, by period, in 24 known months."""
    yearly = pl.col("sales_fen") * (12 // pl.col("months"))
    return volatility(over(24, yearly, of="vat"))


@feature(TAX_RETURNS, unit="share", risk="falls", reason="R15", told_if="< 0.5", plausible=(0, 1))
def declared_sales_lowest_share_12m() -> pl.Expr:
    """Lowest monthly sales of any period over the mean, in the newest 12 known months."""
    sales, length = _declared(12)
    yearly = pl.col("sales_fen") * (12 // pl.col("months"))
    return ratio(over(12, yearly, of="vat").min() * length, sales * 12)


@feature(TAX_RETURNS, unit="months", risk="rises", reason="R16", told_if="> 0", plausible=(0, 12))
def zero_sales_months_12m() -> pl.Expr:
    """Months declared with no sales among the newest 12 known months."""
    return _nil(12)


@feature(TAX_RETURNS, unit="months", risk="rises", reason="R16", told_if="> 0", plausible=(0, 24))
def zero_sales_months_24m() -> pl.Expr:
    """Months declared with no sales among the newest 24 known months."""
    return _nil(24)


@feature(TAX_RETURNS, unit="count", risk="rises", reason="R17", told_if="> 0", plausible=(0, 60))
def late_returns_24m() -> pl.Expr:
    """Returns of the newest 24 known months filed late; of an amended one it is not known."""
    return count(_late(24))


@feature(TAX_RETURNS, unit="count", risk="rises", reason="R17", told_if="> 0", plausible=(0, 60))
def late_returns_12m() -> pl.Expr:
    """Returns of the newest 12 known months filed late; of an amended one it is not known."""
    return count(_late(12))


@feature(TAX_RETURNS, unit="share", risk="rises", reason="R17", told_if="> 0", plausible=(0, 1))
def late_returns_share_24m() -> pl.Expr:
    """Late returns over all returns filed and not amended, in the newest 24 known months."""
    filed = in_months(0, 24) & FILED & ORIGINAL
    return ratio(_late(24).sum(), filed.sum())


@feature(TAX_RETURNS, unit="days", risk="rises", reason="R17", told_if="> 0", plausible=(0, 5000))
def longest_return_delay_24m() -> pl.Expr:
    """Most days a return of the newest 24 known months was late, or has been missing so far."""
    delay = pl.col("due_ago") - pl.col("filed_ago").fill_null(0)
    return over(24, delay, where=ORIGINAL).max().clip(0).cast(pl.Float64)


@feature(TAX_RETURNS, unit="count", risk="rises", reason="R17", told_if="> 0", plausible=(0, 60))
def missing_returns_24m() -> pl.Expr:
    """Returns of the newest 24 known months that were due and are still not filed."""
    missing = pl.col("filed_ago").is_null() & (pl.col("due_ago") > 0)
    return count(in_months(0, 24) & missing)


@feature(TAX_RETURNS, unit="count", risk="rises", reason="R39", told_if="> 0", plausible=(0, 60))
def amended_returns_24m() -> pl.Expr:
    """Returns of the newest 24 known months that were amended."""
    return count(in_months(0, 24) & (pl.col("amendment") > 0))


@feature(TAX_RETURNS, unit="yuan", risk="rises", reason="R18", told_if="> 0", plausible=(0, 1e9))
def tax_arrears() -> pl.Expr:
    """Tax that was due by the day of the application and is known to be unpaid."""
    return UNPAID.filter(IN_ARREARS).sum() * YUAN


@feature(TAX_RETURNS, unit="count", risk="rises", reason="R18", told_if="> 0", plausible=(0, 200))
def returns_in_arrears() -> pl.Expr:
    """Returns whose tax was due by the day of the application and is known to be unpaid."""
    return count(IN_ARREARS)


@feature(TAX_RETURNS, unit="days", risk="rises", reason="R18", told_if="> 0", plausible=(0, 20_000))
def oldest_arrears_days() -> pl.Expr:
    """Days since the oldest tax in arrears was due; 0 if there is none."""
    return pl.col("due_ago").filter(IN_ARREARS).max().fill_null(0).cast(pl.Float64)


@feature(TAX_RETURNS, unit="count", risk="rises", reason="R19", told_if="> 0", plausible=(0, 60))
def past_arrears_24m() -> pl.Expr:
    """Returns of the newest 24 known months, now paid, of which that was known 90 days too late."""
    settled = (UNPAID <= 0) & (pl.col("tax_due_fen") > 0) & ORIGINAL
    return count(in_months(0, 24) & settled & (pl.col("due_ago") - pl.col("known_ago") > 90))


@feature(TAX_RETURNS, unit="share", risk="falls", reason="R19", told_if="< 1", plausible=(0, 100))
def tax_paid_share_24m() -> pl.Expr:
    """Tax paid over tax due for the newest 24 known months."""
    return ratio(over(24, pl.col("tax_paid_fen")).sum(), over(24, pl.col("tax_due_fen")).sum())


@feature(TAX_RETURNS, unit="yuan", risk="falls", reason="R47", plausible=(0, 1e9))
def tax_paid_12m() -> pl.Expr:
    """Tax paid for the newest 12 known months."""
    return over(12, pl.col("tax_paid_fen")).sum() * YUAN


@feature(
    TAX_RETURNS,
    unit="share",
    reason="R58",
    undirected="far above and far below what the trade bears are both signs",
    plausible=(0, 1),
)
def vat_burden_12m() -> pl.Expr:
    """VAT due over declared sales in the newest 12 known months."""
    due = over(12, pl.col("tax_due_fen"), of="vat")
    return ratio(due.sum(), over(12, pl.col("sales_fen"), of="vat").sum())


@feature(TAX_RETURNS, unit="share", risk="falls", reason="R58", plausible=(0, 1))
def income_tax_share_12m() -> pl.Expr:
    """Income tax due over sales declared for it, newest 12 known months: what profit leaves."""
    due = over(12, pl.col("tax_due_fen"), of="income")
    return ratio(due.sum(), over(12, pl.col("sales_fen"), of="income").sum())


@feature(
    TAX_RETURNS,
    unit="months",
    risk="rises",
    reason="R21",
    told_if="> 4",
    unknown="R21",
    plausible=(0, 600),
)
def months_since_tax_payment() -> pl.Expr:
    """Months since the newest period ended for which any tax was paid; null if none ever was."""
    return pl.col("months_ago").filter(pl.col("tax_paid_fen") > 0).min().cast(pl.Float64)


@feature(TAX_RETURNS, unit="months", risk="falls", reason="R21", told_if="< 24", plausible=(0, 24))
def declared_months_24m() -> pl.Expr:
    """Months covered by filed VAT returns among the last 24 before the application."""
    covered = of_series("vat") & FILED & pl.col("months_ago").is_between(1, 24)
    inside = pl.min_horizontal(pl.col("months"), 25 - pl.col("months_ago"))
    return inside.filter(covered).sum().cast(pl.Float64)


@feature(TAX_RETURNS, unit="months", risk="rises", reason="R21", told_if="> 4", plausible=(0, 600))
def months_since_return() -> pl.Expr:
    """Months since the newest filed VAT return's period ended."""
    return pl.col("months_ago").filter(of_series("vat") & FILED).min().cast(pl.Float64)


@feature(
    TAX_RETURNS,
    unit="days",
    reason="R52",
    told_if="> 92",
    undirected="says when the department last spoke, not what it said",
    plausible=(0, 20_000),
)
def days_since_tax_record() -> pl.Expr:
    """Days since the newest record of any return was known: how fresh the tax bureau's word is."""
    return pl.col("known_ago").min().cast(pl.Float64)


@feature(TAX_RETURNS, unit="flag", reason="R38", undirected="a way of filing, not conduct")
def is_monthly_filer() -> pl.Expr:
    """1 if the newest VAT period is a month, as general taxpayers file, 0 if it is longer."""
    return (in_months(0, 1, "vat") & (pl.col("months") == 1)).any().cast(pl.Float64)


@feature(TAX_RETURNS, unit="flag", reason="R38", undirected="a way of levying, not conduct")
def is_assessed_levy() -> pl.Expr:
    """1 if the newest VAT period is under assessed levy: declared sales are then a fixed sum."""
    return (in_months(0, 1, "vat") & (pl.col("levy") == "assessed")).any().cast(pl.Float64)


@feature(
    TAX_GRADES,
    unit="rank",
    risk="rises",
    reason="R20",
    told_if=">= 4",
    unknown="R58",
    plausible=(1, 5),
)
def tax_grade_rank() -> pl.Expr:
    """Newest tax credit grade: 1 for A, 2 B, 3 M, 4 C, 5 D; null for the ungraded."""
    return RANK.last().cast(pl.Float64)


@feature(
    TAX_GRADES,
    unit="ranks",
    risk="rises",
    reason="R50",
    told_if="> 0",
    unknown="R58",
    plausible=(-4, 4),
)
def tax_grade_change() -> pl.Expr:
    """Newest tax credit grade less the one before, in ranks; null with fewer than two."""
    return RANK.diff().last().cast(pl.Float64)


@feature(
    TAX_GRADES,
    unit="rank",
    risk="rises",
    reason="R50",
    told_if=">= 4",
    unknown="R58",
    plausible=(1, 5),
)
def worst_tax_grade_3y() -> pl.Expr:
    """Worst of the newest three tax credit grades: 1 for A, 2 B, 3 M, 4 C, 5 D."""
    return RANK.tail(3).max().cast(pl.Float64)


@feature(
    TAX_GRADES,
    unit="count",
    risk="falls",
    reason="R21",
    told_if="< 3",
    unknown="R58",
    plausible=(1, 100),
)
def tax_grades_known() -> pl.Expr:
    """Years for which a tax credit grade is known."""
    return pl.col("year").count().cast(pl.Float64)
