"""Schedules are exact to the fen: principal sums, nothing is negative, dearer rates cost more."""

from decimal import Decimal, getcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.policy.instalments import Repayment, instalment, interest_of, schedule

KINDS = st.sampled_from(["bullet", "instalment"])
AMOUNTS = st.integers(1, 10**10)  # fen
RATES = st.integers(0, 3600)  # basis points
MONTHS = st.integers(1, 120)


@settings(max_examples=200)
@given(amount=AMOUNTS, rate=RATES, months=MONTHS, kind=KINDS)
def test_principal_sums_to_the_loan_and_no_payment_is_negative(
    amount: int, rate: int, months: int, kind: Repayment
) -> None:
    payments = schedule(amount, rate, months, kind)
    assert len(payments) == months
    assert sum(payment.principal for payment in payments) == amount
    assert all(payment.principal >= 0 and payment.interest >= 0 for payment in payments)
    assert [payment.owed for payment in payments] == [
        amount - sum(earlier.principal for earlier in payments[:month]) for month in range(months)
    ]


@settings(max_examples=100)
@given(
    amount=st.integers(1_000_000, 10**9),
    rate=RATES,
    more=st.integers(1, 500),
    months=MONTHS,
    kind=KINDS,
)
def test_a_higher_rate_costs_more(
    amount: int, rate: int, more: int, months: int, kind: Repayment
) -> None:
    def interest(at: int) -> int:
        return sum(payment.interest for payment in schedule(amount, at, months, kind))

    assert interest(rate) < interest(rate + more)


@settings(max_examples=100)
@given(amount=st.integers(1_000_000, 10**9), rate=RATES, months=MONTHS)
def test_instalments_are_equal_and_the_last_settles_at_most_the_rounding(
    amount: int, rate: int, months: int
) -> None:
    totals = [payment.total for payment in schedule(amount, rate, months, "instalment")]
    assert set(totals[:-1]) <= {instalment(amount, rate, months)}
    monthly = rate / 120_000
    compounded = sum((1 + monthly) ** month for month in range(months))  # of one fen a month
    assert abs(totals[-1] - instalment(amount, rate, months)) <= 1 + compounded


@settings(max_examples=100)
@given(amount=AMOUNTS, rate=st.integers(1, 3600), months=MONTHS)
def test_an_instalment_is_the_annuity_of_the_textbook(amount: int, rate: int, months: int) -> None:
    getcontext().prec = 60
    monthly = Decimal(rate) / 120_000
    exact = amount * monthly / (1 - (1 + monthly) ** -months)
    assert abs(instalment(amount, rate, months) - exact) <= Decimal("0.5") + Decimal("1e-40")


@pytest.mark.parametrize(("months", "fen"), [(240, 654_444), (360, 530_727)])
def test_a_million_at_4_90_costs_what_every_chinese_mortgage_table_says(
    months: int, fen: int
) -> None:
    assert instalment(100_000_000, 490, months) == fen


def test_a_bullet_loan_pays_a_twelfth_of_the_rate_each_month() -> None:
    payments = schedule(30_000_000, 435, 12, "bullet")
    assert [payment.total for payment in payments] == [108_750] * 11 + [30_108_750]


def test_half_a_fen_of_interest_is_rounded_up() -> None:
    assert interest_of(60_000, 1) == 1
    assert interest_of(59_999, 1) == 0
