"""Calibration: a slope and an intercept on the log-odds, so that contributions stay additive."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Vector = NDArray[np.float64]

SMALLEST_SLOPE = 0.05  # a scorer may be flattened by its calibration, never turned around


@dataclass(frozen=True)
class Calibration:
    """Served log-odds = `intercept` + `slope` x raw log-odds."""

    slope: float = 1.0
    intercept: float = 0.0

    def __call__(self, log_odds: Vector) -> Vector:
        """Served log-odds of raw ones, same shape."""
        return self.intercept + self.slope * log_odds

    def then(self, later: "Calibration") -> "Calibration":
        """The calibration that applies this one and `later` after it."""
        return Calibration(self.slope * later.slope, later(np.array([self.intercept])).item())


def fit_calibration(
    log_odds: Vector, bad: Vector, weight: Vector, *, doubt: float = 0.2, steps: int = 50
) -> Calibration:
    """Slope and intercept of the logistic regression of `bad` on out-of-fold `log_odds`.

    Both are drawn to (1, 0) by a normal prior of standard deviation `doubt`, so that a handful of
    defaults cannot rewrite the scale (Platt 1999 with a prior; Newton's method).
    """
    design = np.column_stack([log_odds, np.ones_like(log_odds)])
    start = np.array([1.0, 0.0])
    beta, precision = start, np.eye(2) / doubt**2
    for _ in range(steps):
        chance = expit(design @ beta)
        gradient = design.T @ (weight * (chance - bad)) + precision @ (beta - start)
        curvature = (design.T * (weight * chance * (1 - chance))) @ design + precision
        step = np.linalg.solve(curvature, gradient)
        beta = beta - np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < 1e-12:
            break
    return Calibration(max(float(beta[0]), SMALLEST_SLOPE), float(beta[1]))
