"""The price of a product: a reference rate and a spread, but never below what the risk costs."""

from collections.abc import Sequence
from datetime import date
from decimal import ROUND_CEILING, Decimal
from typing import Annotated

import msgspec
from msgspec import Meta

Share = Annotated[float, Meta(ge=0, le=1)]
BasisPoints = Annotated[int, Meta(ge=0, le=10_000)]
STEP_BP = 5  # contract rates are whole multiples of it, rounded up


class ReferenceRate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The rate contracts refer to (the one-year loan prime rate), from a day on."""

    from_on: date
    bp: BasisPoints


class Cost(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What lending costs a bank a year, basis points of the loan; ``lgd`` is loss given default.

    ``capital_bp`` is what the capital behind the loan must earn above its funding: risk weight
    times capital ratio times the owners' premium.
    """

    funding_bp: BasisPoints
    operating_bp: BasisPoints
    capital_bp: BasisPoints
    margin_bp: BasisPoints = 0
    lgd: Share


class Price(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Spread over the reference rate by grade, what lending costs, and the highest rate asked.

    A grade without a spread is not served.
    """

    spread_bp: dict[str, BasisPoints]
    cost: Cost
    highest_bp: BasisPoints
    source: str


def reference_bp(rates: Sequence[ReferenceRate], on: date) -> int | None:
    """The reference rate in force on a day; None before the first."""
    known = [rate for rate in rates if rate.from_on <= on]
    return max(known, key=lambda rate: rate.from_on).bp if known else None


def cost_bp(cost: Cost, probability: float, guaranteed_share: float = 0.0) -> Decimal:
    """Rate that covers funding, operation, capital and expected loss, basis points a year.

    Expected loss is the yearly probability of default times the loss given default, less the share
    of it that a guarantee fund bears (Basel's PD x LGD).
    """
    fixed = cost.funding_bp + cost.operating_bp + cost.capital_bp + cost.margin_bp
    borne = Decimal(repr(cost.lgd)) * (1 - Decimal(repr(guaranteed_share)))
    return fixed + Decimal(probability) * borne * 10_000


def rate_bp(
    price: Price,
    *,
    grade: str,
    probability: float,
    reference: int,
    guaranteed_share: float = 0.0,
) -> int | None:
    """Contract rate a year, basis points; None if the product has no price for this risk.

    It never falls as the probability of default rises, as long as spreads do not fall from grade to
    grade (which a policy is held to).
    """
    spread = price.spread_bp.get(grade)
    if spread is None:
        return None
    asked = max(Decimal(reference + spread), cost_bp(price.cost, probability, guaranteed_share))
    rate = int((asked / STEP_BP).to_integral_value(ROUND_CEILING)) * STEP_BP
    return rate if rate <= price.highest_bp else None
