"""A price covers its cost, follows the reference rate, and rises with risk."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.decision.verdict import grade_of
from serving.policy.policy_file import parse
from serving.policy.price import Cost, Price, ReferenceRate, cost_bp, rate_bp, reference_bp
from tests.serving.test_policy import POLICY, TEXT

COST = Cost(funding_bp=160, operating_bp=60, capital_bp=79, lgd=0.55)
PRICE = Price(spread_bp={"A": 40, "B": 90}, cost=COST, highest_bp=500, source="test")
RATES = [
    ReferenceRate(from_on=date(2025, 5, 20), bp=300),
    ReferenceRate(from_on=date(2024, 10, 21), bp=310),
]


@pytest.mark.parametrize(
    ("cost", "probability", "expected"),
    [  # rows of domain table D4, whose rates are rounded to 0.1 %
        (Cost(funding_bp=160, operating_bp=60, capital_bp=79, lgd=0.55), 0.008, 340),
        (Cost(funding_bp=160, operating_bp=80, capital_bp=79, lgd=0.60), 0.020, 440),
        (Cost(funding_bp=190, operating_bp=150, capital_bp=79, lgd=0.60), 0.015, 510),
        (Cost(funding_bp=190, operating_bp=180, capital_bp=79, lgd=0.62), 0.030, 640),
        (Cost(funding_bp=230, operating_bp=200, capital_bp=79, lgd=0.70), 0.035, 750),
    ],
)
def test_cost_is_that_of_the_table_of_lenders(
    cost: Cost, probability: float, expected: int
) -> None:
    assert abs(float(cost_bp(cost, probability)) - expected) <= 5


@pytest.mark.parametrize(
    ("on", "bp"), [(date(2025, 5, 20), 300), (date(2025, 5, 19), 310), (date(2024, 10, 20), None)]
)
def test_the_reference_rate_is_the_one_in_force_on_the_day(on: date, bp: int | None) -> None:
    assert reference_bp(RATES, on) == bp


def test_the_spread_counts_where_it_is_above_the_cost_and_the_cost_where_not() -> None:
    assert rate_bp(PRICE, grade="A", probability=0.0, reference=300) == 340
    assert rate_bp(PRICE, grade="A", probability=0.0, reference=200) == 300  # 299 in steps of 5


def test_a_guarantee_lowers_the_cost_by_the_loss_it_bears() -> None:
    bare, guaranteed = cost_bp(COST, 0.05), cost_bp(COST, 0.05, guaranteed_share=0.8)
    assert float(bare - guaranteed) == pytest.approx(0.05 * 0.55 * 0.8 * 10_000)


def test_a_product_has_no_price_for_a_grade_it_does_not_serve_nor_beyond_its_highest() -> None:
    assert rate_bp(PRICE, grade="C", probability=0.0, reference=300) is None
    assert rate_bp(PRICE, grade="B", probability=0.2, reference=300) is None


MARKET = parse(TEXT.encode()).market
assert MARKET is not None


@given(
    product=st.sampled_from(MARKET.products),
    probabilities=st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted),
    share=st.sampled_from([0.0, 0.8]),
)
def test_the_rate_never_falls_as_the_probability_of_default_rises(
    product: object, probabilities: list[float], share: float
) -> None:
    def rate(probability: float) -> float:
        asked = rate_bp(
            product.price,  # type: ignore[attr-defined]
            grade=grade_of(POLICY, probability).grade,
            probability=probability,
            reference=300,
            guaranteed_share=share,
        )
        return float("inf") if asked is None else asked

    low, high = probabilities
    assert rate(low) <= rate(high)
