"""The true default probability is an estimate, and is as sure as it says."""

import numpy as np

from pipelines.world.bank import Bias
from pipelines.world.businesses import draw_businesses
from pipelines.world.economy import climate
from pipelines.world.lives import Past
from pipelines.world.months import month_index
from pipelines.world.truth import HORIZON, default_probability

LAST, MONTHS, OPENS = month_index("2025-06"), 30, 6


def estimates(futures: int, *seeds: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Probabilities of one set of applications and their errors, by futures of these seeds."""
    rng = np.random.default_rng
    b = draw_businesses(np.arange(1_500), LAST, rng(1), seed=0)
    world = climate(LAST - MONTHS, MONTHS + HORIZON, seed=0)
    past = Past(
        b, world.until(MONTHS), open_month=OPENS, close_month=MONTHS, seed=0, bias=Bias(),
        life=rng(2), asking=rng(3),
    )  # fmt: skip
    for month in range(MONTHS):
        past.live_month(month)
    asked = past.result()[1]
    return [default_probability(b, world, asked, futures, rng(seed)) for seed in seeds]


def test_two_estimates_differ_as_much_as_their_standard_errors_say() -> None:
    (one, one_error), (other, other_error) = estimates(10, 4, 5)
    expected = one_error**2 + other_error**2
    assert len(one) > 1_000
    assert 0.85 < ((one - other) ** 2).sum() / expected.sum() < 1.15
    assert abs((one - other).sum()) < 3 * np.sqrt(expected.sum())
    risky = one + other > 0.2
    assert 0.8 < ((one - other)[risky] ** 2).sum() / expected[risky].sum() < 1.2


def test_futures_spent_where_they_tell_most_are_worth_more_than_even_ones() -> None:
    ((probability, error),) = estimates(10, 6)
    even = probability * (1 - probability) / 10
    assert (error**2).mean() < 0.8 * even.mean()
