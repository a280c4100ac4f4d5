"""The most a bank would lend to a business now: caps, multiples of sales, working-capital need."""

from collections.abc import Iterable
from typing import Annotated, Literal, NamedTuple, Protocol

import msgspec
from msgspec import Meta

from serving.policy.price import BasisPoints, Share
from serving.policy.support import Yuan
from serving.policy.values import Row, number

Positive = Annotated[float, Meta(gt=0)]
Bound = Literal["policy", "grade", "rule", "sales", "need", "owed"]


class Grading(Protocol):
    """What a grade says of the limit: yuan lent at most and at least, and a multiple of sales."""

    @property
    def cap(self) -> int: ...  # noqa: D102
    @property
    def floor(self) -> int: ...  # noqa: D102
    @property
    def sales_multiple(self) -> float: ...  # noqa: D102


class WorkingCapital(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The official estimate of working-capital need, for limits above ``simplified_to`` yuan.

    need = yearly sales x (1 - profit margin) x (1 + expected growth) / turns a year
    x (1 - own funds). Growth is last year's, held to ``most_growth`` either way; ``turns`` are by
    code of industry, the longest that fits, ``""`` for all others.

    Source: annex of the measures on working-capital loans (流动资金贷款管理办法).
    """

    simplified_to: Yuan
    profit_margin: Share
    own_funds: Share
    growth: str
    most_growth: Share
    industry: str
    turns: dict[str, Positive]
    source: str


class Capacity(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Profit that must cover a year's payments ``cover`` times; profit is a margin of sales.

    What is owed to the bank already takes ``owed_bp`` of it a year, in basis points.
    """

    profit_margin: Share
    cover: Annotated[float, Meta(ge=1)]
    owed_bp: BasisPoints = 0
    source: str


class Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Limit = min(caps, the grade's multiple of yearly sales, need) less what is owed, in steps.

    What was approved in the last ``approved_days`` counts as owed, as the loan book is behind.
    ``sales`` names features of monthly sales in yuan; the first known one counts. A limit below
    ``least_share`` of the amount asked for is no counter-offer: an officer talks to the applicant.
    """

    smallest: Yuan
    cap: Yuan
    step: Annotated[int, Meta(gt=0)]
    sales: tuple[str, ...]
    owed: str
    approved_days: Annotated[int, Meta(ge=0, le=366)] = 0
    least_share: Share
    working_capital: WorkingCapital | None = None
    capacity: Capacity | None = None
    source: str

    @property
    def reads(self) -> frozenset[str]:
        """The features that the limit is computed from."""
        formula = self.working_capital
        of_formula = (formula.growth, formula.industry) if formula else ()
        return frozenset((*self.sales, self.owed, *of_formula))


class Most(NamedTuple):
    """The most that would be lent, whole yuan, what bounds it, and the same were nothing owed."""

    amount: int
    bound: Bound
    owing_nothing: int

    def bound_below(self, amount: int) -> Bound:
        """What keeps ``amount`` from being lent: the debt, if it would be lent without it."""
        return "owed" if self.owing_nothing >= amount else self.bound


def yearly_sales(limit: Limit, row: Row) -> float | None:
    """Yuan; None while no sales are known."""
    known = (number(row, name) for name in limit.sales)
    return next((12 * sales for sales in known if sales is not None), None)


def limit_of(limit: Limit, row: Row, grade: Grading, caps: Iterable[int] = ()) -> Most:
    """The most the bank would lend now, and why not more; 0 while no sales are known.

    Args:
        limit: the policy's limit.
        row: feature values by name; None is unknown.
        grade: its cap, floor and multiple of yearly sales.
        caps: of rules that fired, yuan.
    """
    sales = yearly_sales(limit, row)
    if sales is None:
        return Most(0, "sales", 0)
    bounds: dict[Bound, float] = {
        "policy": limit.cap,
        "grade": grade.cap,
        "sales": max(grade.floor, grade.sales_multiple * sales),
        "rule": min(caps, default=limit.cap),
    }
    if formula := limit.working_capital:
        bounds["need"] = max(formula.simplified_to, need(formula, row, sales))
    bound = min(bounds, key=bounds.__getitem__)
    room = bounds[bound] - (number(row, limit.owed) or 0.0)
    return Most(_lent(limit, room), bound, _lent(limit, bounds[bound]))


def need(formula: WorkingCapital, row: Row, sales: float) -> float:
    """Estimated working-capital need that own funds do not meet, yuan, from yearly sales."""
    grown = number(row, formula.growth)
    growth = 0.0 if grown is None else grown - 1
    expected = min(max(growth, -formula.most_growth), formula.most_growth)
    costs = sales * (1 - formula.profit_margin) * (1 + expected)
    return costs / _turns(formula, row) * (1 - formula.own_funds)


def yearly_capacity_fen(limit: Limit, row: Row) -> int | None:
    """The most that a new loan may cost a year, fen; None if the policy does not ask."""
    if limit.capacity is None:
        return None
    profit, owed = yearly_profit_fen(limit, row), yearly_service_fen(limit, row)
    return max(int(profit / limit.capacity.cover) - owed, 0)


def yearly_profit_fen(limit: Limit, row: Row) -> int:
    """The profit of a year that the policy allows for, fen."""
    margin = limit.capacity.profit_margin if limit.capacity else 0.0
    return int(100 * (yearly_sales(limit, row) or 0.0) * margin)


def yearly_service_fen(limit: Limit, row: Row) -> int:
    """What is owed to the bank already costs a year, fen."""
    share = limit.capacity.owed_bp / 10_000 if limit.capacity else 0.0
    return int(100 * (number(row, limit.owed) or 0.0) * share)


def _lent(limit: Limit, room: float) -> int:
    lent = in_steps(limit, room)
    return lent if lent >= limit.smallest else 0


def in_steps(limit: Limit, yuan: float) -> int:
    """``yuan`` rounded down to whole steps, at least 0."""
    return max(int(yuan // limit.step) * limit.step, 0)


def _turns(formula: WorkingCapital, row: Row) -> float:
    industry = str(row.get(formula.industry) or "")
    fitting = [code for code in formula.turns if industry.startswith(code)]
    return formula.turns[max(fitting, key=len)]
