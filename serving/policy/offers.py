"""Offers: what each product would lend to this applicant, and what it costs the borrower in all."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from serving.policy.asked import Asked
from serving.policy.bilingual import Text
from serving.policy.instalments import YEAR, Payment, Repayment, instalment, schedule
from serving.policy.limit import (
    Limit,
    in_steps,
    yearly_capacity_fen,
    yearly_profit_fen,
    yearly_service_fen,
)
from serving.policy.price import ReferenceRate, rate_bp, reference_bp
from serving.policy.products import Product, is_open_to, term_of
from serving.policy.support import GuaranteeFund, Subsidy, best_subsidy, fee_fen, stands_behind
from serving.policy.values import Row

Money = Annotated[Decimal, Meta(description="Yuan with two decimals, exact")]
MILLION = 100_000_000  # fen


class Market(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What banks and the public purse hold out."""

    reference_rates: tuple[ReferenceRate, ...]
    funds: tuple[GuaranteeFund, ...] = ()
    subsidies: tuple[Subsidy, ...] = ()
    products: tuple[Product, ...]


class Borrower(NamedTuple):
    """Who asks, as a product sees them: features, grade, probability of default, limit in yuan."""

    row: Row
    grade: str
    probability: float
    limit: int


class Guarantee(msgspec.Struct, frozen=True):
    """The fund behind an offer, the share of a loss it bears, and its fee over the loan."""

    fund: str
    share: float
    fee: Money


class Relief(msgspec.Struct, frozen=True):
    """The subsidy of an offer, and what it pays of the interest over the loan."""

    subsidy: str
    amount: Money


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """A loan that a product would give, and what it costs. Rates are basis points a year.

    ``rate_bp`` is the contract rate in simple interest: a month costs a twelfth of it on what is
    owed. ``all_in_bp`` is all that the borrower pays for the loan (interest and guarantee fee) over
    the principal really owed, a year; ``net_bp`` is the same after the subsidy. This is how the
    central bank's announcement no. 3 of 2021 wants rates shown. ``cover`` is how often the yearly
    profit allowed for by the policy covers the payments of the first year, with the guarantee's fee
    and what is owed to the bank already.
    """

    product: str
    bank: Text
    name: Text
    amount: int
    term_months: int
    repayment: Repayment
    rate_bp: int
    all_in_bp: int
    net_bp: int
    instalment: Money
    last_instalment: Money
    interest: Money
    guarantee: Guarantee | None
    subsidy: Relief | None
    cost: Money
    net_cost: Money
    cover: float | None


class _Terms(NamedTuple):
    """A product at its price for one borrower."""

    product: Product
    rate_bp: int
    months: int
    fund: GuaranteeFund | None


def offers(market: Market, limit: Limit, borrower: Borrower, asked: Asked) -> tuple[Offer, ...]:
    """What every product would lend, at most one offer each: largest first, then cheapest.

    Cheapest is by ``net_bp``, the rate after guarantee fee and subsidy, so that loans of different
    term and repayment compare. A product that cannot lend the amount repaid as asked offers the
    repayment that lends most. Whoever asks for a guarantee gets guaranteed offers only.
    """
    found = [
        offer
        for product in market.products
        if (terms := _terms(market, product, borrower, asked))
        and (offer := _offer(market, limit, terms, borrower, asked))
    ]
    return tuple(sorted(found, key=lambda offer: (-offer.amount, offer.net_bp, offer.product)))


def _terms(market: Market, product: Product, borrower: Borrower, asked: Asked) -> _Terms | None:
    """The product's price, if it is open to this borrower and has one."""
    reference = reference_bp(market.reference_rates, asked.on)
    fund = next((fund for fund in market.funds if fund.id == product.guarantee), None)
    is_closed = not is_open_to(product, borrower.row, asked.on)
    is_alone = fund is None and (asked.guaranteed or product.guarantee is not None)
    is_refused = fund is not None and not stands_behind(fund, borrower.row, asked.on)
    if is_closed or is_alone or is_refused or reference is None:
        return None
    rate = rate_bp(
        product.price,
        grade=borrower.grade,
        probability=borrower.probability,
        reference=reference,
        guaranteed_share=fund.share if fund else 0.0,
    )
    return (
        None if rate is None else _Terms(product, rate, term_of(product, asked.term_months), fund)
    )


