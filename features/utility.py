"""Features of the utility's bills: electricity, water and gas."""

import polars as pl

from features.definition import feature
from features.periods import YUAN, count, in_months, mean, of_series, over, ratio, volatility
from features.tables import LINKED_BILLS

OPEN = pl.col("paid_ago").is_null()
OVERDUE = OPEN & (pl.col("due_ago") > 0)
# Days from the due day to the payment, or so far; negative if it was early.
DELAY = pl.col("due_ago") - pl.col("paid_ago").fill_null(0)
LATE = DELAY > 0
CUT_OFF_DAYS = 30  # overdue for longer, supply may be cut


def _used(service: str, months: int, before: int = 0) -> pl.Expr:
    return over(months, pl.col("quantity"), before=before, of=service)


def _days_overdue(which: pl.Expr) -> pl.Expr:
    return pl.col("due_ago").filter(which).max().fill_null(0).cast(pl.Float64)


def _growth(service: str, months: int, before: int) -> pl.Expr:
    """Quantity per bill of the newest ``months`` over that of those ``before`` months earlier."""
    now, then = _used(service, months), _used(service, months, before)
    return ratio(now.sum() * then.count(), then.sum() * now.count())


@feature(
    LINKED_BILLS,
    unit="kWh",
    reason="R47",
    undirected="what a trade needs differs a hundredfold",
    plausible=(0, 1e7),
)
def electricity_monthly_12m() -> pl.Expr:
    """Mean electricity per bill over the newest 12 known months."""
    return mean(_used("electricity", 12))


@feature(LINKED_BILLS, unit="ratio", risk="falls", reason="R27", told_if="< 1", plausible=(0, 50))
def electricity_growth_12m() -> pl.Expr:
    """Electricity per bill in the newest 12 known months over that in the 12 before."""
    return _growth("electricity", 12, before=12)


@feature(LINKED_BILLS, unit="ratio", risk="falls", reason="R27", told_if="< 1", plausible=(0, 100))
def electricity_yoy_3m() -> pl.Expr:
    """Electricity per bill in the newest 3 known months over the same 3 a year before."""
    return _growth("electricity", 3, before=12)


@feature(LINKED_BILLS, unit="ratio", risk="falls", reason="R27", told_if="< 1", plausible=(0, 1000))
def electricity_yoy_6m() -> pl.Expr:
    """Electricity per bill in the newest 6 known months over the same 6 a year before."""
    return _growth("electricity", 6, before=12)


@feature(LINKED_BILLS, unit="ratio", risk="falls", reason="R27", told_if="< 1", plausible=(0, 1000))
def electricity_trend_6m() -> pl.Expr:
    """Electricity per bill in the newest 6 known months over that in the 6 before."""
    return _growth("electricity", 6, before=6)


@feature(LINKED_BILLS, unit="ratio", risk="rises", reason="R42", told_if="> 0.4", plausible=(0, 20))
def electricity_volatility_24m() -> pl.Expr:
    """Standard deviation over mean of the electricity bills of the newest 24 known months."""
    return volatility(_used("electricity", 24))


@feature(LINKED_BILLS, unit="ratio", risk="falls", reason="R28", told_if="< 0.2", plausible=(0, 1))
def electricity_lowest_share_12m() -> pl.Expr:
    """Lowest bill over the mean bill in the newest 12 known months: near 0 where work stopped."""
    used = _used("electricity", 12)
    return ratio(used.min() * used.count(), used.sum())


@feature(LINKED_BILLS, unit="count", risk="rises", reason="R28", told_if="> 0", plausible=(0, 200))
def idle_electricity_bills_12m() -> pl.Expr:
    """Bills under a fifth of the mean bill in the newest 12 known months: stoppages."""
    used = _used("electricity", 12)
    return count(used * used.count() * 5 < used.sum())


@feature(
    LINKED_BILLS,
    unit="share",
    reason="R52",
    told_if="> 0",
    undirected="the meter reader's doing, not the customer's",
    plausible=(0, 1),
)
def estimated_bills_share_12m() -> pl.Expr:
    """Bills estimated and not read, over all bills of the newest 12 known months."""
    return mean(over(12, pl.col("estimated").cast(pl.Int64)))


@feature(
    LINKED_BILLS,
    unit="m³",
    reason="R47",
    undirected="what a trade needs differs a hundredfold",
    plausible=(0, 1e7),
)
def water_monthly_12m() -> pl.Expr:
    """Mean water per bill over the newest 12 known months."""
    return mean(_used("water", 12))


@feature(LINKED_BILLS, unit="ratio", risk="falls", reason="R41", told_if="< 1", plausible=(0, 1000))
def water_yoy_6m() -> pl.Expr:
    """Water per bill in the newest 6 known months over the same 6 a year before."""
    return _growth("water", 6, before=12)


@feature(
    LINKED_BILLS,
    unit="m³",
    reason="R47",
    undirected="what a trade needs differs a hundredfold",
    plausible=(0, 1e7),
)
def gas_monthly_12m() -> pl.Expr:
    """Mean gas per bill over the newest 12 known months."""
    return mean(_used("gas", 12))


