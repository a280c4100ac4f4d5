"""Features of the market-regulation register."""

import polars as pl

from features.definition import feature
from features.periods import MONTHS, YUAN, count, within
from features.tables import REGISTRATION_EVENTS, REGISTRATIONS


def _events(*kinds: str) -> pl.Expr:
    return pl.any_horizontal(pl.col("event") == kind for kind in kinds)


def _count_24m(*kinds: str) -> pl.Expr:
    return count(within(730, "happened_ago", where=_events(*kinds)))


def _amount_24m(kind: str) -> pl.Expr:
    amount = pl.col("amount_fen").filter(within(730, "happened_ago", where=_events(kind)))
    return amount.sum() * YUAN


def _months_since(*kinds: str) -> pl.Expr:
    return pl.col("happened_ago").filter(_events(*kinds)).min() * MONTHS


@feature(
    REGISTRATIONS, unit="months", risk="falls", reason="R01", told_if="< 36", plausible=(0, 1200)
)
def business_age_months() -> pl.Expr:
    """Whole calendar months since the business was established: two years to the day are 24."""
    return pl.col("established_months_ago").last().cast(pl.Float64)


@feature(REGISTRATIONS, unit="flag", risk="falls", reason="R48", told_if="== 0", plausible=(0, 1))
def is_operating() -> pl.Expr:
    """1 if the register says the business is in operation, 0 if suspended, moved out or closed."""
    return (pl.col("status") == "operating").last().cast(pl.Float64)


@feature(REGISTRATIONS, unit="category", reason="R38", undirected="names have no order")
def legal_form() -> pl.Expr:
    """Legal form of the business."""
    return pl.col("legal_form").last().cast(pl.String)


@feature(REGISTRATIONS, unit="category", reason="R12", undirected="names have no order")
def industry() -> pl.Expr:
    """Industry by GB/T 4754 section and division."""
    return pl.col("industry").last()


@feature(
    REGISTRATIONS,
    unit="yuan",
    reason="R38",
    undirected="subscribed, not paid in: domain evidence finds no stable direction",
    plausible=(0, 1e11),
)
def registered_capital() -> pl.Expr:
    """Registered (subscribed) capital."""
    return pl.col("registered_capital_fen").last() * YUAN


@feature(
    REGISTRATIONS,
    unit="days",
    reason="R52",
    told_if="> 365",
    undirected="says when the register last spoke, not what it said",
    plausible=(0, 40_000),
)
def days_since_register_record() -> pl.Expr:
    """Days since the state of the business in the register was last told."""
    return pl.col("known_ago").min().cast(pl.Float64)


@feature(
    REGISTRATION_EVENTS,
    unit="months",
    risk="falls",
    reason="R02",
    told_if="< 24",
    unknown="R57",
    plausible=(0, 1200),
)
def months_since_control_change() -> pl.Expr:
    """Months since the legal representative or a shareholder last changed; null if never seen."""
    return _months_since("legal_representative_changed", "shareholder_changed")


@feature(
    REGISTRATION_EVENTS,
    unit="count",
    risk="rises",
    reason="R03",
    told_if=">= 2",
    plausible=(0, 100),
)
def register_changes_24m() -> pl.Expr:
    """Changes of address, representative or shareholder in the last 24 months."""
    return _count_24m("address_changed", "legal_representative_changed", "shareholder_changed")


@feature(
    REGISTRATION_EVENTS,
    unit="count",
    risk="rises",
    reason="R03",
    told_if=">= 2",
    plausible=(0, 100),
)
def address_changes_24m() -> pl.Expr:
    """Changes of address in the last 24 months."""
    return _count_24m("address_changed")


@feature(
    REGISTRATION_EVENTS, unit="count", risk="rises", reason="R02", told_if="> 0", plausible=(0, 100)
)
def representative_changes_24m() -> pl.Expr:
    """Changes of the legal representative in the last 24 months."""
    return _count_24m("legal_representative_changed")