def _offer(
    market: Market, limit: Limit, terms: _Terms, borrower: Borrower, asked: Asked
) -> Offer | None:
    """The product's offer, in the repayment that lends most; as asked for if that lends as much."""
    kinds = sorted(terms.product.repayments, key=lambda kind: kind != asked.repayment)
    lent = {kind: _amount(limit, terms, kind, borrower, asked) for kind in kinds}
    repayment = max(kinds, key=lambda kind: lent[kind])
    if lent[repayment] < max(terms.product.smallest, limit.smallest):
        return None
    return _costed(market, limit, terms, repayment, lent[repayment], borrower.row, asked)


def _amount(
    limit: Limit, terms: _Terms, repayment: Repayment, borrower: Borrower, asked: Asked
) -> int:
    """The most of what is asked for that limit, product, fund and capacity allow, yuan."""
    most = min(borrower.limit, terms.product.largest)
    if terms.fund is not None:
        most = min(most, terms.fund.largest)
    capacity = yearly_capacity_fen(limit, borrower.row)
    if capacity is not None:
        yearly = _yearly_fen(terms, MILLION, repayment)
        most = min(most, capacity * MILLION // (100 * max(yearly, 1)))
    return asked.amount if most >= asked.amount else in_steps(limit, most)


def _yearly_fen(terms: _Terms, amount_fen: int, repayment: Repayment) -> int:
    """What the borrower pays in the first year, the fund's fee at most."""
    fee_bp = terms.fund.fee_bp if terms.fund else 0
    fee = -(-amount_fen * fee_bp * min(terms.months, 12) // YEAR)
    return fee + yearly_payments_fen(amount_fen, terms.rate_bp, terms.months, repayment)


def yearly_payments_fen(amount_fen: int, rate_bp: int, months: int, repayment: Repayment) -> int:
    """What falls due in the first year; a bullet's principal comes from the stock it financed."""
    if repayment == "instalment":
        return min(months, 12) * instalment(amount_fen, rate_bp, months)
    return amount_fen * rate_bp * min(months, 12) // YEAR


def _costed(
    market: Market,
    limit: Limit,
    terms: _Terms,
    repayment: Repayment,
    amount: int,
    row: Row,
    asked: Asked,
) -> Offer:
    payments = schedule(amount * 100, terms.rate_bp, terms.months, repayment)
    interest = sum(payment.interest for payment in payments)
    fee = fee_fen(terms.fund, payments) if terms.fund else 0
    relief = best_subsidy(market.subsidies, row, asked.on, amount, payments)
    paid = relief[1] if relief else 0
    return Offer(
        product=terms.product.id,
        bank=terms.product.bank,
        name=terms.product.name,
        amount=amount,
        term_months=terms.months,
        repayment=repayment,
        rate_bp=terms.rate_bp,
        all_in_bp=_annual_bp(interest + fee, payments),
        net_bp=_annual_bp(interest + fee - paid, payments),
        instalment=_yuan(payments[0].total),
        last_instalment=_yuan(payments[-1].total),
        interest=_yuan(interest),
        guarantee=Guarantee(terms.fund.id, terms.fund.share, _yuan(fee)) if terms.fund else None,
        subsidy=Relief(relief[0], _yuan(paid)) if relief else None,
        cost=_yuan(interest + fee),
        net_cost=_yuan(interest + fee - paid),
        cover=_cover(limit, terms, repayment, amount, row),
    )


def _annual_bp(cost_fen: int, payments: Sequence[Payment]) -> int:
    """A cost over the principal owed month by month, as a rate a year; nearest basis point."""
    owed = sum(payment.owed for payment in payments)
    return (2 * cost_fen * YEAR + owed) // (2 * owed)


def _cover(
    limit: Limit, terms: _Terms, repayment: Repayment, amount: int, row: Row
) -> float | None:
    if limit.capacity is None:
        return None
    yearly = _yearly_fen(terms, amount * 100, repayment) + yearly_service_fen(limit, row)
    return round(yearly_profit_fen(limit, row) / max(yearly, 1), 2)


def _yuan(fen: int) -> Decimal:
    return Decimal(fen).scaleb(-2)
