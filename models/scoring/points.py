"""Points: the log-odds of a scorer on the scale people read, where more points mean less risk."""

from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Points:
    """`base_points` at good:bad odds of `base_odds`, and `pdo` points more each time odds double.

    With the defaults odds of 50:1 are 600 points and odds of 100:1 are 620.
    """

    pdo: float = 20.0
    base_points: float = 600.0
    base_odds: float = 50.0

    @property
    def per_log_odds(self) -> float:
        """Points gained when the log-odds of default fall by one."""
        return self.pdo / log(2.0)

    def score(self, log_odds: ArrayLike) -> NDArray[np.float64]:
        """Points of log-odds of default, same shape."""
        log_odds = np.asarray(log_odds, dtype=np.float64)
        return self.base_points - self.per_log_odds * (log_odds + log(self.base_odds))

    def log_odds(self, score: ArrayLike) -> NDArray[np.float64]:
        """Log-odds of default of points, the inverse of `score`."""
        score = np.asarray(score, dtype=np.float64)
        return (self.base_points - score) / self.per_log_odds - log(self.base_odds)
