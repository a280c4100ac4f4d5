"""Monthly bills of electricity, water and gas: what was used, what was billed, when it was paid."""

from typing import NamedTuple

import numpy as np
import polars as pl

from features.tables import UTILITY_BILLS
from pipelines.world.businesses import Bools, Businesses
from pipelines.world.economy import Climate, Floats
from pipelines.world.faults import fault_lines
from pipelines.world.frames import NEVER, frame, picked
from pipelines.world.lives import Lives
from pipelines.world.meters import ELECTRICITY, GAS, WATER, Accounts, tenants_of
from pipelines.world.months import Ints, festival_days, first_day
from pipelines.world.registrations import Exits
from pipelines.world.trades import TRADE_NAMES, by_trade

PRICE_FEN = np.array([76.0, 420.0, 390.0])  # a kWh, a cubic metre of water, of gas
HALF_A_YEAR = 6
CUT_OFF = 120  # days after the end of trading
IDLE = 0.04  # of the usual consumption after trading has ended: a fridge, a lamp


class Bills(NamedTuple):
    """Bills as they really were, one entry each; ``account`` counts in Accounts."""

    account: Ints
    row: Ints
    quantity: Ints
    billed: Ints
    due: Ints
    paid: Ints
    lost: Bools
    tenfold: Bools


def consumption(
    b: Businesses, lives: Lives, climate: Climate, solar: Ints, first_row: int,
    rng: np.random.Generator,
) -> Floats:  # fmt: skip
    """KWh by month and business: size, sales, season, and a drift of its own.

    What lasts in sales moves hours and machines as much as size does, a single month hardly.
    """
    rows = slice(first_row, None)
    sales = np.clip(np.log(np.maximum(lives.sales, 1e-3)), -2.5, 1.5)
    lasting = _lasting(sales, lives.alive)[rows]
    passing = sales[rows] - lasting
    level = by_trade("level", b.trade)
    shape = passing.shape
    own = 0.55 * rng.standard_normal(shape[1])
    drift = np.cumsum(0.05 * rng.standard_normal(shape), axis=0)
    log: Floats = (
        np.log(by_trade("kwh", b.trade))
        + level * (np.log(b.monthly_sales) - 10.15 + lasting)
        + own
        + by_trade("month", b.trade) * passing
        + _season(b, climate.months[rows])
        + drift
        + 0.17 * rng.standard_normal(shape)
        + np.where(climate.months[rows][:, None] >= solar, np.log(0.55), 0.0)
    )
    running = np.where(lives.trading[rows], 1.0, IDLE) * lives.alive[rows]
    return np.asarray(np.exp(log) * running)


def _lasting(sales: Floats, alive: Bools) -> Floats:
    """Mean of each month and the five before it, as far as the business was there."""
    total, months = (
        np.cumsum(np.pad(each, ((HALF_A_YEAR, 0), (0, 0))), axis=0)
        for each in (sales * alive, alive.astype(np.float64))
    )
    lived = months[HALF_A_YEAR:] - months[:-HALF_A_YEAR]
    return np.asarray((total[HALF_A_YEAR:] - total[:-HALF_A_YEAR]) / np.maximum(lived, 1.0))


def _season(b: Businesses, months: Ints) -> Floats:
    summer = np.isin(months % 12, (6, 7))[:, None] * np.log1p(by_trade("summer", b.trade))
    return np.asarray(
        summer - 0.78 * festival_days(months)[:, None] * by_trade("festival", b.trade)
    )


def draw_solar(b: Businesses, months: Ints, rng: np.random.Generator) -> Ints:
    """Month in which a few workshops put panels on the roof: they buy less and sell no less."""
    workshop = np.isin(
        b.trade, [TRADE_NAMES.index(t) for t in ("garments", "weaving", "machinery")]
    )
    return np.where(
        workshop & (rng.random(len(b)) < 0.08),
        rng.integers(months[0] - 24, months[-1], len(b)),
        NEVER,
    )


def draw_bills(
    b: Businesses, accounts: Accounts, lives: Lives, climate: Climate, exits: Exits, solar: Ints,
    first_row: int, rng: np.random.Generator,
) -> Bills:  # fmt: skip
    """A bill a month per account (water every second), while the account runs."""
    kwh = consumption(b, lives, climate, solar, first_row, rng)
    account, user = tenants_of(accounts, b)
    used = np.zeros((kwh.shape[0], len(accounts.user)))
    np.add.at(used.T, account, kwh.T[user])
    used = used * accounts.share * _relative(accounts, rng)
    months = climate.months[first_row:]
    ends = np.where(
        accounts.shared,
        NEVER,
        np.minimum(exits.formal + 60, exits.stopped + CUT_OFF)[accounts.user],
    )
    runs = (first_day(months)[:, None] >= accounts.from_on) & (first_day(months)[:, None] < ends)
    odd_months = (months % 2 == 1)[:, None]
    runs &= (accounts.service != WATER) | odd_months
    row, column = np.nonzero(runs)
    n = len(row)
    billed = first_day(months[row] + 1) + rng.integers(0, 5, n)
    due = billed + 10 + (accounts.user[column] % 11)
    return Bills(
        account=column, row=row, quantity=np.round(used[row, column]).astype(np.int64),
        billed=billed, due=due,
        paid=_paid(accounts, column, row + first_row, lives, billed, due, rng),
        lost=rng.random(n) < 0.015,
        tenfold=_tenfold(accounts, column, row, len(months), rng),
    )  # fmt: skip


