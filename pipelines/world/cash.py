"""One month of a business's money: sales move the cash, the cash pays the loan, or fails to.

The same month serves the history of a business and the many futures of an application. Cash is
counted in months of ordinary sales, loan amounts in fen; ``unit`` (fen per month of ordinary sales)
joins the two.
"""

from dataclasses import dataclass

import numpy as np

from pipelines.world.businesses import Bools, Businesses
from pipelines.world.economy import Floats
from pipelines.world.months import Ints

PERFORMING, REPAID, RENEWED, DEFERRED, WRITTEN_OFF, GUARANTEE_PAID = range(6)
FLOOR = -0.15  # suppliers wait for a week's sales, not for more
STAYS = 0.94  # of a deviation of sales from one month to the next
DRIFT = 0.090
NOISE = 0.42
TIMING = 0.3  # of the month's noise in sales is felt in cash; the rest is payment dates
LUMP_MIN = 0.2
LUMPS = 0.165  # receivables that come late, repairs, orders paid ahead
CRISIS_SALES = 1.0
CRISIS_CASH = 0.62
RESCUE = 0.080  # a month: family, a landlord's patience, a machine sold
DRAWN, SAVED = 0.10, 0.165  # of the gap to the cash the owner wants, above and below it
DEFER_SHARE = 0.85
RENEW_SHARE = 0.30
RENEWED_FOR = 6  # months


@dataclass
class Ways:
    """What a month needs of each business: the hidden traits in force in that month."""

    noise: Floats
    drift: Floats
    contribution: Floats
    margin: Floats
    target: Floats
    reserve: Floats
    crisis: Floats
    leaves: Floats
    unit: Floats


@dataclass
class Luck:
    """Fresh chance of a month: three standard normals and one uniform per business."""

    course: Floats
    month: Floats
    lumps: Floats
    turn: Floats


@dataclass
class Money:
    """Each business: deviation of sales (log), cash, stock on credit, trading or not.

    ``broke`` counts the months without money.
    """

    deviation: Floats
    cash: Floats
    stock: Floats
    trading: Bools
    broke: Floats


@dataclass
class Loans:
    """One loan slot per business; ``live`` marks the slots in use. Amounts in fen.

    The payout was ``age`` months ago; ``fallen`` due days have passed and ``dues`` are planned;
    ``regular`` is one due (interest only on a bullet loan), ``final`` the last; ``late`` counts how
    many whole months old the oldest unpaid due is (-1: nothing is unpaid).
    """

    live: Bools
    bullet: Bools
    age: Floats
    fallen: Floats
    dues: Floats
    regular: Floats
    final: Floats
    principal: Floats
    due: Floats
    paid: Floats
    late: Floats
    state: Floats
    leniency: Floats
    guaranteed: Bools

    @property
    def total(self) -> Floats:
        """Everything that falls due under the schedule now in force."""
        return self.regular * (self.dues - 1) + self.final


def ways(businesses: Businesses, years: Floats) -> Ways:
    """The traits of each business at an age of ``years``: the young are frailer and may leave."""
    b = businesses
    youth = np.exp(-np.maximum(years, 0.0) / 2.5)
    settled = 1 - np.exp(-np.maximum(years, 0.0) / 1.9)  # a new company stays a year or two
    hazard = np.where(b.household, 0.060 * (1 + 0.6 * youth), 0.075 * settled)
    hazard = np.maximum(hazard - 0.001 * np.minimum(years, 20), 0.0)
    drift = DRIFT * b.volatility * np.exp(-0.10 * b.management) * (1 + 0.25 * youth)
    return Ways(
        noise=NOISE * b.volatility,
        drift=drift,
        contribution=b.contribution,
        margin=b.margin - 0.080 * youth + 0.001 * np.minimum(years, 12) / 12,
        target=b.target,
        reserve=b.reserve,
        crisis=b.crisis * (1 + 2.6 * youth),
        leaves=hazard / 12,
        unit=np.floor(b.monthly_sales) * 100,
    )


def trade_a_month(money: Money, ways: Ways, luck: Luck, macro: Floats) -> Floats:
    """Move ``money`` by a month of business; returns sales over ordinary sales, without season."""
    crisis = luck.turn < ways.crisis
    money.deviation = STAYS * money.deviation + ways.drift * luck.course - CRISIS_SALES * crisis
    noise, level = ways.noise, money.deviation + macro
    sales = np.exp(level + noise * luck.month - 0.5 * noise**2) * money.trading
    rescue = (luck.turn > 1 - RESCUE) * (money.cash < 0.5) * 0.8
    lasting = np.exp(level + TIMING * noise * luck.month)
    earned = np.where(money.trading, ways.contribution * (lasting - 1.0) + ways.margin, -0.06)
    gap = money.cash - ways.target
    drawn = np.where(gap > 0, DRAWN, SAVED) * gap * money.trading
    lumps = LUMPS * (LUMP_MIN + np.minimum(np.maximum(money.cash, 0.0), 4.0)) * luck.lumps
    cash = money.cash * (1 - CRISIS_CASH * crisis) + earned - drawn + lumps + rescue
    money.cash = np.maximum(cash, FLOOR)
    _close(money, ways, luck)
    return sales