@feature(
    REGISTRATION_EVENTS, unit="count", risk="rises", reason="R02", told_if="> 0", plausible=(0, 100)
)
def shareholder_changes_24m() -> pl.Expr:
    """Changes of shareholders in the last 24 months."""
    return _count_24m("shareholder_changed")


@feature(
    REGISTRATION_EVENTS,
    unit="count",
    reason="R38",
    undirected="the Company Law of 2023 makes sound firms cut subscribed capital too",
    plausible=(0, 100),
)
def capital_reductions_24m() -> pl.Expr:
    """Reductions of registered capital in the last 24 months."""
    return _count_24m("capital_reduced")


@feature(
    REGISTRATION_EVENTS, unit="flag", risk="rises", reason="R04", told_if="== 1", plausible=(0, 1)
)
def is_listed_abnormal() -> pl.Expr:
    """1 while the business stands on the abnormal-operation list, 0 after its removal."""
    listed = pl.col("happened_ago").filter(_events("abnormal_listed")).min()
    removed = pl.col("happened_ago").filter(_events("abnormal_removed")).min()
    return (listed.is_not_null() & (removed.is_null() | (listed < removed))).cast(pl.Float64)


@feature(
    REGISTRATION_EVENTS, unit="count", risk="rises", reason="R05", told_if="> 0", plausible=(0, 50)
)
def abnormal_listings_24m() -> pl.Expr:
    """Entries on the abnormal-operation list in the last 24 months."""
    return _count_24m("abnormal_listed")


@feature(
    REGISTRATION_EVENTS,
    unit="months",
    risk="falls",
    reason="R05",
    told_if="<= 24",
    unknown="R57",
    plausible=(0, 1200),
)
def months_since_abnormal_listing() -> pl.Expr:
    """Months since the newest entry on the abnormal-operation list; null if there never was one."""
    return _months_since("abnormal_listed")


@feature(
    REGISTRATION_EVENTS, unit="count", risk="rises", reason="R07", told_if="> 0", plausible=(0, 100)
)
def penalties_24m() -> pl.Expr:
    """Administrative penalties in the last 24 months."""
    return _count_24m("penalty")


@feature(
    REGISTRATION_EVENTS, unit="yuan", risk="rises", reason="R07", told_if="> 0", plausible=(0, 1e10)
)
def penalty_amount_24m() -> pl.Expr:
    """Administrative penalties of the last 24 months, as far as their amounts are known."""
    return _amount_24m("penalty")


@feature(
    REGISTRATION_EVENTS,
    unit="months",
    risk="falls",
    reason="R07",
    told_if="<= 24",
    unknown="R57",
    plausible=(0, 1200),
)
def months_since_penalty() -> pl.Expr:
    """Months since the newest administrative penalty; null if there never was one."""
    return _months_since("penalty")


@feature(
    REGISTRATION_EVENTS, unit="count", risk="rises", reason="R49", told_if="> 0", plausible=(0, 100)
)
def judgment_debts_24m() -> pl.Expr:
    """Judgments against the business as debtor, known by now, of the last 24 months."""
    return _count_24m("judgment_debtor")


@feature(
    REGISTRATION_EVENTS, unit="yuan", risk="rises", reason="R49", told_if="> 0", plausible=(0, 1e12)
)
def judgment_amount_24m() -> pl.Expr:
    """Judgments against the business of the last 24 months, as far as their amounts are known."""
    return _amount_24m("judgment_debtor")


@feature(
    REGISTRATION_EVENTS,
    unit="months",
    risk="falls",
    reason="R49",
    told_if="<= 24",
    unknown="R57",
    plausible=(0, 1200),
)
def months_since_judgment() -> pl.Expr:
    """Months since the newest judgment against the business; null if there never was one."""
    return _months_since("judgment_debtor")


@feature(
    REGISTRATION_EVENTS, unit="count", risk="rises", reason="R06", told_if="> 0", plausible=(0, 10)
)
def annual_reports_missed_36m() -> pl.Expr:
    """Annual reports missed in the last 36 months."""
    return count(within(1096, "happened_ago", where=_events("annual_report_missed")))
