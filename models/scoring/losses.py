"""What rows lose by their raw scores, and what beside the level that fits them."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

Vector = NDArray[np.float64]
Objective = Literal["binary", "poisson"]

STEPS = 50


def loss(objective: Objective, target: Vector, raw: Vector) -> Vector:
    """Cross-entropy of flags, or Poisson deviance of rates up to a constant, by row."""
    if objective == "poisson":
        return np.asarray(np.exp(raw) - target * raw)
    return np.asarray(np.logaddexp(0, (1 - 2 * target) * raw))


def level_of(objective: Objective, target: Vector, weight: Vector, raw: Vector) -> float:
    """The one shift of all raw scores that makes the loss least."""
    shift = 0.0
    for _ in range(STEPS):
        step = _step(objective, target, weight, raw + shift)
        shift += step
        if abs(step) < 1e-9:
            break
    return shift


class LossBesideLevel:
    """A metric of LightGBM's: the mean loss of a fold's rows, shifted by their `level_of`."""

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self._shift = 0.0

    def __call__(self, predicted: Vector, data: Any) -> tuple[str, float, bool]:
        """Its name, the mean loss, and that less is better."""
        target = data.get_label().astype(np.float64)
        weight = np.ones(len(target)) if data.get_weight() is None else data.get_weight()
        raw = np.log(predicted) if self._objective == "poisson" else logit(predicted)
        # the level moves so little from round to round that one step of Newton's is enough
        self._shift += _step(self._objective, target, weight, raw + self._shift)
        lost = loss(self._objective, target, raw + self._shift)
        return "loss beside its level", float(np.average(lost, weights=weight)), False


def _step(objective: Objective, target: Vector, weight: Vector, raw: Vector) -> float:
    expected = np.exp(raw) if objective == "poisson" else expit(raw)
    rest = 1.0 if objective == "poisson" else 1.0 - expected
    return float(np.clip(weight @ (target - expected) / (weight @ (expected * rest)), -1, 1))
