"""What falls due in a month: paid, deferred by decree, or left unpaid."""

import numpy as np

from pipelines.world.cash import DEFERRED, PERFORMING, Loans, Money, Ways, collect
from pipelines.world.economy import climate
from pipelines.world.months import month_index


def instalments(age: list[float]) -> Loans:
    """Loans in twelve instalments of 100,000 fen, so many months old and paid up to now."""
    n, months = len(age), np.array(age)
    each, zero = np.full(n, 100_000.0), np.zeros(n)
    return Loans(
        live=np.ones(n, dtype=bool), bullet=np.zeros(n, dtype=bool), age=months, fallen=months,
        dues=np.full(n, 12.0), regular=each, final=each, principal=each * 12,
        due=months * each, paid=months * each, late=zero - 1, state=zero + PERFORMING,
        leniency=zero, guaranteed=np.zeros(n, dtype=bool),
    )  # fmt: skip


def broke(n: int) -> tuple[Money, Ways]:
    """Businesses that trade without any money, and their unchanging traits."""
    zero, one = np.zeros(n), np.ones(n)
    money = Money(zero, zero, zero, np.ones(n, dtype=bool), zero)
    return money, Ways(one, zero, one, zero, one, zero, zero, zero, one * 1_000_000)


def test_a_decree_defers_what_was_granted_before_it_and_nothing_else() -> None:
    loans, (money, ways) = instalments([5, 2, 1]), broke(3)
    collect(loans, money, ways, np.ones(3), np.full(3, 3))
    assert loans.state.tolist() == [DEFERRED, PERFORMING, PERFORMING]
    assert loans.late.tolist() == [-1, 0, 0]
    assert loans.due.tolist() == [500_000, 300_000, 200_000]


def test_without_a_decree_nothing_is_deferred() -> None:
    loans, (money, ways) = instalments([5]), broke(1)
    collect(loans, money, ways, np.ones(1), np.full(1, -1))
    assert loans.state.tolist() == [PERFORMING]
    assert loans.late.tolist() == [0]


def test_decrees_count_their_months_and_end() -> None:
    world = climate(month_index("2020-02"), 16, seed=0)
    assert world.decree[:3].tolist() == [-1, 0, 1]
    assert world.decree[-3:].tolist() == [12, -1, -1]


def test_a_shock_is_worst_at_first_and_fades() -> None:
    world = climate(month_index("2020-01"), 24, seed=0)
    catering = world.macro[:, 5]
    assert catering[1] < catering[0] - 0.5
    assert catering[1] < catering[8] < catering[23]
