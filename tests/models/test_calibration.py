import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from models.scoring.calibration import SMALLEST_SLOPE, fit_calibration


def outcomes(log_odds: np.ndarray, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).random(len(log_odds)) < expit(log_odds)).astype(float)


def test_an_overconfident_score_is_flattened_to_the_truth() -> None:
    truth = np.random.default_rng(1).normal(-2, 1, 40_000)
    found = fit_calibration(2 * truth + 1, outcomes(truth), np.ones(len(truth)))
    assert found.slope == pytest.approx(0.5, abs=0.03)
    assert found.intercept == pytest.approx(-0.5, abs=0.06)


def test_a_true_score_is_left_alone() -> None:
    truth = np.random.default_rng(1).normal(-2, 1, 40_000)
    found = fit_calibration(truth, outcomes(truth), np.ones(len(truth)))
    assert found.slope == pytest.approx(1, abs=0.05)
    assert found.intercept == pytest.approx(0, abs=0.1)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 60))
def test_a_ranking_is_never_turned_around(seed: int, rows: int) -> None:
    random = np.random.default_rng(seed)
    log_odds = random.normal(0, 3, rows)
    bad = (log_odds < np.median(log_odds)).astype(float)  # the score has it backwards
    found = fit_calibration(log_odds, bad, np.ones(rows))
    assert found.slope >= SMALLEST_SLOPE
    assert np.isfinite(found.intercept)


def test_a_handful_of_rows_hardly_moves_the_scale() -> None:
    log_odds = np.array([-3.0, -2.0, -1.0, 0.0])
    found = fit_calibration(log_odds, np.array([1.0, 0.0, 0.0, 1.0]), np.ones(4))
    assert found.slope == pytest.approx(1, abs=0.15)
    assert found.intercept == pytest.approx(0, abs=0.15)


def test_a_weight_of_two_counts_as_two_rows() -> None:
    truth = np.random.default_rng(2).normal(-1, 1, 500)
    bad = outcomes(truth)
    twice = fit_calibration(np.tile(truth, 2), np.tile(bad, 2), np.ones(1000))
    assert fit_calibration(truth, bad, np.full(500, 2.0)) == pytest.approx(twice)
