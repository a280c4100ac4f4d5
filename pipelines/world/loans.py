"""The bank's own feeds: applications with the old decision, and the loan book month by month."""

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.tables import APPLICATIONS, REPAYMENTS
from pipelines.world.bank import GRANTED
from pipelines.world.businesses import Businesses
from pipelines.world.cash import GUARANTEE_PAID, REPAID
from pipelines.world.economy import Climate, Floats
from pipelines.world.frames import NEVER, UNKNOWN, frame, picked, ranked
from pipelines.world.lives import Asked, Book
from pipelines.world.months import Ints, first_day, last_day, month_of

CHINA_OFFSET_MINUTES = 8 * 60
Ids = NDArray[Any]


def application_ids(partition: int, count: int) -> Ids:
    """Opaque numbers, unique in the province for up to a million applications a partition."""
    serial = (partition * 1_000_000 + np.arange(count)) * 3_141_592_653 % 10**10
    return np.array([f"A{number:010d}" for number in serial], dtype=object)


def application_feed(
    b: Businesses, asked: Asked, ids: Ids, delivered: int, rng: np.random.Generator
) -> pl.DataFrame:
    """One row per application, once decided; those still open have no outcome."""
    r, n = asked.request, len(ids)
    granted = asked.outcome == GRANTED
    decided = np.where(granted, r.paid_out, r.applied + rng.integers(1, 10, n)) + 1
    open_ = decided > delivered
    moment = (r.applied * 1_440 + r.minute - CHINA_OFFSET_MINUTES) * 60_000_000
    return frame(
        APPLICATIONS, b.key, application_id=ids.astype(str), business_id=r.business,
        applied_at=pl.Series(moment).cast(pl.Datetime("us", "UTC")),
        amount_fen=r.amount.astype(np.int64), term_months=r.term.astype(np.int64),
        purpose=r.purpose, repayment=np.where(r.bullet, 0, 1),
        outcome=np.where(open_, UNKNOWN, asked.outcome),
        granted_fen=np.where(granted & ~open_, asked.granted.astype(np.int64), UNKNOWN),
        granted_on=np.where(granted & ~open_, r.paid_out, NEVER),
        known_on=np.where(open_, r.applied + 1, decided),
    )  # fmt: skip


def repayment_feed(
    b: Businesses, asked: Asked, book: Book, climate: Climate, ids: Ids,
    rng: np.random.Generator,
) -> pl.DataFrame:  # fmt: skip
    """Each loan at the end of each month, from the payout to its end."""
    order = np.lexsort((book.month, book.application))
    loan, row = book.application[order], book.month[order]
    states = {f: getattr(book.loans, f)[order] for f in ("late", "due", "paid", "dues", "state")}
    dpd, worst = _days_past_due(asked, loan, climate.start + row, states["late"])
    n = len(loan)
    return frame(
        REPAYMENTS, b.key, application_id=picked(ranked(pl.Series(ids.astype(str))), loan),
        business_id=asked.request.business[loan], period=first_day(climate.start + row),
        days_past_due=dpd, worst_days_past_due=worst, balance_fen=_balance(asked, loan, states),
        due_fen=states["due"].astype(np.int64), paid_fen=states["paid"].astype(np.int64),
        state=states["state"].astype(np.int64),
        known_on=first_day(climate.start + row + 1) + rng.integers(1, 4, n),
    )  # fmt: skip


def due_day(paid_out: Ints, month: Ints) -> Ints:
    """Dues fall a day before the payout's day of the month, which is the 2nd to the 24th."""
    return np.asarray(first_day(month) + (paid_out - first_day(month_of(paid_out))) - 1)


def _days_past_due(asked: Asked, loan: Ints, month: Ints, late: Floats) -> tuple[Ints, Ints]:
    """Days past due at the end of each month, and the highest on any day up to then.

    Who catches up does so three days before the next due day.
    """
    paid_out = asked.request.paid_out[loan]
    behind = late >= 0
    oldest = due_day(paid_out, month - np.maximum(late, 0).astype(np.int64))
    dpd = np.where(behind, last_day(month) - oldest, 0)
    first = np.concatenate([[True], loan[1:] != loan[:-1]])
    before = np.where(first, NEVER, np.concatenate([[NEVER], np.where(behind, oldest, NEVER)[:-1]]))
    caught_up = (before < NEVER) & (np.where(behind, oldest, NEVER) > before)
    peak = np.where(caught_up, due_day(paid_out, month) - 3 - before, 0)
    return dpd, _running_worst(np.maximum(dpd, peak), np.cumsum(first))


def _running_worst(days: Ints, group: Ints) -> Ints:
    """Running maximum within each group of consecutive rows."""
    scale = int(days.max(initial=0)) + 1
    return np.asarray(np.maximum.accumulate(days + group * scale) - group * scale)


def _balance(asked: Asked, loan: Ints, states: dict[str, Floats]) -> Ints:
    """Principal outstanding: on a bullet what was not yet repaid of it, else by the annuity."""
    principal, rate = asked.granted[loan], asked.request.rate[loan] / 12
    term, bullet = asked.request.term[loan], asked.request.bullet[loan]
    interest = np.maximum(np.floor(principal * rate), 1)
    annuity = np.ceil(principal * rate / (1 - (1 + rate) ** -term))
    left = principal - np.maximum(states["paid"] - interest * states["dues"], 0)
    dues_paid = np.minimum(states["paid"] / annuity, term)
    grown = ((1 + rate) ** dues_paid - 1) / ((1 + rate) ** term - 1)
    balance = np.where(bullet, np.minimum(left, principal), np.ceil(principal * (1 - grown)))
    ended = np.isin(states["state"], (REPAID, GUARANTEE_PAID))
    return np.where(ended, 0, np.maximum(balance, 0)).astype(np.int64)
