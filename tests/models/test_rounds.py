"""How many rounds: what is judged in time is judged beside its level."""

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit

from models import Scorer
from models.scoring.boosting import Level, Objective, loss

Vector = NDArray[np.float64]


class Judged:
    """Rows of a fold as LightGBM hands them to a metric."""

    def __init__(self, target: Vector, weight: Vector | None) -> None:
        self.get_label = lambda: target
        self.get_weight = lambda: weight


@pytest.mark.parametrize("objective", ["binary", "poisson"])
@pytest.mark.parametrize("weighted", [True, False])
def test_the_loss_beside_its_level_is_the_least_of_any_shift(
    objective: Objective, weighted: bool
) -> None:
    random = np.random.default_rng(0)
    raw = random.normal(size=500)
    target = (random.random(500) < expit(raw - 2.0)).astype(np.float64)
    weight = random.random(500) if weighted else None
    level, rows = Level(objective), Judged(target, weight)
    predicted = np.exp(raw) if objective == "poisson" else expit(raw)
    found = [level(predicted, rows)[1] for _ in range(10)][-1]
    least = minimize_scalar(
        lambda shift: np.average(loss(objective, target, raw + shift), weights=weight)
    )
    assert found == pytest.approx(least.fun, abs=1e-9)


def test_a_level_that_moves_from_year_to_year_does_not_end_the_growing() -> None:
    """Beside a level of before, trees that know nothing lose least: three to eight rounds."""
    random = np.random.default_rng(0)
    X = pd.DataFrame(random.normal(size=(2000, 4)), columns=list("abcd"))
    told = 0.9 * X["a"] - 0.6 * X["b"]
    level = np.select([X.index < 800, X.index < 1600], [-3.0, -1.0], -2.0)
    y = (random.random(2000) < expit(level + told)).astype(int)
    scorer = Scorer(form="pairs", seeds=1, n_jobs=1).fit(X, y, applied_on=np.arange(2000))
    assert scorer.fitted_.rounds > 30
    assert np.corrcoef(told, scorer.decision_function(X))[0, 1] > 0.9
