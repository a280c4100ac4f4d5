"""What businesses declare to the tax bureau, when they file it, what they pay, and its grades."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from features.tables import GRADES, TAX_GRADES, TAX_RETURNS
from pipelines.world.businesses import Bools, Businesses
from pipelines.world.columns import joined, taken
from pipelines.world.economy import Climate, Floats
from pipelines.world.faults import fault_lines
from pipelines.world.frames import NEVER, UNKNOWN, frame
from pipelines.world.lives import Lives
from pipelines.world.months import Ints, first_day
from pipelines.world.registrations import Exits
from pipelines.world.tax_rules import notch, small_scale_vat
from pipelines.world.trades import by_trade

VAT, INCOME = 0, 1
LOST = 0.02  # of the returns, domain notes E2
STRUCK_OFF = 200  # days after the end of trading: who files nothing any more is asked for nothing


@dataclass(frozen=True)
class Taxpayers:
    """How each business stands with the tax bureau.

    ``declared`` is the share of true sales it declares; ``assessed`` pays a fixed sum; ``monthly``
    are general taxpayers; ``matched`` says whether the bureau's file carries the right code.
    """

    declared: Floats
    assessed: Bools
    monthly: Bools
    matched: Bools
    burden: Floats
    graded: Bools


@dataclass(frozen=True)
class Returns:
    """Returns as they really happened, one entry each; days, and amounts in fen."""

    business: Ints
    tax: Ints
    period: Ints
    months: Ints
    assessed: Bools
    due: Ints
    filed: Ints
    sales: Ints
    tax_due: Ints
    paid_first: Ints
    paid_up: Ints


def draw_taxpayers(b: Businesses, rng: np.random.Generator) -> Taxpayers:
    """How each business files and what it hides."""
    n = len(b)
    company = ~b.household
    rate = np.where(by_trade("ticket", b.trade) > 5_000, 0.13, 0.06)
    return Taxpayers(
        declared=np.where(company, rng.beta(8, 1.6, n), rng.beta(4, 2.2, n)),
        assessed=b.household & (rng.random(n) < 0.55),
        monthly=company & ((b.monthly_sales * 12 > 5e6) | (rng.random(n) < 0.12)),
        matched=rng.random(n) > np.where(company, 0.015, 0.032),
        burden=rate * np.exp(np.log(0.17) + 0.4 * rng.standard_normal(n)),
        graded=company | (rng.random(n) < 0.10),
    )


def draw_returns(
    b: Businesses, taxpayers: Taxpayers, lives: Lives, climate: Climate, exits: Exits,
    turnover: Floats, first_row: int, rng: np.random.Generator,
) -> Returns:  # fmt: skip
    """All VAT and income-tax returns for periods from ``first_row`` on."""
    context = (b, taxpayers, lives, climate, exits, turnover, rng)
    parts = [
        _vat(*context, first_row, length=1, who=np.flatnonzero(taxpayers.monthly)),
        _vat(*context, first_row, length=3, who=np.flatnonzero(~taxpayers.monthly)),
        _income(*context, first_row),
    ]
    return joined(parts)


def _vat(
    b: Businesses, taxpayers: Taxpayers, lives: Lives, climate: Climate, exits: Exits,
    turnover: Floats, rng: np.random.Generator, first_row: int, length: int, who: Ints,
) -> Returns:  # fmt: skip
    starts = np.arange(first_row, len(climate.prime) - length + 1, length)
    true = np.add.reduceat(turnover[:, who], starts, axis=0)[: len(starts)]
    period = climate.start + starts
    declared = true * taxpayers.declared[who] * np.exp(0.06 * rng.standard_normal(true.shape))
    declared = _dodge_notch(period, declared, b.discipline[who], rng) if length == 3 else declared
    fixed = _assessed_sum(b, who, period, length, rng)
    sales = np.where(taxpayers.assessed[who], fixed * (true > 0), declared)
    if length == 3:
        tax = small_scale_vat(np.broadcast_to(period[:, None], sales.shape), sales)
    else:
        noise = np.exp(0.35 * rng.standard_normal(sales.shape))
        tax = sales * taxpayers.burden[who] * noise
    ends = starts + length - 1
    rows, columns = np.nonzero(lives.alive[ends][:, who])
    return _filed(
        who[columns], VAT, period[rows], length, taxpayers, sales[rows, columns],
        tax[rows, columns],
        ends[rows], lives, climate, exits, rng,
    )  # fmt: skip


def _dodge_notch(
    quarter: Ints, declared: Floats, discipline: Floats, rng: np.random.Generator
) -> Floats:
    """Just above the threshold the whole amount is taxed, so many declare just under it."""
    bar = notch(quarter)[:, None]
    excess = (declared - bar) / np.maximum(bar, 1)
    tempted = (excess > 0) & (excess < 0.35) & (bar > 0)
    yields = rng.random(declared.shape) < (0.95 - 1.5 * np.maximum(excess, 0)) / (
        1 + np.exp(0.4 * discipline - 2.0)
    )
    under = bar * (1 - 0.12 * rng.beta(1.0, 2.5, declared.shape))
    return np.where(tempted & yields, under, declared)


def _assessed_sum(
    b: Businesses, who: Ints, period: Ints, length: int, rng: np.random.Generator
) -> Floats:
    """Fixed sum of a year, set once and revised a little each January, in thousands of yuan."""
    years = period // 12 - period[0] // 12
    steps = 0.05 * rng.standard_normal((years[-1] + 1, len(who)))
    level = np.exp(np.cumsum(steps, axis=0) + 0.35 * rng.standard_normal(len(who)))
    yuan = b.monthly_sales[who] * length * 0.45 * level[years]
    return np.asarray(np.maximum(np.round(yuan, -3), 1_000))


def _income(
    b: Businesses, taxpayers: Taxpayers, lives: Lives, climate: Climate, exits: Exits,
    turnover: Floats, rng: np.random.Generator, first_row: int,
) -> Returns:  # fmt: skip
    """Quarterly prepayments of income tax: on profit, or a fixed share of the assessed sum."""
    starts = np.arange(first_row, len(climate.prime) - 2, 3)
    who = np.arange(len(b))
    true = np.add.reduceat(turnover, starts, axis=0)[: len(starts)]
    declared = true * taxpayers.declared * np.exp(0.05 * rng.standard_normal(true.shape))
    period = climate.start + starts
    fixed = _assessed_sum(b, who, period, 3, rng) * (true > 0)
    sales = np.where(taxpayers.assessed, fixed, declared)
    profit = np.maximum(0.06 + 0.05 * rng.standard_normal(true.shape), 0.0)
    owed = np.where(taxpayers.assessed, fixed * 0.006, sales * profit * 0.05)
    rows, columns = np.nonzero(lives.alive[starts + 2])
    return _filed(
        columns, INCOME, period[rows], 3, taxpayers, sales[rows, columns], owed[rows, columns],
        starts[rows] + 2, lives, climate, exits, rng,
    )  # fmt: skip


def _filed(
    business: Ints, tax: int, period: Ints, length: int, taxpayers: Taxpayers, sales: Floats,
    owed: Floats, row: Ints, lives: Lives, climate: Climate, exits: Exits, rng: np.random.Generator,
) -> Returns:  # fmt: skip
    """When each return is filed and paid, given the conduct of the month in ``row``."""
    n = len(business)
    settled = climate.start + row
    due = first_day(settled + 1) + 14
    rare = 1.0 if length == 3 else 0.5
    late = lives.conduct.files_late[row, business] & (rng.random(n) < rare)
    gone = exits.stopped[business] < due
    late = np.where(gone, rng.random(n) < 0.55, late)
    delay = np.ceil(np.exp(2.6 + 1.0 * rng.standard_normal(n))).astype(np.int64)
    delay = np.where(gone & (rng.random(n) < 0.7), NEVER, delay)
    filed = np.where(late, np.minimum(due + delay, NEVER), due - np.floor(13 * rng.beta(1.3, 2, n)))
    filed = filed.astype(np.int64)
    tax_due = np.round(owed * 100).astype(np.int64)
    unpaid = lives.conduct.cannot_pay_tax[row, business] & (tax_due > 0)
    unpaid = unpaid | (gone & (tax_due > 0) & (rng.random(n) < 0.5))
    wait = np.ceil(np.exp(4.0 + 0.9 * rng.standard_normal(n))).astype(np.int64)
    paid_up = np.where(unpaid, np.where(gone, NEVER, np.maximum(filed, due) + wait), filed)
    first = np.where(unpaid, np.round(tax_due * 0.5 * rng.random(n)).astype(np.int64), tax_due)
    ends = np.minimum(exits.formal, exits.stopped + STRUCK_OFF)[business]
    needed = taxpayers.matched[business] & (due - 20 < ends)
    returns = Returns(
        business=business, tax=np.full(n, tax), period=first_day(period), months=np.full(n, length),
        assessed=taxpayers.assessed[business], due=due, filed=filed,
        sales=np.round(sales * 100).astype(np.int64), tax_due=tax_due, paid_first=first,
        paid_up=paid_up,
    )  # fmt: skip
    return taken(returns, needed)


def lose(b: Businesses, returns: Returns, rng: np.random.Generator) -> tuple[Returns, pl.DataFrame]:
    """The returns without those the bureau never delivers, and the list of these."""
    lost = rng.random(len(returns.due)) < LOST
    gone = taken(returns, lost)
    return taken(returns, ~lost), fault_lines(
        "tax_returns", "return lost", b.code[gone.business], gone.period
    )


def return_feed(b: Businesses, returns: Returns, rng: np.random.Generator) -> pl.DataFrame:
    """The returns as delivered: notices of missing ones, returns, payments, amendments."""
    r = returns
    n = len(r.due)
    lag = np.where(rng.random(n) < 0.04, rng.integers(30, 75, n), rng.integers(1, 6, n))
    arrives = np.minimum(r.filed + lag, NEVER)
    missing = r.filed > r.due + 3
    behind = (r.paid_up > r.filed) & (r.filed < NEVER)
    paid_on = np.minimum(np.maximum(r.paid_up, arrives) + rng.integers(1, 6, n), NEVER)
    blank = np.full(n, UNKNOWN)
    files = r.filed < NEVER
    versions = [
        _version(b, r, missing, filed=np.full(n, NEVER), sales=blank, tax_due=blank, paid=blank,
                 known=r.due + 3),
        _version(b, r, files, filed=r.filed, sales=r.sales, tax_due=r.tax_due, paid=r.paid_first,
                 known=arrives),
        _version(b, r, behind & (paid_on < NEVER), filed=r.filed, sales=r.sales, tax_due=r.tax_due,
                 paid=r.tax_due, known=paid_on),
        _amended(b, r, files, rng),
    ]  # fmt: skip
    return pl.concat(versions)


def _version(
    b: Businesses, r: Returns, keep: Bools, *, filed: Ints, sales: Ints, tax_due: Ints, paid: Ints,
    known: Ints, amendment: int = 0,
) -> pl.DataFrame:  # fmt: skip
    return frame(
        TAX_RETURNS, b.key, business_id=r.business[keep], tax=r.tax[keep], period=r.period[keep],
        months=r.months[keep], amendment=np.full(int(keep.sum()), amendment),
        levy=r.assessed[keep].astype(np.int64), due_on=r.due[keep], filed_on=filed[keep],
        sales_fen=sales[keep], tax_due_fen=tax_due[keep], tax_paid_fen=paid[keep],
        known_on=known[keep],
    )  # fmt: skip


def _amended(b: Businesses, r: Returns, files: Bools, rng: np.random.Generator) -> pl.DataFrame:
    """One return in twenty-five is amended within a year, half of them downward."""
    n = len(r.due)
    chosen = files & ~r.assessed & (rng.random(n) < 0.055) & (r.sales > 0) & (r.paid_up == r.filed)
    change = np.exp(rng.choice([-1, 1], n) * np.exp(np.log(0.06) + 1.0 * rng.standard_normal(n)))
    sales = np.round(r.sales * np.clip(change, 0.5, 2.0)).astype(np.int64)
    tax = np.round(r.tax_due * (sales / np.maximum(r.sales, 1))).astype(np.int64)
    filed = r.filed + rng.integers(80, 360, n)
    return _version(
        b, r, chosen, filed=filed, sales=sales, tax_due=tax, paid=tax,
        known=filed + rng.integers(1, 6, n), amendment=1,
    )  # fmt: skip


def grade_feed(
    b: Businesses, taxpayers: Taxpayers, lives: Lives, climate: Climate, rng: np.random.Generator
) -> pl.DataFrame:
    """Grades of each whole year, published in April: discipline, lateness and arrears decide."""
    januaries = np.flatnonzero(climate.months % 12 == 0)
    januaries = januaries[januaries + 16 < len(climate.prime)]
    return pl.concat(
        [_grades_of_year(b, taxpayers, lives, climate, s, rng) for s in januaries.tolist()]
    )


def _grades_of_year(
    b: Businesses, taxpayers: Taxpayers, lives: Lives, climate: Climate, start: int,
    rng: np.random.Generator,
) -> pl.DataFrame:  # fmt: skip
    n, year = len(b), slice(start, start + 12)
    late = lives.conduct.files_late[year].sum(axis=0) / 3
    unpaid = lives.conduct.cannot_pay_tax[year].sum(axis=0) / 3
    points = 85 + 3.4 * b.discipline + 3.5 * rng.standard_normal(n) - 4.8 * late - 7.8 * unpaid
    age = (climate.months[start] + 12 - b.established_month) / 12
    grade = np.select([points >= 90, points >= 70, points >= 58], [0, 1, 3], 4)
    fresh = (age < 2.5) | (lives.sales[year].min(axis=0) <= 0) | (rng.random(n) < 0.12)
    grade = np.where(fresh & (grade <= 1), GRADES.index("M"), grade)
    graded = taxpayers.graded & taxpayers.matched & (age >= 1) & lives.alive[start]
    who = np.flatnonzero(graded & lives.trading[start])
    april = first_day(climate.months[start] + 15)
    return frame(
        TAX_GRADES, b.key, business_id=who, year=np.full(len(who), climate.months[start] // 12),
        grade=grade[who], known_on=april + rng.integers(9, 25, len(who)),
    )  # fmt: skip
