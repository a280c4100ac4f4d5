"""Trees of any depth as a served scorer: LightGBM's score, and its TreeSHAP contributions."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.scoring.calibration import Calibration
from models.scoring.columns import Matrix
from models.scoring.text_terms import Of

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class FreeTrees:
    """Log-odds = `base` + contributions (path-dependent TreeSHAP, Lundberg et al. 2020).

    ``terms`` are the features that each of the trees' columns beyond the features speaks for; what
    a pair of levels adds counts half for either (the Shapley value of an interaction of two).
    """

    booster: Any
    calibration: Calibration
    terms: tuple[Of, ...] = ()

    @property
    def base(self) -> float:
        """Calibrated mean log-odds of the training rows."""
        nothing = np.full((1, self.booster.num_feature()), np.nan)
        return float(self.calibration(self._shap(nothing)[:, -1])[0])

    def contributions(self, matrix: Matrix) -> Matrix:
        """Log-odds that each feature adds to `base`, shape (rows, features)."""
        shap = self._shap(matrix)[:, :-1]
        features = shap.shape[1] - len(self.terms)
        out = shap[:, :features].copy()
        for of, added in zip(self.terms, shap[:, features:].T, strict=True):
            for feature in of:
                out[:, feature] += added / len(of)
        return self.calibration.slope * out

    def row_contributions(self, row: Vector) -> Vector:
        """`contributions` of a single row, shape (features,)."""
        return np.asarray(self.contributions(row[None, :])[0])

    def score(self, matrix: Matrix) -> Vector:
        """Log-odds, shape (rows,)."""
        return self.calibration(np.asarray(self.booster.predict(matrix, raw_score=True)))

    def _shap(self, matrix: Matrix) -> Matrix:
        return np.asarray(self.booster.predict(matrix, pred_contrib=True))


def free_trees(model: str, calibration: Calibration, terms: tuple[Of, ...]) -> FreeTrees:
    """A served scorer from LightGBM's text."""
    import lightgbm

    return FreeTrees(lightgbm.Booster(model_str=model), calibration, terms)
