import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from models import Scorer
from models.scoring.boosting import TUNABLE
from models.scoring.rows import UnfitRows
from models.scoring.trials import AROUND, tune
from models.validation.metrics import log_loss
from tests.models.scorer_portfolio import applicants

ALONE = Scorer(form="pairs", seeds=1, n_jobs=1)


def waves(rows: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Two features that act together alone, which cautious trees overlook."""
    random = np.random.default_rng(seed)
    X = pd.DataFrame(random.uniform(size=(rows, 2)), columns=["width", "height"])
    risk = 4 * np.sign(np.sin(6 * X["width"]) * np.sin(6 * X["height"]))
    return X, (random.random(rows) < expit(risk)).astype(int)


def test_the_same_seed_tries_the_same_settings_and_another_seed_others() -> None:
    X, y = applicants(150)
    first, again, other = (tune(ALONE, X, y, trials=1, seed=seed) for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(first.trials, again.trials)
    assert first.settings == again.settings
    assert not first.trials.equals(other.trials)


def test_settings_found_are_better_on_rows_nobody_has_seen() -> None:
    X, y = waves(400, seed=0)
    tuning = tune(ALONE, X, y, trials=3)
    assert set(tuning.settings) == set(AROUND)
    assert set(AROUND) <= set(TUNABLE)
    unseen, outcome = waves(3000, seed=1)
    house = Scorer(form="pairs", seeds=1).fit(X, y)
    tuned = Scorer(form="pairs", seeds=1, settings=tuning.settings).fit(X, y)
    lost, other = (log_loss(outcome, s.predict_proba(unseen)[:, 1]) for s in (house, tuned))
    assert other < lost - 0.1


def test_where_nothing_is_better_beyond_doubt_the_house_settings_stay() -> None:
    X, _ = applicants(400)
    noise = np.random.default_rng(0).integers(0, 2, 400)
    tuning = tune(ALONE, X, noise, trials=3)
    assert tuning.settings == {}
    assert len(tuning.trials) == 4


def test_every_trial_is_compared_with_the_house_settings_on_the_same_rows() -> None:
    X, y = applicants(200)
    trials = tune(ALONE, X, y, trials=2, applied_on=np.arange(200)).trials
    assert trials["loss"].is_monotonic_increasing
    house = trials[trials["num_leaves"].isna()].iloc[0]
    assert (house["gain"], house["standard_error"]) == (0.0, 0.0)
    np.testing.assert_allclose(trials["gain"], house["loss"] - trials["loss"], atol=1e-12)


def test_trials_of_known_dates_are_judged_forward_in_time() -> None:
    """What drives risk turns around half way, so that only folds at random still trust it."""
    random = np.random.default_rng(0)
    X = pd.DataFrame({"sign": random.choice([-1.0, 1.0], 600)})
    turned = np.where(np.arange(600) < 300, 1, -1) * X["sign"]
    y = (random.random(600) < expit(3 * turned)).astype(int)
    forward, blind = (
        tune(ALONE, X, y, trials=1, applied_on=days).trials["loss"].min()
        for days in (np.arange(600), None)
    )
    assert forward > blind


def test_progress_is_told_to_the_last_trial() -> None:
    told: list[tuple[int, int]] = []
    X, y = applicants(200)
    tune(ALONE, X, y, trials=2, progress=lambda done, total: told.append((done, total)))
    assert told == [(0, 2), (1, 2), (2, 2)]


def test_rows_too_few_to_hold_some_back_are_refused() -> None:
    X, _ = applicants(30)
    with pytest.raises(UnfitRows, match="Train without trials"):
        tune(ALONE, X, np.arange(30) < 2, trials=1)
