"""Two scorers on the same rows."""

from functools import cache

import numpy as np
import pytest

from models.validation.plots import comparison
from models.validation.versus import Versus, versus

ROWS = 4000


@cache
def pair(noise: float = 1.0, shift: float = 0.0) -> Versus:
    """The true probabilities against ones with noise on their log-odds."""
    random = np.random.default_rng(0)
    log_odds = random.normal(-2, 1, ROWS)
    bad = (random.random(ROWS) < 1 / (1 + np.exp(-log_odds))).astype(float)
    other = log_odds + shift + noise * random.normal(size=ROWS)
    true, noisy = (1 / (1 + np.exp(-one)) for one in (log_odds, other))
    return versus(bad, ("version 2", true), ("version 1", noisy))


def test_the_better_scorer_is_better_beyond_doubt() -> None:
    judged = pair()
    assert judged.auc.z > 3
    assert judged.log_loss.z < -3
    assert judged.auc.difference == pytest.approx(
        judged.first.figures.auc.value - judged.second.figures.auc.value
    )


def test_a_scorer_against_itself_is_level() -> None:
    judged = pair(noise=0.0)
    assert (judged.auc.difference, judged.log_loss.difference) == (0, 0)
    assert judged.auc.p_value == judged.log_loss.p_value == 1


def test_a_wrong_level_is_seen_in_log_loss_and_calibration_not_in_auc() -> None:
    judged = pair(noise=0.0, shift=1.0)
    assert judged.auc.difference == 0
    assert judged.log_loss.z < -3
    assert judged.second.observed_over_expected < 0.7
    assert judged.first.observed_over_expected == pytest.approx(1, abs=0.1)


def test_the_picture_of_a_comparison_is_a_png_and_the_same_bytes_again() -> None:
    judged = pair()
    assert comparison(judged).startswith(b"\x89PNG")
    assert comparison(judged) == comparison(judged)
