"""The slope that log rates need, as the slope of a calibration is for log-odds."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from models.scoring.calibration import SMALLEST_SLOPE
from models.scoring.rows import Rows

Vector = NDArray[np.float64]

DOUBT = 0.2  # standard deviation of the prior that draws a slope to one, as for flags
STEEPEST_SLOPE = 5.0


def rate_slope(log_rate: Vector, rows: Rows, judged: NDArray[np.bool_]) -> float:
    """Slope of the Poisson regression of the defaults on the log rates of the judged rows.

    Drawn to one by a normal prior, its intercept free: the root of the slope's own score equation.
    """
    shown = rows.weight[judged]
    defaults = shown * rows.target[judged]

    def excess(slope: float) -> float:
        expected = shown * np.exp(slope * (log_rate - log_rate.max()))
        expected *= defaults.sum() / expected.sum()
        return float((expected - defaults) @ log_rate + (slope - 1.0) / DOUBT**2)

    if excess(SMALLEST_SLOPE) >= 0:
        return SMALLEST_SLOPE
    return float(brentq(excess, SMALLEST_SLOPE, STEEPEST_SLOPE, xtol=1e-12))
