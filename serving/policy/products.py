"""A bank's product: to whom, how much, how long, repaid how, with what guarantee, at what price."""

from datetime import date
from typing import Annotated

import msgspec
from msgspec import Meta

from serving.policy.bilingual import Text
from serving.policy.condition import Condition, all_hold
from serving.policy.instalments import Repayment
from serving.policy.price import Price
from serving.policy.support import Name, Yuan
from serving.policy.values import Row

Months = Annotated[int, Meta(ge=1, le=120)]


class Product(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A product of a bank, offered from ``from_on`` (to ``to_on``, both days included).

    ``eligible`` are conditions on features (form, industry, age of the business); one whose feature
    is unknown does not hold. ``guarantee`` names a fund without which it is not lent.
    """

    id: Name
    bank: Text
    name: Text
    from_on: date
    to_on: date | None = None
    smallest: Yuan
    largest: Yuan
    shortest: Months
    longest: Months
    repayments: tuple[Repayment, ...]
    eligible: tuple[Condition, ...] = ()
    guarantee: str | None = None
    price: Price
    source: str


def is_open_to(product: Product, row: Row, on: date) -> bool:
    """Whether the product is sold on that day to this applicant."""
    is_sold = product.from_on <= on and (product.to_on is None or on <= product.to_on)
    return is_sold and all_hold(product.eligible, row)


def term_of(product: Product, months: int) -> int:
    """The product's term nearest to the one asked for."""
    return min(max(months, product.shortest), product.longest)
