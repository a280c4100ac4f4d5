"""Offers: who is offered what, at what cost, with subsidy and guarantee apart."""

from datetime import date

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.decision.verdict import Evidence, judge
from serving.policy.asked import Asked
from serving.policy.instalments import Repayment, schedule
from serving.policy.offers import Borrower, Market, Offer, offers
from serving.policy.support import GuaranteeFund, Subsidy, best_subsidy, fee_fen, paid_fen
from serving.policy.values import Row
from tests.serving.test_policy import POLICY, SOUND, TODAY

assert POLICY.market is not None
MARKET: Market = POLICY.market
BORROWER = Borrower(SOUND, "A", 0.008, 300_000)


def offered(asked: Asked, borrower: Borrower = BORROWER) -> dict[str, Offer]:
    return {offer.product: offer for offer in offers(MARKET, POLICY.limit, borrower, asked)}


def of(borrower: Borrower = BORROWER, **changes: object) -> Borrower:
    return borrower._replace(row={**SOUND, **changes})  # type: ignore[dict-item]


def test_offers_are_ranked_by_amount_then_by_what_they_cost_after_support() -> None:
    found = offers(MARKET, POLICY.limit, BORROWER, Asked(300_000, TODAY))
    assert [(-offer.amount, offer.net_bp) for offer in found] == sorted(
        (-offer.amount, offer.net_bp) for offer in found
    )
    assert len({offer.product for offer in found}) == len(found) == 5


def test_a_product_is_offered_to_whom_it_is_open_only() -> None:
    household = offered(Asked(100_000, TODAY), of(legal_form="household"))
    assert "city_growth_loan" not in household
    assert "rural_household_loan" in household
    ungraded = offered(Asked(100_000, TODAY), of(tax_grade_rank=None))
    assert "state_tax_loan" not in ungraded


def test_nothing_is_offered_before_a_product_or_a_reference_rate_begins() -> None:
    assert offered(Asked(100_000, date(2019, 12, 31))) == {}
    assert offered(Asked(100_000, date(2019, 1, 1))) == {}


def test_with_a_guarantee_only_guaranteed_products_are_offered() -> None:
    found = offered(Asked(100_000, TODAY, guaranteed=True))
    assert set(found) == {"state_guaranteed_loan"}
    after = offered(Asked(100_000, date(2028, 1, 1), guaranteed=True))
    assert after == {}


def test_the_term_is_the_nearest_that_the_product_has() -> None:
    found = offered(Asked(100_000, TODAY, term_months=60))
    assert found["state_tax_loan"].term_months == 12
    assert found["rural_household_loan"].term_months == 36


def test_instalments_beyond_the_capacity_become_a_bullet_loan() -> None:
    small = offered(Asked(50_000, TODAY, repayment="instalment"))["state_tax_loan"]
    large = offered(Asked(300_000, TODAY, repayment="instalment"))["state_tax_loan"]
    assert (small.repayment, large.repayment) == ("instalment", "bullet")
    assert large.amount == 300_000


def test_an_approval_whose_offers_are_not_as_asked_says_so() -> None:
    fresh = {"registrations": 1, "tax_returns": 1, "linked_bills": 1}
    evidence = Evidence(SOUND, 0.008, fresh)
    as_asked = judge(POLICY, evidence, Asked(300_000, TODAY))
    repaid = judge(POLICY, evidence, Asked(300_000, TODAY, repayment="instalment"))
    short = judge(POLICY, evidence, Asked(300_000, TODAY, term_months=2))
    assert [rule.rule for rule in as_asked.fired] == []
    assert [rule.rule for rule in repaid.fired] == ["repayment_beyond_capacity"]
    assert [rule.rule for rule in short.fired] == ["no_product_for_term"]
    assert {verdict.outcome for verdict in (as_asked, repaid, short)} == {"approve"}


def test_subsidy_and_guarantee_fee_are_told_apart_from_the_contract_rate() -> None:
    found = offered(Asked(300_000, TODAY))
    plain, guaranteed = found["state_tax_loan"], found["state_guaranteed_loan"]
    assert (plain.rate_bp, plain.all_in_bp, plain.net_bp) == (360, 360, 260)
    assert plain.subsidy is not None
    assert str(plain.subsidy.amount) == "3000.00"
    assert (str(plain.cost), str(plain.net_cost)) == ("10800.00", "7800.00")
    assert (guaranteed.rate_bp, guaranteed.all_in_bp, guaranteed.net_bp) == (360, 410, 310)
    assert guaranteed.guarantee is not None
    assert str(guaranteed.guarantee.fee) == "1500.00"
    assert str(plain.instalment) == "900.00"
    assert str(plain.last_instalment) == "300900.00"


