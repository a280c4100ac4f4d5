"""The bank's past: who applied for what, and how its officers decided under the old policy."""

from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import numpy as np

from features.tables import PURPOSES
from pipelines.world.businesses import Bools, Businesses
from pipelines.world.cash import PERFORMING, Loans, Money
from pipelines.world.economy import DISTRICTS, Floats
from pipelines.world.months import Ints, first_day, month_of

APPLIES = 0.185  # a month, of those without a live loan
OFFICERS = 24
DISFAVOURED = DISTRICTS.index("330503")
TWIN_APPLIES = 0.5  # of the owners of two businesses apply for both at once
CUT_OFF = 0.03
GRANTED, DECLINED, WITHDRAWN = range(3)


class Bias(NamedTuple):
    """Points of the old score held against an applicant at equal merit, the same for all officers.

    ``district`` is held against businesses of DISFAVOURED. It is what fairness tests must find.
    """

    migrant: float = 0.35
    woman: float = 0.10
    district: float = 0.15


@dataclass(frozen=True)
class Request:
    """Applications of one month, one entry each; ``business`` counts within the partition.

    ``applied`` and ``paid_out`` are days; ``leniency`` and ``guaranteed`` are what the loan would
    meet with. Amounts in fen, ``rate`` per year.
    """

    month: Ints
    business: Ints
    applied: Ints
    minute: Ints
    paid_out: Ints
    amount: Floats
    term: Floats
    bullet: Bools
    purpose: Ints
    rate: Floats
    leniency: Floats
    guaranteed: Bools
    officer: Ints

    @property
    def delay(self) -> Ints:
        """1 where the payout falls into the month after the application, else 0."""
        return np.asarray(month_of(self.paid_out) - self.month)


def applicants(money: Money, years: Floats, free: Bools, chance: Floats) -> Ints:
    """Who applies this month: those in need of money and those who grow, more often.

    The very young apply less, and nobody who has lived without money for two months comes.
    """
    known = 1 - 0.8 * np.exp(-years / 1.3)
    need = known * np.exp(0.25 * np.clip(1.0 - money.cash, -1.5, 1.0) + 0.25 * money.deviation)
    return np.flatnonzero(free & money.trading & (money.broke < 2) & (chance < APPLIES * need))


def with_twins(businesses: Businesses, who: Ints, free: Bools, chance: Floats) -> tuple[Ints, Ints]:
    """The applicants and the siblings of some, and of each the entry whose request it copies.

    Who copies nobody points at itself.
    """
    twin = businesses.sibling[who]
    comes = (twin >= 0) & (chance < TWIN_APPLIES)
    comes &= free[twin] & ~np.isin(twin, who)
    first = np.flatnonzero(comes)
    return np.concatenate([who, twin[first]]), np.concatenate([np.arange(len(who)), first])


def copied(request: Request, first: Ints) -> Request:
    """The requests with amount, term, purpose and form as those of the entries they copy."""
    same = {f: getattr(request, f)[first] for f in ("amount", "term", "bullet", "purpose")}
    return replace(request, **same)


def draw_requests(
    businesses: Businesses,
    who: Ints,
    month: int,
    prime: float,
    rng: np.random.Generator,
) -> Request:
    """What the applicants of a month ask for."""
    n = len(who)
    applied = first_day(month) + rng.integers(0, 28, n)
    bullet = rng.random(n) < 0.65
    share = np.exp(np.log(0.17) + 0.50 * rng.standard_normal(n))
    yuan = np.clip(businesses.monthly_sales[who] * 12 * share, 10_000, 3_000_000)
    spread = rng.normal(0.021, 0.006, n) + 0.004 * businesses.household[who]
    return Request(
        month=np.full(n, month),
        business=who,
        applied=applied,
        minute=rng.integers(8 * 60, 22 * 60, n),
        paid_out=_payout(applied + rng.integers(2, 13, n)),
        amount=_heaped(yuan) * 100.0,
        term=_terms(bullet, rng),
        bullet=bullet,
        purpose=rng.choice(len(PURPOSES), n, p=[0.45, 0.25, 0.15, 0.10, 0.05]),
        rate=prime + np.maximum(spread, 0.002),
        leniency=rng.random(n),
        guaranteed=rng.random(n) < 0.25,
        officer=rng.integers(0, OFFICERS, n),
    )


