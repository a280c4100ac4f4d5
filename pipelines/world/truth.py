"""What no bank can know: the default probability of every application, and its other life.

The probability comes from living many futures from the hidden state at the application, had the
bank granted what was asked; the other life meets the very luck that the business did meet.

Some of the futures are spared any crisis and the others are struck by one, and each kind counts
with its own probability (stratified sampling). A few of each are lived for every application; they
tell where the rest are worth living, which is in proportion to the spread they leave (Neyman 1934).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipelines.world import bank
from pipelines.world.businesses import Bools, Businesses
from pipelines.world.cash import Loans, Luck, Money, Ways, collect, trade_a_month, ways
from pipelines.world.columns import taken
from pipelines.world.economy import Climate, Floats
from pipelines.world.lives import Asked, Lives
from pipelines.world.months import Ints

WINDOW_INSTALMENT, WINDOW_BULLET = 12, 15  # months from the payout
HORIZON = WINDOW_BULLET + 1  # the payout may fall into the month after the application
WORTH_DROPPING = 0.8  # of the loans still open: below it, those decided are left out
TOGETHER = 16_384  # futures lived side by side, to keep arrays in the processor's cache
FIRST = np.array([[4], [2]])  # futures of every application: spared, struck
CELLS = 12  # of like applications, which share the first look


def default_probability(
    businesses: Businesses, climate: Climate, asked: Asked, futures: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Probability of 90 days past due within the window of each application, and standard error.

    The window is 12 months from the payout for instalments, 15 for bullet loans. ``futures`` lives
    are spent per application in the mean, and at least the first few on each.
    """
    start = _paid_out(businesses, climate, asked)
    comes = 1 - (1 - start.traits.crisis) ** HORIZON
    weight = np.stack([1 - comes, comes])
    lived = np.broadcast_to(FIRST, weight.shape)
    bad = _defaults(start, climate, lived, rng)
    usual = _usual(bad / lived, _cells(asked.money))
    wanted = weight * np.sqrt(usual * (1 - usual))
    rest = max(futures - int(FIRST.sum()), 0) * wanted.shape[1]
    more = np.floor(rest * wanted / wanted.sum() + rng.random(weight.shape)).astype(np.int64)
    bad, lived = bad + _defaults(start, climate, more, rng), lived + more
    rate = (bad + usual) / (lived + 1)  # where none of a few went bad, it is not as if none could
    spread = weight**2 * rate * (1 - rate) / lived
    return (weight * bad / lived).sum(axis=0), np.sqrt(spread.sum(axis=0))


def _cells(money: Money) -> Ints:
    """A number for each application, the same for those alike in cash and in sales."""
    health = np.log(np.maximum(money.cash, 0.08)) + 0.8 * money.deviation
    edges = np.quantile(health, np.linspace(0, 1, CELLS + 1)[1:-1])
    return np.asarray(np.digitize(health, edges))


def _usual(rate: Floats, cell: Ints) -> Floats:
    """Mean rate of each kind of future in the cell of each application, one bad one added."""
    size = np.bincount(cell, minlength=CELLS)
    total = np.stack([np.bincount(cell, kind, CELLS) for kind in rate])
    return np.asarray(((total + 0.5) / (size + 1))[:, cell])


def _defaults(
    start: "_Running", climate: Climate, futures: Ints, rng: np.random.Generator
) -> Floats:
    """How many of the ``futures`` of each kind (rows) and application (columns) go bad."""
    kinds, n = futures.shape
    life = np.repeat(np.arange(kinds * n), futures.ravel())
    turn = np.arange(len(life)) - np.repeat(np.cumsum(futures) - futures.ravel(), futures.ravel())
    order = (turn + rng.random(len(life))) / np.repeat(futures.ravel(), futures.ravel())
    bad = np.zeros(kinds * n)
    for first in range(0, len(life), TOGETHER):
        these = slice(first, first + TOGETHER)
        kind, who = np.divmod(life[these], n)
        crisis = start.traits.crisis[who]
        struck = np.where(kind == 0, HORIZON + 1, _first_crisis(order[these], crisis))
        luck = _Chance(rng, crisis, struck)
        bad += np.bincount(life[these], _live_on(taken(start, who), climate, luck), kinds * n)
    return bad.reshape(kinds, n)


