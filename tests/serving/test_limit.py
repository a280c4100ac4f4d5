"""The limit: the official estimate of need, multiples of sales, caps, floor and what is owed."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.policy.limit import in_steps, limit_of, need, yearly_capacity_fen, yearly_sales
from serving.policy.policy import Grade
from tests.serving.test_policy import POLICY

LIMIT = POLICY.limit
GRADE = Grade(
    grade="A", pd_below=1, outcome="approve", cap=1_000_000, floor=50_000, sales_multiple=0.25
)
SALES = {"declared_sales_monthly_12m": 200_000.0, "industry": "C18"}


def lent(**changes: float | str | None) -> int:
    return limit_of(LIMIT, {**SALES, **changes}, GRADE).amount


def test_need_is_the_official_formula() -> None:
    formula = LIMIT.working_capital
    assert formula is not None
    grown = {**SALES, "declared_sales_growth_12m": 1.1}
    assert need(formula, grown, 2_400_000) == pytest.approx(2_400_000 * 0.953 * 1.1 / 3.5 * 0.7)


def test_growth_counts_up_to_a_bound_either_way() -> None:
    assert lent(declared_sales_growth_12m=1.2) == lent(declared_sales_growth_12m=9.0)
    assert lent(declared_sales_growth_12m=0.8) == lent(declared_sales_growth_12m=0.1)


def test_the_longest_code_of_industry_that_fits_gives_the_turns() -> None:
    formula = LIMIT.working_capital
    assert formula is not None
    tailor, maker, unknown = (
        need(formula, {"industry": code}, 1e6) for code in ("C18", "C33", None)
    )
    assert (tailor > maker, maker > unknown) == (True, True)


def test_a_small_loan_needs_no_estimate() -> None:
    assert lent(industry="H62") == 300_000  # need of a restaurant would be 80,000


def test_what_is_owed_comes_off_and_steps_are_rounded_down() -> None:
    assert lent() == 450_000  # need 457,440
    assert lent(balance_owed=100_000.0) == 350_000
    assert in_steps(LIMIT, 19_999.99) == 10_000
    assert in_steps(LIMIT, -5.0) == 0


def test_little_sales_are_lent_the_floor_unknown_ones_nothing() -> None:
    assert lent(declared_sales_monthly_12m=10.0) == 50_000
    assert lent(declared_sales_monthly_12m=None) == 0


def test_invoiced_sales_count_where_no_declared_ones_are_known() -> None:
    row = {"declared_sales_monthly_12m": None, "invoiced_sales_monthly_12m": 10_000.0}
    assert yearly_sales(LIMIT, row) == 120_000


def test_capacity_is_the_profit_over_its_cover() -> None:
    assert yearly_capacity_fen(LIMIT, SALES) == int(100 * 2_400_000 * 0.047 / 1.25)


@given(
    sales=st.floats(0, 1e7),
    owed=st.floats(0, 1e6),
    caps=st.lists(st.integers(0, 2_000_000), max_size=3),
)
def test_the_limit_is_whole_steps_within_every_cap(
    sales: float, owed: float, caps: list[int]
) -> None:
    row = {"declared_sales_monthly_12m": sales, "balance_owed": owed}
    limit = limit_of(LIMIT, row, GRADE, caps).amount
    assert limit % LIMIT.step == 0
    assert 0 <= limit <= min([LIMIT.cap, GRADE.cap, *caps])
    assert limit == 0 or limit >= LIMIT.smallest


def test_without_estimate_and_capacity_only_multiples_and_caps_bind() -> None:
    plain = msgspec.structs.replace(LIMIT, working_capital=None, capacity=None)
    assert limit_of(plain, SALES, GRADE).amount == 600_000
    assert yearly_capacity_fen(plain, SALES) is None


@pytest.mark.parametrize(
    ("changes", "caps", "amount", "bound"),
    [
        ({"declared_sales_monthly_12m": 20_000.0}, [], 100_000, "sales"),
        ({"industry": "H62"}, [], 350_000, "need"),
        ({}, [100_000], 150_000, "rule"),
        ({"balance_owed": 400_000.0}, [], 300_000, "owed"),
        ({"balance_owed": 400_000.0}, [], 900_000, "need"),
        ({"declared_sales_monthly_12m": 5e6}, [], 2_000_000, "policy"),
    ],
)
def test_what_keeps_an_amount_from_being_lent_is_named(
    changes: dict[str, float | str], caps: list[int], amount: int, bound: str
) -> None:
    most = limit_of(LIMIT, {**SALES, **changes}, GRADE, caps)
    assert most.amount < amount
    assert most.bound_below(amount) == bound


def test_the_cap_of_a_grade_is_named_as_such() -> None:
    capped = msgspec.structs.replace(GRADE, cap=200_000)
    assert limit_of(LIMIT, SALES, capped).bound_below(300_000) == "grade"
