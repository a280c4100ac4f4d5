"""Exposure: hazards by hand, and what thin or short histories may claim."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.scoring.exposure import PRIOR_DEFAULTS, ShortHistory, Watch, calendar_factor, fit_timing


def watch(*loans: tuple[int, bool], horizon: tuple[int, ...] = (3,), **more: Any) -> Watch:
    """Loans as (months seen, defaulted), all paid out in month 100 and seen up to month 200."""
    months, defaulted = np.array(loans, dtype=np.int64).T
    same = {
        "started": np.full(len(loans), 100),
        "stratum": np.zeros(len(loans), dtype=np.int64),
        "weight": np.ones(len(loans)),
        "newest": 200,
    }
    return Watch(months, defaulted.astype(float), horizon=np.array(horizon), **{**same, **more})


FOUR = ((3, False), (1, True), (2, True), (1, False))


def test_the_hazard_of_a_month_is_defaults_over_loans_at_risk() -> None:
    hazards = np.array([1 / 4, 1 / 2, 0.0])
    np.testing.assert_allclose(
        fit_timing(watch(*FOUR), np.ones(4)).shares, [[0.0, 1 / 3, 1.0, 1.0]]
    )
    np.testing.assert_allclose(np.cumsum(hazards) / hazards.sum(), [1 / 3, 1.0, 1.0])


def test_a_loan_is_exposed_to_the_share_of_the_hazard_it_lived_through() -> None:
    loans = watch(*FOUR)
    np.testing.assert_allclose(
        fit_timing(loans, np.ones(4)).exposure(loans), [1.0, 1 / 3, 1.0, 1 / 3]
    )


def test_a_risky_loan_at_risk_makes_its_age_no_riskier() -> None:
    hazards = np.array([1 / 8, 1 / 2, 0.0])
    timing = fit_timing(watch(*FOUR), np.array([1.0, 5.0, 1.0, 1.0]))
    np.testing.assert_allclose(timing.shares[0, 1:], np.cumsum(hazards) / hazards.sum())


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 6), st.booleans()), max_size=30), st.integers(1, 5))
def test_shares_climb_from_nothing_to_all(some: list[tuple[int, bool]], times: int) -> None:
    loans = watch(*some, (6, True), horizon=(6,))
    shares = fit_timing(loans, np.ones(len(loans))).shares
    assert shares[0, 0] == 0.0
    assert shares[0, -1] == 1.0
    assert (np.diff(shares) >= 0).all()
    again = watch(*(some * times), *[(6, True)] * times, horizon=(6,))
    np.testing.assert_allclose(fit_timing(again, np.ones(len(again))).shares, shares, atol=1e-12)


def test_a_stratum_is_drawn_to_the_whole_where_it_has_seen_little() -> None:
    many = [(2, at % 10 == 0) for at in range(1000)] + [(1, at % 10 == 0) for at in range(300)]
    loans = watch(*many, (1, False), stratum=np.array([0] * 1300 + [1]), horizon=(2, 2))
    known, unknown = fit_timing(loans, np.ones(1301)).shares
    np.testing.assert_allclose(unknown, known, rtol=0.02)


def test_a_stratum_ends_at_its_own_horizon() -> None:
    both = [(1, False), (2, True), (3, True), (3, False)]
    loans = watch(*both, stratum=np.array([0, 0, 1, 1]), horizon=(2, 3))
    short, long = fit_timing(loans, np.ones(4)).shares
    assert short[2] == short[3] == 1.0
    assert long[2] < 1.0


def test_the_calendar_factor_is_last_years_defaults_over_those_expected() -> None:
    old, new = [(12, at < 40) for at in range(400)], [(12, at < 80) for at in range(400)]
    started = np.array([177] * 400 + [189] * 400)  # watched in months 177 to 188, 189 to 200
    loans = watch(*old, *new, started=started, horizon=(12,))
    hazard = np.full(800, 120 / 800)
    expected = (80 + PRIOR_DEFAULTS) / (60 + PRIOR_DEFAULTS)
    assert calendar_factor(loans, hazard, fit_timing(loans, np.ones(800))) == pytest.approx(
        expected
    )


def test_a_horizon_that_no_loan_has_reached_is_refused() -> None:
    with pytest.raises(ShortHistory, match="month 4 on book of the horizon's 5"):
        fit_timing(watch(*FOUR, horizon=(5,)), np.ones(4))


def test_loans_without_a_default_are_refused() -> None:
    with pytest.raises(ShortHistory, match="No loan defaulted"):
        fit_timing(watch((3, False)), np.ones(1))
