"""The lives of a partition's businesses, month by month, with the loans they ask for and repay."""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from pipelines.world import bank, gaming
from pipelines.world.businesses import Bools, Businesses
from pipelines.world.cash import Loans, Luck, Money, collect, trade_a_month, ways
from pipelines.world.columns import joined, taken
from pipelines.world.conduct import Conduct, conduct_of_month
from pipelines.world.economy import Climate, Floats
from pipelines.world.months import Ints

MEMORY = 0.96  # of an old mark on the file from one month to the next


@dataclass(frozen=True)
class Lives:
    """Everything that happened, by month (rows) and business (columns), hidden parts included.

    ``sales`` is relative to ordinary sales and without season; ``alive`` says that the business was
    established, ``trading`` that it sells. ``luck`` is the chance each month met with, so that the
    same months can be lived again under another decision.
    """

    alive: Bools
    trading: Bools
    sales: Floats
    cash: Floats
    conduct: Conduct
    luck: Luck


@dataclass(frozen=True)
class Asked:
    """All applications, with the hidden state at the application and what the bank decided.

    ``fair`` says whether the score without the bias would have passed; ``scheme`` is a kind of
    ``gaming``.
    """

    request: bank.Request
    money: Money
    years: Floats
    outcome: Ints
    fair: Bools
    scheme: Ints
    granted: Floats


@dataclass(frozen=True)
class Book:
    """State of every live loan at the end of every month, ended ones in their last month.

    ``application`` counts in :class:`Asked`, ``month`` is a row of the climate.
    """

    application: Ints
    business: Ints
    month: Ints
    loans: Loans


def behaved(lives: Lives, punctual: Bools) -> Lives:
    """The lives as the tax bureau meets them: without lateness in the ``punctual`` months."""
    conduct = replace(
        lives.conduct,
        files_late=lives.conduct.files_late & ~punctual,
        cannot_pay_tax=lives.conduct.cannot_pay_tax & ~punctual,
    )
    return replace(lives, conduct=conduct)


def draw_luck(months: int, n: int, rng: np.random.Generator) -> Luck:
    """The chance of ``months`` months of ``n`` businesses."""
    course, month, lumps = rng.standard_normal((3, months, n))
    return Luck(course=course, month=month, lumps=lumps, turn=rng.random((months, n)))


def luck_of(luck: Luck, month: int) -> Luck:
    """The chance of one month."""
    return Luck(luck.course[month], luck.month[month], luck.lumps[month], luck.turn[month])


def first_money(businesses: Businesses, rng: np.random.Generator) -> Money:
    """State at the first month: as the dynamics settle for the old, a start capital for the new."""
    n = len(businesses)
    return Money(
        deviation=0.34 * businesses.volatility * rng.standard_normal(n),
        cash=businesses.target * np.exp(0.35 * rng.standard_normal(n)),
        stock=np.zeros(n),
        trading=np.ones(n, dtype=bool),
        broke=np.zeros(n),
    )


