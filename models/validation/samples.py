"""Rows with what a scorer said of them and, where it is known, what became of them."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import expit

from models.scoring.scorer import Scorer

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """Applications, their features and probabilities of default; everything has one row for each.

    ``bad`` is 1 or 0, and NaN where no outcome is known (a declined application). ``segments`` are
    columns to break figures down by and ``sensitive`` those of fairness tests: neither is a feature
    by being there. ``true_pd`` exists in a made-up province alone.
    """

    name: str
    features: pl.DataFrame
    bad: Vector
    probability: Vector
    weight: Vector | None = None
    applied_on: pl.Series | None = None
    segments: pl.DataFrame | None = None
    sensitive: pl.DataFrame | None = None
    true_pd: Vector | None = None

    @classmethod
    def scored(
        cls, name: str, scorer: Scorer, features: pl.DataFrame, bad: Any, **more: Any
    ) -> Self:
        """Rows that the scorer has not learnt from, with its probabilities."""
        probability = scorer.predict_proba(features)[:, 1]
        return cls._of(name, features, bad, probability, more)

    @classmethod
    def out_of_fold(
        cls, name: str, scorer: Scorer, features: pl.DataFrame, bad: Any, **more: Any
    ) -> "Sample":
        """The rows that the scorer was just fitted on, each judged by trees that have not seen it.

        Rows must come as they went into ``fit``; those that no fold judged are left out.
        """
        log_odds = scorer.out_of_fold_
        sample = cls._of(name, features, bad, expit(log_odds), more)
        return sample.where(~np.isnan(log_odds))

    @classmethod
    def _of(
        cls, name: str, features: pl.DataFrame, bad: Any, probability: Vector, more: dict[str, Any]
    ) -> Self:
        known: dict[str, Any] = {**more}
        known |= {key: _vector(more[key]) for key in ("weight", "true_pd") if key in more}
        return cls(name, features, np.asarray(bad, dtype=np.float64), probability, **known)

    def scored_by(self, scorer: Scorer) -> "Sample":
        """The same rows with the probabilities that ``scorer`` serves: for how scores spread only.

        Stability compares two populations by one scorer; out-of-fold scores spread otherwise.
        """
        return replace(self, probability=scorer.predict_proba(self.features)[:, 1])

    def where(self, keep: NDArray[np.bool_]) -> "Sample":
        """The rows where ``keep`` is true."""

        def cut(value: Any) -> Any:
            if isinstance(value, (pl.DataFrame, pl.Series)):
                return value.filter(pl.Series(keep))
            return value if value is None or isinstance(value, str) else value[keep]

        return Sample(**{name: cut(value) for name, value in vars(self).items()})

    def known(self) -> "Sample":
        """The rows whose outcome is known."""
        return self.where(~np.isnan(self.bad))

    @property
    def effective_rows(self) -> float:
        """Rows that would say as much without weights (Kish)."""
        if self.weight is None:
            return float(len(self))
        return float(self.weight.sum() ** 2 / (self.weight**2).sum())

    def __len__(self) -> int:
        return len(self.probability)


def _vector(values: Any) -> Vector | None:
    return None if values is None else np.asarray(values, dtype=np.float64)
