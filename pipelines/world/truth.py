"""What no bank can know: the default probability of every application, and its other life.

The probability comes from living many futures from the hidden state at the application, had the
bank granted what was asked; the other life meets the very luck that the business did meet.

Half of the futures are spared any crisis and half are struck by one, and each half counts with its
own probability (stratified sampling), which tells healthy applicants apart with few futures.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

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
TOGETHER = 4  # futures lived side by side, to keep arrays in the processor's cache


def default_probability(
    businesses: Businesses, climate: Climate, asked: Asked, futures: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Probability of 90 days past due within the window of each application, and standard error.

    The window is 12 months from the payout for instalments, 15 for bullet loans. ``futures`` lives
    per application are spent, at least two of each kind.
    """
    n, each = len(asked.years), max(futures // 2, 2)
    firms = taken(businesses, asked.request.business)
    crisis = ways(firms, asked.years).crisis
    spared = (1 - crisis) ** HORIZON
    rate = np.zeros((2, n))
    for first in range(0, each, TOGETHER):
        block = np.arange(first, min(first + TOGETHER, each))
        again = np.tile(np.arange(n), len(block))
        asked_again = taken(asked, again)
        order = (np.repeat(block, n) + rng.random(len(again))) / each
        month = _first_crisis(order, crisis[again])
        for kind, struck in enumerate((np.full(len(again), HORIZON + 1), month)):
            luck = partial(_luck, rng, crisis[again], struck)
            bad = _live_on(businesses, climate, asked_again, luck)
            rate[kind] += bad.reshape(len(block), n).sum(axis=0)
    shrunk = (rate + 0.5) / (each + 1)
    spread = shrunk * (1 - shrunk) / each
    probability = (spared * rate[0] + (1 - spared) * rate[1]) / each
    return probability, np.sqrt(spared**2 * spread[0] + (1 - spared) ** 2 * spread[1])


def _first_crisis(order: Floats, crisis: Floats) -> Ints:
    """Month (1 to the horizon) of a first crisis that is known to come; ``order`` in [0, 1)."""
    comes = 1 - (1 - crisis) ** HORIZON
    month = np.ceil(np.log1p(-order * comes) / np.log1p(-crisis))
    return np.clip(month, 1, HORIZON).astype(np.int64)


def _luck(rng: np.random.Generator, crisis: Floats, struck: Ints, k: int, left: Ints) -> Luck:
    """Luck of month ``k``: no crisis before the month ``struck``, one in it, any luck after it."""
    course, month, lumps = rng.standard_normal((3, len(left)))
    chance, crisis, struck = rng.random(len(left)), crisis[left], struck[left]
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

    return _live_on(businesses, climate, asked, met)


@dataclass
class _Running:
    """Applications whose outcome is open, by position among all."""

    left: Ints
    trade: Ints
    district: Ints
    at: Ints
    window: Ints
    money: Money
    loans: Loans
    traits: Ways


def _live_on(
    businesses: Businesses, climate: Climate, asked: Asked, luck: Callable[[int, Ints], Luck]
) -> Bools:
    """Live the months after each application with the loan asked for; say who defaults in time."""
    now = _paid_out(businesses, climate, asked)
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