def _close(money: Money, ways: Ways, luck: Luck) -> None:
    """End trading: after half a year without money, or of the owner's own will."""
    money.broke = np.where(money.cash <= 0.10, money.broke + 1, np.maximum(money.broke - 2, 0))
    ruined = (money.broke >= 6) & (money.deviation < -0.25)
    leaves = (luck.turn > 0.5) & (luck.turn < 0.5 + ways.leaves)
    money.trading = money.trading & ~ruined & ~leaves


def collect(loans: Loans, money: Money, ways: Ways, sales: Floats, decree: Ints) -> None:
    """Let a month's due fall and be paid out of cash above the owner's reserve.

    Stock bought on credit turns back into cash as it sells. A due that cannot be met may be
    deferred if the loan was granted before a decree of ``decree`` months ago (-1: there is none),
    and a bullet may be renewed; otherwise it stays unpaid. A bullet is called in when the borrower
    has closed down: its last due is the next one.
    """
    live = loans.live
    loans.age = loans.age + live
    called = live & loans.bullet & ~money.trading & (loans.age > 0) & (loans.fallen < loans.dues)
    loans.dues = np.where(called, loans.fallen + 1, loans.dues)
    _sell_stock(loans, money, sales)
    able = np.maximum(money.cash - ways.reserve, 0.0) * ways.unit
    last = loans.fallen + 1 == loans.dues
    falling = np.where(last, loans.final, np.where(loans.fallen < loans.dues, loans.regular, 0.0))
    clean = live & (loans.late < 0) & (loans.age > 0)
    short = clean & (loans.due - loans.paid + falling > able)
    once = loans.state != RENEWED
    renewed = short & loans.bullet & last & once & money.trading & (loans.leniency < RENEW_SHARE)
    loans.dues = loans.dues + RENEWED_FOR * renewed
    falling = np.where(renewed, loans.regular, falling)
    spared = (decree >= 0) & (loans.age > decree)
    deferred = short & spared & ~renewed & (loans.leniency < DEFER_SHARE)
    running = live & ~deferred & (loans.age > 0)
    falling = np.where(running, falling, 0.0)
    loans.fallen = loans.fallen + running
    loans.due = loans.due + falling
    loans.state = np.where(renewed, RENEWED, np.where(deferred, DEFERRED, loans.state))
    total = loans.total
    _pay(loans, money, ways, able, total)
    _settle(loans, total)


def _sell_stock(loans: Loans, money: Money, sales: Floats) -> None:
    """Turn stock bought on credit into cash: a share a month, or all of it at a bullet's maturity.

    Stock loses worth in months of poor sales, and is sold off when trading ends.
    """
    money.stock = money.stock * (1 - 0.05 * np.maximum(1 - sales, 0.0))
    matures = loans.bullet & (loans.fallen + 1 >= loans.dues)
    share = np.minimum(1.0, np.maximum(sales, 0.3)) / np.maximum(loans.dues - loans.fallen, 1.0)
    share = np.where(loans.bullet, np.where(matures, 0.97, 0.0), share)
    sold = money.stock * np.where(money.trading, share, 0.7)
    money.stock = money.stock - sold
    money.cash = money.cash + sold


def _pay(loans: Loans, money: Money, ways: Ways, able: Floats, total: Floats) -> None:
    """Pay what is owed as far as cash allows; who closes down or swims in money pays it all off."""
    rich = money.cash * ways.unit > 3.0 * loans.principal
    early = loans.live & (~money.trading | (rich & (loans.leniency > 0.75)))
    early = early & (able >= total - loans.paid)
    loans.due = np.where(early, total, loans.due)
    payment = np.floor(np.where(loans.live, np.minimum(loans.due - loans.paid, able), 0.0))
    loans.paid = loans.paid + payment
    money.cash = money.cash - payment / ways.unit


def _settle(loans: Loans, total: Floats) -> None:
    """Count how late each loan is now, and end those paid off, taken over or written off."""
    whole = np.minimum(np.floor(loans.paid / loans.regular + 1e-9), loans.dues - 1)
    done = loans.live & (loans.paid >= total - 0.5)
    behind = np.where(loans.paid >= loans.due - 0.5, 0.0, loans.fallen - whole)
    loans.late = np.where(loans.live & ~done, behind - 1.0, -1.0)
    taken_over = loans.live & loans.guaranteed & (loans.late >= 5)
    lost = loans.live & ~taken_over & (loans.late >= 12)
    for ended, state in ((done, REPAID), (taken_over, GUARANTEE_PAID), (lost, WRITTEN_OFF)):
        loans.state = np.where(ended, state, loans.state)
        loans.live = loans.live & ~ended