@feature(LINKED_BILLS, unit="ratio", risk="falls", reason="R41", told_if="< 1", plausible=(0, 1000))
def gas_yoy_6m() -> pl.Expr:
    """Gas per bill in the newest 6 known months over the same 6 a year before."""
    return _growth("gas", 6, before=12)


@feature(LINKED_BILLS, unit="count", risk="rises", reason="R29", told_if="> 0", plausible=(0, 200))
def late_utility_bills_12m() -> pl.Expr:
    """Bills of the newest 12 known months paid after they were due, or overdue and open."""
    return count(in_months(0, 12) & LATE)


@feature(LINKED_BILLS, unit="count", risk="rises", reason="R29", told_if="> 0", plausible=(0, 100))
def late_utility_bills_3m() -> pl.Expr:
    """Bills of the newest 3 known months paid after they were due, or overdue and open."""
    return count(in_months(0, 3) & LATE)


@feature(LINKED_BILLS, unit="share", risk="rises", reason="R29", told_if="> 0", plausible=(0, 1))
def late_utility_share_12m() -> pl.Expr:
    """Bills paid late or overdue and open, over all bills of the newest 12 known months."""
    return mean(over(12, LATE.cast(pl.Int64)))


@feature(LINKED_BILLS, unit="days", risk="rises", reason="R29", told_if="> 0", plausible=(0, 5000))
def longest_utility_delay_24m() -> pl.Expr:
    """Most days a bill of the newest 24 known months was paid late, or is overdue so far."""
    return over(24, DELAY).max().clip(0).cast(pl.Float64)


@feature(LINKED_BILLS, unit="count", risk="rises", reason="R29", told_if="> 0", plausible=(0, 200))
def utility_bills_30_days_late_24m() -> pl.Expr:
    """Bills of the newest 24 known months over 30 days late: then supply may be cut off."""
    return count(in_months(0, 24) & (DELAY > CUT_OFF_DAYS))


@feature(LINKED_BILLS, unit="yuan", risk="rises", reason="R29", told_if="> 0", plausible=(0, 1e8))
def utility_arrears() -> pl.Expr:
    """Amount of the bills that are overdue and open."""
    return pl.col("amount_fen").filter(OVERDUE).sum() * YUAN


@feature(LINKED_BILLS, unit="days", risk="rises", reason="R29", told_if="> 0", plausible=(0, 3000))
def utility_days_overdue() -> pl.Expr:
    """Days the oldest open bill is overdue; 0 if none is."""
    return _days_overdue(OVERDUE)


@feature(LINKED_BILLS, unit="days", risk="rises", reason="R29", told_if="> 0", plausible=(0, 3000))
def electricity_days_overdue() -> pl.Expr:
    """Days the oldest open electricity bill is overdue; 0 if none is."""
    return _days_overdue(OVERDUE & of_series("electricity"))


@feature(LINKED_BILLS, unit="months", risk="rises", reason="R52", told_if="> 2", plausible=(0, 600))
def months_since_electricity() -> pl.Expr:
    """Months since the newest known electricity bill's month."""
    return pl.col("months_ago").filter(of_series("electricity")).min().cast(pl.Float64)


@feature(LINKED_BILLS, unit="months", risk="falls", reason="R51", told_if="< 24", plausible=(0, 24))
def electricity_months_24m() -> pl.Expr:
    """Months with an electricity bill among the last 24 before the application."""
    billed = of_series("electricity") & pl.col("months_ago").is_between(1, 24)
    return pl.col("months_ago").filter(billed).n_unique().cast(pl.Float64)


@feature(
    LINKED_BILLS, unit="months", risk="falls", reason="R51", told_if="< 24", plausible=(0, 1200)
)
def electricity_history_months() -> pl.Expr:
    """Months since the oldest known electricity bill's month."""
    return pl.col("months_ago").filter(of_series("electricity")).max().cast(pl.Float64)


@feature(
    LINKED_BILLS,
    unit="days",
    reason="R52",
    told_if="> 45",
    undirected="says when the department last spoke, not what it said",
    plausible=(0, 20_000),
)
def days_since_utility_record() -> pl.Expr:
    """Days since the newest record of any bill was known."""
    return pl.col("known_ago").min().cast(pl.Float64)


@feature(
    LINKED_BILLS, unit="count", reason="R47", undirected="a matter of premises", plausible=(0, 100)
)
def electricity_meters() -> pl.Expr:
    """Electricity meters with a bill in the newest 12 known months."""
    return over(12, pl.col("meter_id"), of="electricity").n_unique().cast(pl.Float64)


@feature(
    LINKED_BILLS, unit="probability", risk="falls", reason="R52", told_if="< 1", plausible=(0, 1)
)
def link_confidence() -> pl.Expr:
    """Lowest probability, among the meters billed in the newest 12 months, of being the business's.

    1 where the utility itself holds the credit code; unknown where no meter is linked.
    """
    return over(12, pl.col("link_probability")).min()
