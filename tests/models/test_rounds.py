"""How many rounds: what is judged in time is judged beside its level."""

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit

from models import Scorer
from models.scoring.losses import LossBesideLevel, Objective, level_of, loss

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
    metric, rows = LossBesideLevel(objective), Judged(target, weight)
    predicted = np.exp(raw) if objective == "poisson" else expit(raw)
    found = [metric(predicted, rows)[1] for _ in range(10)][-1]
    least = minimize_scalar(
        lambda shift: np.average(loss(objective, target, raw + shift), weights=weight)
    )
    assert found == pytest.approx(least.fun, abs=1e-9)
    each = np.ones(500) if weight is None else weight
    assert level_of(objective, target, each, raw) == pytest.approx(least.x, abs=1e-5)


def test_a_level_that_moves_with_the_calendar_does_not_end_the_growing() -> None:
    """What drifts foretells the next block's level wrongly: trees that know nothing lose least."""
    random, at = np.random.default_rng(0), np.arange(2000) / 2000
    X = pd.DataFrame(random.normal(size=(2000, 3)), columns=list("abc"))
    X["clock"] = at + 0.05 * random.normal(size=2000)
    told = 0.72 * X["a"] - 0.48 * X["b"]
    level = -2 + 1.5 * np.sin(5 * np.pi * at)
    y = (random.random(2000) < expit(level + told)).astype(int)
    scorer = Scorer(form="pairs", seeds=1, n_jobs=1).fit(X, y, applied_on=at)
    assert scorer.fitted_.rounds > 100  # 13 by the loss at the level of before
    learnt = scorer.explain(X)[["a", "b"]].sum(axis=1)
    assert learnt.std() > 0.5 * told.std()
    assert np.corrcoef(told, learnt)[0, 1] > 0.9