@pytest.mark.parametrize(
    ("on", "industry", "subsidy"),
    [
        (date(2025, 3, 15), "H62", None),
        (date(2025, 3, 16), "H62", "services_2025"),
        (date(2025, 12, 31), "F52", None),
        (date(2026, 1, 1), "F52", "services_2026"),
        (date(2027, 1, 1), "H62", None),
        (TODAY, "C18", None),
    ],
)
def test_a_subsidy_holds_on_its_days_for_its_industries(
    on: date, industry: str, subsidy: str | None
) -> None:
    relief = offered(Asked(100_000, on), of(industry=industry))["state_tax_loan"].subsidy
    assert (relief.subsidy if relief else None) == subsidy


def test_a_loan_gets_the_better_of_two_subsidies_never_both() -> None:
    equipment = of(industry="H62", loan_purpose="equipment")
    relief = offered(Asked(100_000, TODAY), equipment)["state_tax_loan"].subsidy
    assert relief is not None
    assert (relief.subsidy, str(relief.amount)) == ("equipment_2026", "1500.00")


@settings(max_examples=60)
@given(
    amount=st.integers(1_000, 3_000_000),
    months=st.integers(1, 120),
    repayment=st.sampled_from(["bullet", "instalment"]),
    probability=st.floats(0, 0.04),
    guaranteed=st.booleans(),
    sales=st.floats(0, 3e6),
)
def test_every_offer_is_within_its_bounds_and_its_costs_add_up(
    amount: int,
    months: int,
    repayment: Repayment,
    probability: float,
    guaranteed: bool,
    sales: float,
) -> None:
    row: Row = {**SOUND, "declared_sales_monthly_12m": sales}
    borrower = Borrower(row, "B", probability, 300_000)
    asked = Asked(amount, TODAY, months, repayment, guaranteed)
    products = {product.id: product for product in MARKET.products}
    for offer in offers(MARKET, POLICY.limit, borrower, asked):
        product = products[offer.product]
        payments = schedule(offer.amount * 100, offer.rate_bp, offer.term_months, offer.repayment)
        fee = offer.guarantee.fee if offer.guarantee else 0
        relief = offer.subsidy.amount if offer.subsidy else 0
        assert product.smallest <= offer.amount <= min(product.largest, 300_000, amount)
        assert product.shortest <= offer.term_months <= product.longest
        assert offer.rate_bp <= product.price.highest_bp
        assert int(offer.interest * 100) == sum(payment.interest for payment in payments)
        assert offer.cost == offer.interest + fee
        assert 0 <= offer.net_cost == offer.cost - relief
        assert offer.net_bp <= offer.all_in_bp
        assert offer.guarantee or abs(offer.all_in_bp - offer.rate_bp) <= 1
        assert offer.cover is not None
        assert offer.cover >= 1.24


@settings(max_examples=60)
@given(probabilities=st.tuples(st.floats(0, 0.04), st.floats(0, 0.04)).map(sorted))
def test_more_risk_is_never_offered_a_lower_rate(probabilities: list[float]) -> None:
    asked = Asked(100_000, TODAY)
    low, high = (offered(asked, BORROWER._replace(probability=p)) for p in probabilities)
    assert set(high) <= set(low)
    assert all(offer.rate_bp >= low[name].rate_bp for name, offer in high.items())


PAYMENTS = schedule(10_000_000, 400, 24, "bullet")
SUBSIDY = Subsidy(
    id="s",
    name=MARKET.subsidies[0].name,
    from_on=TODAY,
    to_on=TODAY,
    rate_bp=100,
    months=12,
    largest=1_000_000,
    source="test",
)


def test_a_subsidy_ends_with_its_months_its_cap_and_the_interest() -> None:
    assert abs(paid_fen(SUBSIDY, PAYMENTS) - 100_000) <= 12
    assert paid_fen(msgspec.structs.replace(SUBSIDY, most=500), PAYMENTS) == 50_000
    dear = msgspec.structs.replace(SUBSIDY, rate_bp=900, months=99)
    assert paid_fen(dear, PAYMENTS) == sum(payment.interest for payment in PAYMENTS)


def test_a_loan_above_the_largest_gets_no_subsidy() -> None:
    assert best_subsidy([SUBSIDY], {}, TODAY, 1_000_001, PAYMENTS) is None


def test_the_guarantee_fee_follows_the_principal_owed() -> None:
    fund = GuaranteeFund(
        id="f",
        name=SUBSIDY.name,
        from_on=TODAY,
        to_on=TODAY,
        share=0.8,
        fee_bp=50,
        largest=10**6,
        source="test",
    )
    falling = schedule(10_000_000, 400, 24, "instalment")
    assert fee_fen(fund, PAYMENTS) == pytest.approx(100_000, abs=24)
    assert fee_fen(fund, falling) < 0.6 * fee_fen(fund, PAYMENTS)
