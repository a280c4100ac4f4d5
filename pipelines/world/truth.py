"""What no bank can know: the default probability of every application, and its other life.

The probability comes from living many futures from the hidden state at the application, had the
bank granted what was asked; the other life meets the very luck that the business did meet.

Half of the futures are spared any crisis and half are struck by one, and each half counts with its
own probability (stratified sampling), which tells healthy applicants apart with few futures.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from pipelines.world import bank
from pipelines.world.businesses import Bools, Businesses
from pipelines.world.cash import Luck, collect, trade_a_month, ways
from pipelines.world.columns import taken
from pipelines.world.economy import Climate, Floats
from pipelines.world.lives import Asked, Lives
from pipelines.world.months import Ints

WINDOW_INSTALMENT, WINDOW_BULLET = 12, 15  # months from the payout
HORIZON = WINDOW_BULLET + 1  # the payout may fall into the month after the application
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


def _luck(rng: np.random.Generator, crisis: Floats, struck: Ints, k: int) -> Luck:
    """Luck of month ``k``: no crisis before the month ``struck``, one in it, any luck after it."""
    n = len(crisis)
    course, month, lumps = rng.standard_normal((3, n))
    chance = rng.random(n)
    spared = crisis + (1 - crisis) * chance
    turn = np.where(k < struck, spared, np.where(k == struck, crisis * chance * 0.999, chance))
    return Luck(course=course, month=month, lumps=lumps, turn=turn)


def other_life(businesses: Businesses, climate: Climate, asked: Asked, lives: Lives) -> Bools:
    """Whether each application would have defaulted in the window, had it been granted as asked."""
    who, at = asked.request.business, asked.request.month - climate.start
    luck = lives.luck

    def met(k: int) -> Luck:
        row = at + k
        return Luck(
            luck.course[row, who], luck.month[row, who], luck.lumps[row, who], luck.turn[row, who]
        )

    return _live_on(businesses, climate, asked, met)


def _live_on(
    businesses: Businesses, climate: Climate, asked: Asked, luck: Callable[[int], Luck]
) -> Bools:
    """Live the months after each application with the loan asked for; say who defaults in time."""
    request = asked.request
    firms = taken(businesses, request.business)
    money, loans = taken(asked.money, slice(None)), bank.new_loans(request, request.amount)
    traits = ways(firms, asked.years)
    money.stock = money.stock + request.amount / traits.unit
    at = request.month - climate.start
    window = np.where(request.bullet, WINDOW_BULLET, WINDOW_INSTALMENT)
    bad = np.zeros(len(at), dtype=bool)
    for k in range(1, HORIZON + 1):
        row = np.minimum(at + k, len(climate.prime) - 1)
        macro = climate.macro[row, firms.trade] + climate.town[row, firms.district]
        sales = trade_a_month(money, traits, luck(k), macro)
        collect(loans, money, traits, sales, climate.lenient[row])
        bad |= (loans.late >= 3) & (loans.age <= window)
    return bad