def _first_crisis(order: Floats, crisis: Floats) -> Ints:
    """Month (1 to the horizon) of a first crisis that is known to come; ``order`` in [0, 1)."""
    comes = 1 - (1 - crisis) ** HORIZON
    month = np.ceil(np.log1p(-order * comes) / np.log1p(-crisis))
    return np.clip(month, 1, HORIZON).astype(np.int64)


@dataclass(frozen=True)
class _Chance:
    """Fresh luck: no crisis before the month ``struck``, one in it, any luck after it."""

    rng: np.random.Generator
    crisis: Floats
    struck: Ints

    def __call__(self, k: int, left: Ints) -> Luck:
        """The luck of month ``k`` of the lives ``left``."""
        course, month, lumps = self.rng.standard_normal((3, len(left)))
        chance, crisis, struck = self.rng.random(len(left)), self.crisis[left], self.struck[left]
        spared = crisis + (1 - crisis) * chance
        turn = np.where(k < struck, spared, np.where(k == struck, crisis * chance * 0.999, chance))
        return Luck(course=course, month=month, lumps=lumps, turn=turn)


def other_life(businesses: Businesses, climate: Climate, asked: Asked, lives: Lives) -> Bools:
    """Whether each application would have defaulted in the window, had it been granted as asked."""
    who, at = asked.request.business, asked.request.month - climate.start
    luck = lives.luck

    def met(k: int, left: Ints) -> Luck:
        row, one = at[left] + k, who[left]
        return Luck(
            luck.course[row, one], luck.month[row, one], luck.lumps[row, one], luck.turn[row, one]
        )

    return _live_on(_paid_out(businesses, climate, asked), climate, met)


@dataclass
class _Running:
    """Loans whose outcome is open, ``left`` being the position of each among all."""

    left: Ints
    trade: Ints
    district: Ints
    at: Ints
    window: Ints
    money: Money
    loans: Loans
    traits: Ways


def _live_on(now: _Running, climate: Climate, luck: Callable[[int, Ints], Luck]) -> Bools:
    """Live the months after the payouts; say who defaults in time."""
    now.left = np.arange(len(now.left))
    bad = np.zeros(len(now.left), dtype=bool)
    for k in range(1, HORIZON + 1):
        if not len(now.left):
            break
        row = np.minimum(now.at + k, len(climate.prime) - 1)
        macro = climate.macro[row, now.trade] + climate.town[row, now.district]
        sales = trade_a_month(now.money, now.traits, luck(k, now.left), macro)
        collect(now.loans, now.money, now.traits, sales, climate.decree[row])
        missed = (now.loans.late >= 3) & (now.loans.age <= now.window)
        bad[now.left[missed]] = True
        open_ = now.loans.live & ~missed & (now.loans.age < now.window)
        if open_.mean() < WORTH_DROPPING:
            now = taken(now, open_)
    return bad


def _paid_out(businesses: Businesses, climate: Climate, asked: Asked) -> _Running:
    """Every application on the day it gets the loan it asked for."""
    request = asked.request
    firms = taken(businesses, request.business)
    traits = ways(firms, asked.years)
    money = taken(asked.money, slice(None))
    money.stock = money.stock + request.amount / traits.unit
    return _Running(
        left=np.arange(len(asked.years)),
        trade=firms.trade,
        district=firms.district,
        at=request.month - climate.start,
        window=np.where(request.bullet, WINDOW_BULLET, WINDOW_INSTALMENT),
        money=money,
        loans=bank.new_loans(request, request.amount),
        traits=traits,
    )
