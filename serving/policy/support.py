"""Public support of a loan: interest subsidies and guarantee funds, each with dates and caps."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Annotated

import msgspec
from msgspec import Meta

from serving.policy.bilingual import Text
from serving.policy.condition import Condition, all_hold
from serving.policy.instalments import YEAR, Payment
from serving.policy.price import BasisPoints, Share
from serving.policy.values import Row

Yuan = Annotated[int, Meta(ge=0)]
Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]*$")]


class Subsidy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Interest that the treasury pays for the borrower, for loans applied for between two days.

    It pays ``rate_bp`` a year on what is owed, for at most ``months``, at most ``most`` yuan, on
    loans of at most ``largest`` yuan; never more than the interest itself.
    """

    id: Name
    name: Text
    from_on: date
    to_on: date
    rate_bp: BasisPoints
    months: Annotated[int, Meta(ge=1)]
    largest: Yuan
    most: Yuan | None = None
    when: tuple[Condition, ...] = ()
    source: str


class GuaranteeFund(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A public fund that bears ``share`` of a loss, for ``fee_bp`` of the principal owed a year."""

    id: Name
    name: Text
    from_on: date
    to_on: date
    share: Share
    fee_bp: BasisPoints
    largest: Yuan
    when: tuple[Condition, ...] = ()
    source: str


def stands_behind(fund: GuaranteeFund, row: Row, on: date) -> bool:
    """Whether the fund takes this applicant on that day."""
    return fund.from_on <= on <= fund.to_on and all_hold(fund.when, row)


def best_subsidy(
    subsidies: Iterable[Subsidy], row: Row, on: date, amount: int, payments: Sequence[Payment]
) -> tuple[str, int] | None:
    """The one subsidy that pays most, and what it pays in fen; a loan gets one, never two."""
    paid = [
        (subsidy.id, paid_fen(subsidy, payments))
        for subsidy in subsidies
        if subsidy.from_on <= on <= subsidy.to_on
        and amount <= subsidy.largest
        and all_hold(subsidy.when, row)
    ]
    return max(paid, key=lambda found: found[1], default=None)


def paid_fen(subsidy: Subsidy, payments: Sequence[Payment]) -> int:
    """What the subsidy pays on these payments, fen; rounded down month by month."""
    months = payments[: subsidy.months]
    paid = sum(min(month.owed * subsidy.rate_bp // YEAR, month.interest) for month in months)
    return paid if subsidy.most is None else min(paid, subsidy.most * 100)


def fee_fen(fund: GuaranteeFund, payments: Sequence[Payment]) -> int:
    """The guarantee's fee over the loan, fen: a twelfth of it a month on what is owed."""
    return sum(-(-month.owed * fund.fee_bp // YEAR) for month in payments)