def _tenfold(
    accounts: Accounts, account: Ints, row: Ints, months: int, rng: np.random.Generator
) -> Bools:
    """A current transformer changed and the factor not: ten times the reading, for four months."""
    total = len(accounts.user)
    chosen = (rng.random(total) < 0.004) & (accounts.service == ELECTRICITY)
    since = rng.integers(0, months, total)
    after = row - since[account]
    return np.asarray(chosen[account] & (after >= 0) & (after < 4))


def planted(accounts: Accounts, bills: Bills, months: Ints) -> list[pl.DataFrame]:
    """The bills that never arrive and the tenfold readings, as lines of the fault list."""
    period = first_day(months[bills.row])
    meter = accounts.meter[bills.account]
    return [
        fault_lines("utility_bills", "bill lost", meter[bills.lost], period[bills.lost]),
        fault_lines(
            "utility_bills", "reading times ten", meter[bills.tenfold], period[bills.tenfold]
        ),
    ]


def _relative(accounts: Accounts, rng: np.random.Generator) -> Floats:
    """Cubic metres per kWh of the same business, for water and gas."""
    usual = np.array([1.0, 0.02, 0.12])[accounts.service]
    noise = np.where(accounts.service == ELECTRICITY, 0.0, 0.5)
    return np.asarray(usual * np.exp(noise * rng.standard_normal(len(usual))))


def _paid(
    accounts: Accounts, account: Ints, row: Ints, lives: Lives, billed: Ints, due: Ints,
    rng: np.random.Generator,
) -> Ints:  # fmt: skip
    """Most pay in time; the pressed pay days or weeks late, those who have closed hardly ever."""
    n, user = len(account), accounts.user[account]
    late = lives.conduct.pays_bills_late[row, user]
    closed = ~lives.trading[row, user]
    late = np.where(closed, rng.random(n) < 0.4, late)
    delay = np.ceil(np.exp(1.7 + 1.1 * rng.standard_normal(n))).astype(np.int64)
    delay = np.where(closed & (rng.random(n) < 0.5), NEVER, delay)
    in_time = billed + np.floor((due - billed + 1) * rng.random(n)).astype(np.int64)
    return np.where(late, np.minimum(due + delay, NEVER), in_time)


def bill_feed(
    accounts: Accounts, bills: Bills, months: Ints, rng: np.random.Generator
) -> pl.DataFrame:
    """Bills as delivered once they are due; a late payment restates its bill, as does a reading."""
    x, n = bills, len(bills.row)
    lag = np.where(rng.random(n) < 0.02, rng.integers(20, 40, n), rng.integers(1, 5, n))
    delivered = x.due + lag
    lost, actual = x.lost, x.quantity * np.where(x.tenfold, 10, 1)
    guessed = (rng.random(n) < 0.02) & (accounts.service[x.account] != GAS)
    guess = np.round(actual * np.exp(0.25 * rng.standard_normal(n))).astype(np.int64)
    settled = x.paid < delivered
    paid_known = np.minimum(x.paid + rng.integers(1, 4, n), NEVER)
    reread = np.maximum(delivered + rng.integers(25, 35, n), np.where(settled, 0, paid_known + 2))
    first = _rows(
        accounts,
        x,
        months,
        ~lost,
        np.where(guessed, guess, actual),
        guessed,
        np.where(settled, x.paid, NEVER),
        delivered,
    )
    later = ~lost & ~settled & (paid_known < NEVER)
    payment = _rows(
        accounts,
        x,
        months,
        later,
        np.where(guessed, guess, actual),
        guessed,
        x.paid,
        np.maximum(paid_known, delivered + 1),
    )
    right = ~lost & guessed & (x.paid < NEVER)
    reading = _rows(
        accounts,
        x,
        months,
        right,
        actual,
        np.zeros(n, dtype=bool),
        x.paid,
        np.maximum(reread, delivered + 2),
    )
    return pl.concat([first, payment, reading])  # fmt: skip


def _rows(
    accounts: Accounts, x: Bills, months: Ints, keep: Bools, quantity: Ints, estimated: Bools,
    paid: Ints, known: Ints,
) -> pl.DataFrame:  # fmt: skip
    account = x.account[keep]
    price = PRICE_FEN[accounts.service[account]]
    return frame(
        UTILITY_BILLS, accounts.key, meter_id=picked(accounts.key, account),
        period=first_day(months[x.row[keep]]), quantity=quantity[keep], estimated=estimated[keep],
        amount_fen=np.round(quantity[keep] * price).astype(np.int64), billed_on=x.billed[keep],
        due_on=x.due[keep], paid_on=paid[keep], known_on=known[keep],
    )  # fmt: skip