def _heaped(yuan: Floats) -> Floats:
    """Round to what people ask for: tens of thousands, fifties above 300,000."""
    step = np.where(yuan < 300_000, 10_000, np.where(yuan < 1_000_000, 50_000, 100_000))
    return np.asarray(np.maximum(np.round(yuan / step), 1) * step)


def _terms(bullet: Bools, rng: np.random.Generator) -> Floats:
    chance = rng.random(len(bullet))
    bullets = np.where(chance < 0.16, 6, 12)
    instalments = np.where(chance < 0.50, 12, np.where(chance < 0.85, 24, 36))
    return np.where(bullet, bullets, instalments).astype(float)


def _payout(day: Ints) -> Ints:
    """Move a payout into the 2nd to 24th of its month, so that due days exist in every month."""
    month = month_of(day)
    of_month = day - first_day(month)
    return np.asarray(
        np.where(
            of_month > 23,
            first_day(month + 1) + 1 + of_month % 7,
            np.maximum(day, first_day(month) + 1),
        )
    )


def officers(seed: int) -> Floats:
    """Weight each officer gives to what the visit tells; the whole province shares the officers."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 1_000_033]))
    return rng.uniform(0.09, 0.60, OFFICERS)


@dataclass(frozen=True)
class File:
    """What the old policy looks at, one entry per applicant; counts over 24 months, fading."""

    years: Floats
    yearly_sales: Floats
    growth: Floats
    late: Floats
    arrears: Floats
    court: Floats
    abnormal: Floats
    visit: Floats
    dressed: Floats


def held_against(businesses: Businesses, who: Ints, bias: Bias) -> Floats:
    """Points that the old policy subtracts for whom the owner is, or where the business is."""
    b = businesses
    return np.asarray(
        bias.migrant * b.migrant[who]
        + bias.woman * b.woman[who]
        + bias.district * (b.district[who] == DISFAVOURED)
    )


def old_score(file: File, skill: Floats, noise: Floats) -> Floats:
    """The old policy: seasoned, growing, punctual firms, and an officer's impression of a visit."""
    return np.asarray(
        0.55 * np.log(file.years + 0.5)
        + 0.20 * np.log(file.yearly_sales / 300_000)
        + 0.9 * np.clip(file.growth, -1.0, 1.0)
        - 0.5 * file.late
        - 0.8 * file.arrears
        - 1.5 * file.court
        - 0.7 * file.abnormal
        + skill * file.visit
        + file.dressed
        + 1.8 * noise
    )


def decide(score: Floats, chance: Floats) -> Ints:
    """Granted above the old cut-off; one in twenty-five has withdrawn by then."""
    decided = np.where(score >= CUT_OFF, GRANTED, DECLINED)
    return np.asarray(np.where(chance < 0.04, WITHDRAWN, decided))


def granted_amount(request: Request, score: Floats, chance: Floats) -> Floats:
    """The bank pays out what was asked, or less to three in ten of the weaker half."""
    share = np.where((chance < 0.3) & (score < CUT_OFF + 0.8), 0.5 + chance, 1.0)
    return np.asarray(np.maximum(np.floor(request.amount * share / 1e6), 1) * 1e6)


def empty_loans(n: int) -> Loans:
    """A free slot for each business, every column an array of its own."""
    start = {"dues": 1.0, "regular": 1.0, "final": 1.0, "late": -1.0}
    flags = ("live", "bullet", "guaranteed")
    return Loans(
        **{
            f.name: np.full(n, fill_value=False if f.name in flags else start.get(f.name, 0.0))
            for f in fields(Loans)
        }
    )


def new_loans(request: Request, amount: Floats) -> Loans:
    """The loans of these requests on the day of the payout, ``amount`` fen each."""
    n, monthly = len(amount), request.rate / 12
    interest = np.maximum(np.floor(amount * monthly), 1)
    annuity = np.ceil(amount * monthly / (1 - (1 + monthly) ** -request.term))
    regular = np.where(request.bullet, interest, annuity)
    return Loans(
        live=np.ones(n, dtype=bool),
        bullet=request.bullet,
        age=-request.delay.astype(float),
        fallen=np.zeros(n),
        dues=request.term,
        regular=regular,
        final=np.where(request.bullet, interest + amount, annuity),
        principal=amount,
        due=np.zeros(n),
        paid=np.zeros(n),
        late=np.full(n, -1.0),
        state=np.full(n, float(PERFORMING)),
        leniency=request.leniency,
        guaranteed=request.guaranteed,
    )
