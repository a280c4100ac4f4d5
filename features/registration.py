"""Features of the market-regulation register."""

import polars as pl

from features.definition import feature
from features.periods import MONTHS, YUAN, within
from features.tables import REGISTRATION_EVENTS, REGISTRATIONS


def _events(*kinds: str) -> pl.Expr:
    return pl.col("event").is_in(kinds)


def _count_24m(*kinds: str) -> pl.Expr:
    return within(730, "happened_ago", where=_events(*kinds)).sum().cast(pl.Float64)


@feature(REGISTRATIONS, unit="months", risk="falls", reason="R01", plausible=(0, 1200))
def business_age_months() -> pl.Expr:
    """Months since the business was established."""
    return pl.col("established_ago").last() * MONTHS


@feature(REGISTRATIONS, unit="flag", risk="falls", reason="C03", plausible=(0, 1))
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


@feature(REGISTRATION_EVENTS, unit="months", risk="falls", reason="R02", plausible=(0, 1200))
def months_since_control_change() -> pl.Expr:
    """Months since the legal representative or a shareholder last changed; null if never seen."""
    changes = _events("legal_representative_changed", "shareholder_changed")
    return pl.col("happened_ago").filter(changes).min() * MONTHS


@feature(REGISTRATION_EVENTS, unit="count", risk="rises", reason="R03", plausible=(0, 100))
def register_changes_24m() -> pl.Expr:
    """Changes of address, representative or shareholder in the last 24 months."""
    return _count_24m("address_changed", "legal_representative_changed", "shareholder_changed")


@feature(REGISTRATION_EVENTS, unit="flag", risk="rises", reason="R04", plausible=(0, 1))
def is_listed_abnormal() -> pl.Expr:
    """1 while the business stands on the abnormal-operation list, 0 after its removal."""
    listed = pl.col("happened_ago").filter(_events("abnormal_listed")).min()
    removed = pl.col("happened_ago").filter(_events("abnormal_removed")).min()
    return (listed.is_not_null() & (removed.is_null() | (listed < removed))).cast(pl.Float64)


@feature(REGISTRATION_EVENTS, unit="count", risk="rises", reason="R05", plausible=(0, 50))
def abnormal_listings_24m() -> pl.Expr:
    """Entries on the abnormal-operation list in the last 24 months."""
    return _count_24m("abnormal_listed")


@feature(REGISTRATION_EVENTS, unit="count", risk="rises", reason="R07", plausible=(0, 100))
def penalties_24m() -> pl.Expr:
    """Administrative penalties in the last 24 months."""
    return _count_24m("penalty")


@feature(REGISTRATION_EVENTS, unit="count", risk="rises", reason="R08", plausible=(0, 100))
def judgment_debts_24m() -> pl.Expr:
    """Judgments against the business as debtor, known by now, of the last 24 months."""
    return _count_24m("judgment_debtor")


@feature(REGISTRATION_EVENTS, unit="count", risk="rises", reason="R06", plausible=(0, 10))
def annual_reports_missed_36m() -> pl.Expr:
    """Annual reports missed in the last 36 months."""
    missed = within(1096, "happened_ago", where=_events("annual_report_missed"))
    return missed.sum().cast(pl.Float64)