class Past:
    """Lives the months one after another with :meth:`live_month` and keeps the record."""

    def __init__(
        self, businesses: Businesses, climate: Climate, *, open_month: int, close_month: int,
        seed: int, bias: bank.Bias, life: np.random.Generator, asking: np.random.Generator,
    ) -> None:  # fmt: skip
        self.businesses, self.climate, self.bias, self.asking = businesses, climate, bias, asking
        self.open_month, self.close_month = open_month, close_month
        months, n = len(climate.prime), len(businesses)
        self.luck = draw_luck(months, n, life)
        self.chance = life.random((months, 5, n))
        self.money, self.loans = first_money(businesses, life), bank.empty_loans(n)
        self.skill = bank.officers(seed)
        self.held = np.full(n, -1)
        self.marks = np.zeros((4, n))
        self.sold = np.zeros((months + 1, n))
        self.alive = businesses.established_month <= climate.months[:, None]
        self.months: list[dict[str, Any]] = []
        self.asked: list[Asked] = []
        self.book: list[Book] = []
        self.applications = 0

    def live_month(self, t: int) -> None:
        """Trade, pay what is due, behave, and perhaps apply for a loan."""
        b = self.businesses
        years = (self.climate.months[t] - b.established_month) / 12.0
        traits = ways(b, years)
        before = taken(self.money, slice(None))
        macro = self.climate.macro[t, b.trade] + self.climate.town[t, b.district]
        luck = luck_of(self.luck, t)
        sales = trade_a_month(self.money, traits, luck, macro)
        self._unborn_wait(t, before)
        collect(self.loans, self.money, traits, sales, np.full(len(b), self.climate.decree[t]))
        conduct = conduct_of_month(b, self.money.cash, self.chance[t])
        self._record(t, sales * self.alive[t], conduct)
        if self.open_month <= t < self.close_month:
            self._apply(t, years)

    def _unborn_wait(self, t: int, before: Money) -> None:
        """Businesses not yet established keep the state they will start with."""
        for f in fields(Money):
            now, then = getattr(self.money, f.name), getattr(before, f.name)
            setattr(self.money, f.name, np.where(self.alive[t], now, then))

    def _record(self, t: int, sales: Floats, conduct: Conduct) -> None:
        b, money = self.businesses, self.money
        self.sold[t + 1] = self.sold[t] + sales * b.monthly_sales
        flags = (conduct.files_late, conduct.cannot_pay_tax, conduct.court_debt, conduct.abnormal)
        rate = np.array([0.4, 0.4, 1.0, 1.0])[:, None]  # tax conduct shows once a quarter or so
        self.marks = MEMORY * self.marks + rate * np.array(flags)
        trading = money.trading & self.alive[t]
        self.months.append(
            {"sales": sales, "cash": money.cash, "trading": trading, "conduct": conduct}
        )
        seen = np.flatnonzero((self.held >= 0) & (self.loans.age >= 0))
        row = np.full(len(seen), t)
        self.book.append(Book(self.held[seen], seen, row, taken(self.loans, seen)))
        self.held = np.where(self.loans.live, self.held, -1)

    def _apply(self, t: int, years: Floats) -> None:
        b, rng = self.businesses, self.asking
        free = ~self.loans.live & (years > 0.4)
        free &= self.money.trading
        who = bank.applicants(self.money, years, free, rng.random(len(b)))
        who, first = bank.with_twins(b, who, free, rng.random(len(who)))
        month, prime = int(self.climate.months[t]), float(self.climate.prime[t])
        request = bank.copied(bank.draw_requests(b, who, month, prime, rng), first)
        scheme = gaming.tempted(b, who, self.money.cash[who], *rng.random((2, len(who))))
        file = self._file(t, who, years, gaming.IMPRESSES * (scheme != gaming.HONEST))
        noise, withdraws, trims = rng.standard_normal(len(who)), *rng.random((2, len(who)))
        merit = bank.old_score(file, self.skill[request.officer], noise)
        score = merit - bank.held_against(b, who, self.bias)
        outcome = bank.decide(score, withdraws)
        amount = bank.granted_amount(request, score, trims)
        amount = np.where(outcome == bank.GRANTED, amount, 0.0)
        state = taken(self.money, who)
        fair = merit >= bank.CUT_OFF
        self.asked.append(Asked(request, state, years[who], outcome, fair, scheme, amount))
        self._pay_out(t, request, outcome == bank.GRANTED, amount)
        self.applications += len(who)

    def _file(self, t: int, who: Ints, years: Floats, dressed: Floats) -> bank.File:
        """What the bank sees: sales a month old, marks on the file, a visit's impression."""
        end = max(t - 1, 0)
        year, before = max(end - 12, 0), max(end - 24, 0)
        now = self.sold[end, who] - self.sold[year, who]
        then = self.sold[year, who] - self.sold[before, who]
        growth = np.where(years[who] > 2, np.log((now + 1e3) / (then + 1e3)), 0.0)
        late, arrears, court, abnormal = np.minimum(self.marks[:, who], 3.0)
        money = taken(self.money, who)
        visit = np.log(np.maximum(money.cash, 0.15)) + 0.8 * money.deviation
        return bank.File(
            years[who], np.maximum(now, 1e4), growth, late, arrears, court, abnormal,
            visit, dressed,
        )  # fmt: skip

    def _pay_out(self, t: int, request: bank.Request, granted: Bools, amount: Floats) -> None:
        """Put the granted loans into their slots and the book, and the money into stock."""
        chosen = np.flatnonzero(granted)
        who = request.business[chosen]
        loans = bank.new_loans(taken(request, chosen), amount[chosen])
        self.held[who] = self.applications + chosen
        now = np.flatnonzero(loans.age == 0)
        self.book.append(
            Book(self.held[who[now]], who[now], np.full(len(now), t), taken(loans, now))
        )
        for f in fields(Loans):
            getattr(self.loans, f.name)[who] = getattr(loans, f.name)
        unit = np.floor(self.businesses.monthly_sales[who]) * 100
        self.money.stock[who] += amount[chosen] / unit

    def result(self) -> tuple[Lives, Asked, Book]:
        """All months, applications and loan states so far."""
        return (
            Lives(
                alive=self.alive[: len(self.months)],
                trading=np.array([m["trading"] for m in self.months]),
                sales=np.array([m["sales"] for m in self.months]),
                cash=np.array([m["cash"] for m in self.months]),
                conduct=joined([m["conduct"] for m in self.months], np.array),
                luck=self.luck,
            ),
            joined(self.asked),
            joined(self.book),
        )
