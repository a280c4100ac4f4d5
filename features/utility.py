"""Features of the utility's bills: electricity, water and gas."""

import polars as pl

from features.definition import feature
from features.periods import over, ratio
from features.tables import LINKED_BILLS

ELECTRICITY = pl.col("service") == "electricity"


def _kwh(months: int, before: int = 0) -> pl.Expr:
    return over(months, pl.col("quantity"), before=before, where=ELECTRICITY)


def _kwh_growth(months: int, before: int) -> pl.Expr:
    return ratio(_kwh(months).mean(), _kwh(months, before).mean())


@feature(
    LINKED_BILLS,
    unit="kWh",
    reason="R31",
    undirected="what a trade needs differs a hundredfold",
    plausible=(0, 1e7),
)
def electricity_monthly_12m() -> pl.Expr:
    """Mean electricity per bill over the newest 12 known months."""
    return _kwh(12).mean()


@feature(LINKED_BILLS, unit="ratio", risk="falls", reason="R27", plausible=(0, 50))
def electricity_growth_12m() -> pl.Expr:
    """Electricity per bill in the newest 12 known months over that in the 12 before."""
    return _kwh_growth(12, before=12)


@feature(LINKED_BILLS, unit="ratio", risk="falls", reason="R27", plausible=(0, 100))
def electricity_yoy_3m() -> pl.Expr:
    """Electricity per bill in the newest 3 known months over the same 3 a year before."""
    return _kwh_growth(3, before=12)


@feature(LINKED_BILLS, unit="ratio", risk="falls", reason="R28", plausible=(0, 1))
def electricity_lowest_share_12m() -> pl.Expr:
    """Lowest bill over the mean bill in the newest 12 known months: near 0 where work stopped."""
    return ratio(_kwh(12).min(), _kwh(12).mean())


@feature(LINKED_BILLS, unit="count", risk="rises", reason="R29", plausible=(0, 200))
def late_utility_bills_12m() -> pl.Expr:
    """Bills of the newest 12 known months paid after they were due, or overdue and open."""
    late = pl.col("paid_ago") < pl.col("due_ago")
    overdue = pl.col("paid_ago").is_null() & (pl.col("due_ago") > 0)
    return over(12, (late | overdue).cast(pl.Int64)).sum().cast(pl.Float64)


@feature(LINKED_BILLS, unit="days", risk="rises", reason="R29", plausible=(0, 3000))
def utility_days_overdue() -> pl.Expr:
    """Days the oldest open bill is overdue; 0 if none is."""
    overdue = pl.col("paid_ago").is_null() & (pl.col("due_ago") > 0)
    return pl.col("due_ago").filter(overdue).max().fill_null(0).cast(pl.Float64)


@feature(LINKED_BILLS, unit="months", risk="rises", reason="R32", plausible=(0, 600))
def months_since_electricity() -> pl.Expr:
    """Months since the newest known electricity bill's month."""
    return pl.col("months_ago").filter(ELECTRICITY).min().cast(pl.Float64)


@feature(
    LINKED_BILLS, unit="count", reason="R32", undirected="a matter of premises", plausible=(0, 100)
)
def electricity_meters() -> pl.Expr:
    """Electricity meters with a bill in the newest 12 known months."""
    return over(12, pl.col("meter_id"), where=ELECTRICITY).n_unique().cast(pl.Float64)
