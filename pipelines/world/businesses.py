"""The businesses of a partition: who they are, and the hidden traits that drive what they do."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.tables import LEGAL_FORMS
from pipelines.world.credit_codes import credit_codes
from pipelines.world.economy import DISTRICT_SHARES, DISTRICTS, Floats
from pipelines.world.frames import UNKNOWN
from pipelines.world.months import Ints, first_day
from pipelines.world.trades import TRADES, by_trade

Bools = NDArray[np.bool_]
HOUSEHOLD, COMPANY = LEGAL_FORMS.index("household"), LEGAL_FORMS.index("company")
APART = 440_000_000  # between the running number of an old and a new code
LEFT_OVER = 0.18  # of a month of ordinary sales, before the owner draws what is above the target
TRAITS = (0.40, 0.58, 0.32, 0.65)  # management, discipline, leverage, and chance on that target
TWINS = 0.015  # of the businesses have a sibling
CRISES = 0.0037  # a month, of an ordinary business past its youth
CUSHION = -0.14  # log months of cash that a middling owner wants


@dataclass(frozen=True)
class Businesses:
    """Columns with one entry per business.

    Amounts are yuan, ``established`` is a day number, cash is counted in months of ordinary sales;
    ``sibling`` is another business of the same owner, UNKNOWN for most; ``heir`` is the code under
    which it would be reborn as a company.
    Management, discipline, concentration, leverage, contribution, margin, target, reserve and
    crisis are hidden: no department ever sees them.
    """

    number: Ints
    code: NDArray[Any]
    heir: NDArray[Any]
    trade: Ints
    form: Ints
    district: Ints
    established: Ints
    established_month: Ints
    woman: Bools
    migrant: Bools
    sibling: Ints
    management: Floats
    discipline: Floats
    concentration: Floats
    leverage: Floats
    monthly_sales: Floats
    volatility: Floats
    contribution: Floats
    margin: Floats
    target: Floats
    reserve: Floats
    crisis: Floats

    def __len__(self) -> int:
        return len(self.number)

    @cached_property
    def codes(self) -> pl.Enum:
        """All codes of the partition in order: as one of these a code is a number to sort by."""
        return pl.Enum(pl.Series(np.concatenate([self.code, self.heir])).sort())

    @cached_property
    def key(self) -> pl.Series:
        """The code of each business."""
        return pl.Series(self.code).cast(self.codes)

    @property
    def household(self) -> Bools:
        """Individual households (a natural person answers for the debts)."""
        return np.asarray(self.form == HOUSEHOLD)


def draw_businesses(
    number: Ints, last_month: int, rng: np.random.Generator, seed: int
) -> Businesses:
    """Draw the businesses with these running numbers, all established by ``last_month``."""
    n = len(number)
    trade = rng.choice(len(TRADES), n, p=by_trade("share") / by_trade("share").sum())
    form = _forms(trade, rng)
    company = form != HOUSEHOLD
    district = rng.choice(len(DISTRICTS), n, p=DISTRICT_SHARES)
    age = np.minimum(rng.gamma(1.5, 3.6, n) + 0.8, 30.0)
    management, discipline, leverage_noise, size, buffer = _hidden(n, rng)
    leverage = np.exp(-1.7 + 0.8 * leverage_noise - 0.1 * management)
    concentration = rng.beta(1.6, 3.2, n)
    log_age = np.log(np.maximum(age, 1.0) / 4.0)
    log_sales = np.log(24_000) + 1.10 * size + 1.05 * company + 0.12 * management + 0.15 * log_age
    log_size = np.log(24_000) - log_sales
    sibling = _siblings(n, rng)
    woman = _of_one_owner(sibling, rng.random(n) < 0.34)
    established_month = np.floor(last_month + 1 - age * 12).astype(np.int64)
    return Businesses(
        number=number,
        code=_codes(number, form, district, seed),
        heir=_codes(number + APART, np.full(n, COMPANY), district, seed),
        trade=trade,
        form=form,
        district=district,
        established=first_day(established_month) + rng.integers(0, 28, n),
        established_month=established_month,
        woman=woman,
        migrant=_of_one_owner(sibling, rng.random(n) < np.where(company, 0.35, 0.51)),
        sibling=sibling,
        management=management,
        discipline=discipline,
        concentration=concentration,
        leverage=leverage,
        monthly_sales=np.exp(log_sales),
        volatility=by_trade("volatility", trade) * np.exp(0.08 * log_size),
        contribution=by_trade("contribution", trade),
        margin=_margin(trade, management, leverage, woman),
        target=np.exp(
            CUSHION
            + TRAITS[0] * management
            + TRAITS[1] * discipline
            - TRAITS[2] * leverage
            + 0.04 * log_age
            + TRAITS[3] * buffer
        ),
        reserve=0.05 * np.exp(-0.9 * discipline),
        crisis=CRISES
        * np.exp(0.8 * (concentration - 0.33) - 0.25 * management + 0.14 * log_size)
        * np.where(woman, 0.9, 1.0),
    )


def _hidden(n: int, rng: np.random.Generator) -> tuple[Floats, ...]:
    """Management and discipline (correlated .4), then leverage, size and buffer scores."""
    management, own, leverage, size, buffer = rng.standard_normal((5, n))
    return management, 0.4 * management + np.sqrt(0.84) * own, leverage, size, buffer


def _siblings(n: int, rng: np.random.Generator) -> Ints:
    """Three businesses in two hundred belong to somebody who owns another one."""
    paired = rng.permutation(n)[: 2 * round(n * TWINS / 2)].reshape(2, -1)
    sibling = np.full(n, UNKNOWN)
    sibling[paired[0]], sibling[paired[1]] = paired[1], paired[0]
    return sibling


def _of_one_owner(sibling: Ints, trait: Bools) -> Bools:
    """The trait of the owner: that of the earlier of two siblings."""
    place = np.arange(len(trait))
    return trait[np.where(sibling >= 0, np.minimum(sibling, place), place)]


def _forms(trade: Ints, rng: np.random.Generator) -> Ints:
    household = rng.random(len(trade)) < by_trade("household", trade)
    other = rng.choice([0, 2, 3, 4], len(trade), p=[0.90, 0.065, 0.015, 0.02])
    return np.where(household, HOUSEHOLD, other)


def _margin(trade: Ints, management: Floats, leverage: Floats, woman: Bools) -> Floats:
    """Share of ordinary sales left after costs, the owner's living and interest on old debts."""
    return (
        by_trade("margin", trade)
        + LEFT_OVER
        + 0.012 * management
        - 0.020 * np.minimum(leverage, 1.5)
        + 0.004 * woman
    )


def _codes(number: Ints, form: Ints, district: Ints, seed: int) -> NDArray[Any]:
    names = [LEGAL_FORMS[f] for f in form]
    return credit_codes(number, names, [DISTRICTS[d] for d in district], seed)
