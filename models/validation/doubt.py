"""How unsure a probability is: a standard error of the log-odds for each applicant, fast to serve.

Two things make it large. Where the trees had little to learn from (an extreme value, an unusual
mix) their log-odds are taken for those of a logistic regression on the same features, and its
standard error is read there (the delta method); each slope has a normal prior as wide as the
feature's own effect in the scorer, so that features it ignores cast no doubt. And a feature that is
missing leaves open what it would have said: the spread of its effect among all.

Tried beside it on simulated loans with a known truth and on real ones (docs/log.md): the spread of
the seeds' boosters, the disagreement of halves and of redrawn outcomes, the share of missing
features and the rarity of table cells. None of them told large errors from small ones as well.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from models.scoring.columns import Matrix
from models.scoring.scorer import Scorer
from models.validation.bands import Light
from models.validation.samples import Sample
from models.validation.slices import Level, level_of
from models.validation.truth import excess_loss

Vector = NDArray[np.float64]

DECIMALS = 6
SCALE = 10.0**DECIMALS
_EXPLAINED_ROWS = 2000
_BLOCK = 20_000
_FREE = 1e-6  # precision of the intercept's prior


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `doubt.json` holds; ``root`` is the lower triangle row by row."""

    middle: list[float]
    spread: list[float]
    weight: list[float]
    root: list[float]


@dataclass(frozen=True)
class Doubt:
    """Standard error of a scorer's log-odds, of rows encoded as the scorer's trees see them.

    ``middle`` and ``spread`` standardise each feature and ``weight`` is the spread of its effect in
    log-odds. A row's error is the length of its design times ``root``, a lower triangle whose
    square is the covariance of the slopes.
    """

    middle: Vector
    spread: Vector
    weight: Vector
    root: Matrix

    def row(self, encoded: Vector) -> float:
        """Standard error of the log-odds of one row as `Scorer.encode_row` gives it.

        To six decimals, so that one row, a batch and another number of threads say the same.
        """
        leaning = (
            _design(encoded[: len(self.middle)], self.middle, self.spread, self.weight) @ self.root
        )
        # As `round` does it with arrays; of one number it takes longer than all the rest.
        return float(np.rint(np.sqrt(leaning @ leaning) * SCALE) / SCALE)

    def of(self, scorer: Scorer, X: Any) -> Vector:
        """Standard errors of the log-odds of a frame, shape (rows,)."""
        matrix = _features(scorer, X)
        designs = _designs(matrix, self.middle, self.spread, self.weight)
        squares = [((design @ self.root) ** 2).sum(axis=1) for _, design in designs]
        return np.asarray(np.sqrt(np.concatenate([np.empty(0), *squares])).round(DECIMALS))

    def to_json(self) -> bytes:
        """The content of `doubt.json`; reading it gives the same bits."""
        lower = self.root[np.tril_indices(len(self.root))]
        parts = (self.middle, self.spread, self.weight, lower)
        return msgspec.json.encode(_File(*(part.tolist() for part in parts)))

    @classmethod
    def from_json(cls, content: bytes) -> "Doubt | None":
        """What `to_json` wrote; None of ``null``, where nothing could be told."""
        file = msgspec.json.decode(content, type=_File | None)
        if file is None:
            return None
        size = 2 * len(file.middle) + 1
        root = np.zeros((size, size))
        root[np.tril_indices(size)] = file.root
        return cls(np.array(file.middle), np.array(file.spread), np.array(file.weight), root)


def fit_doubt(scorer: Scorer, X: Any, *, weight: Any = None, seed: int = 0) -> Doubt:
    """Learn the doubt of a fitted scorer from the rows ``X`` that it was fitted on.

    How large doubt is on the whole follows from refits to outcomes drawn from probabilities that
    are known (parametric bootstrap, Efron 1985): so far a refit strays from them. Drawn from the
    scorer's own, it strays too little: what they were drawn to the mean by is missing from them
    already. So a first refit tells how far that is, and the second is of a truth as much rougher
    (the twicing of Tukey 1977). Coverage where the truth was known: docs/log.md.

    Args:
        scorer: Fitted on ``X``.
        X: Rows, shape (rows, features).
        weight: For how much of a row each counts, such as the watched share of the horizon.
        seed: Of the drawn outcomes.

    Raises:
        UnfitRows: the draw holds one outcome only, as when hardly any default is expected.
    """
    matrix, log_odds = _features(scorer, X), scorer.decision_function(X)
    chance = expit(log_odds)
    told = chance * (1 - chance) * (1.0 if weight is None else np.asarray(weight, dtype=float))
    standards = (*_standards(matrix), _effects(scorer, X))
    with threadpool_limits(1):  # sums in another order end in other bits
        covariance = _covariance(_designs(matrix, *standards), told)
        chance_alone = Doubt(*standards, _root(covariance)).of(scorer, X)
    rougher = 2 * log_odds - _redrawn(scorer, X, log_odds, weight, (seed, 0))
    strayed = _redrawn(scorer, X, rougher, weight, (seed, 1)) - rougher
    covariance *= np.mean(strayed**2) / np.mean(chance_alone**2)
    unsaid = np.repeat([0.0, 1.0], [matrix.shape[1] + 1, matrix.shape[1]])  # if missing
    with threadpool_limits(1):
        return Doubt(*standards, _root(covariance + np.diag(unsaid)))


class DoubtBand(msgspec.Struct, frozen=True):
    """A fifth of a sample by doubt: rates are of the rows with outcomes, ``error`` of all.

    ``excess`` is the log loss beyond that of the true probabilities, None without a truth.
    """

    rows: int
    error: float
    bads: int
    expected: float | None
    observed: float | None
    low: float | None
    high: float | None
    light: Light | None
    excess: float | None


def doubt_bands(sample: Sample, error: Vector, count: int = 5) -> tuple[DoubtBand, ...]:
    """Bands of equal size by the standard error of each row's log-odds, the surest first."""
    place = np.argsort(np.argsort(error, kind="stable"), kind="stable") * count // len(error)
    return tuple(
        _band(sample.where(place == band), error[place == band])
        for band in range(count)
        if (place == band).any()
    )


def _band(rows: Sample, error: Vector) -> DoubtBand:
    known = rows.known()
    level = level_of(known) if len(known) else None
    return DoubtBand(
        rows=len(rows),
        error=float(error.mean()),
        bads=int(known.bad.sum()),
        **(level._asdict() if level else dict.fromkeys(Level._fields)),
        excess=_excess(rows),
    )


def _excess(rows: Sample) -> float | None:
    if rows.true_pd is None or np.isnan(rows.true_pd).all():
        return None
    true, said = (part[~np.isnan(rows.true_pd)] for part in (rows.true_pd, rows.probability))
    return float(np.mean(excess_loss(true, said)))


def _features(scorer: Scorer, X: Any) -> Matrix:
    """A frame as the trees see its features; what they see beside them says nothing new."""
    return np.asarray(scorer.fitted_.encoding.matrix(X)[:, : len(scorer.names_)])


def _standards(matrix: Matrix) -> tuple[Vector, Vector]:
    """Mean and standard deviation of each feature's known values; 0 and 1 where none vary."""
    known = np.isfinite(matrix)
    count = np.maximum(known.sum(axis=0), 1)
    middle = np.where(known, matrix, 0.0).sum(axis=0) / count
    away = np.where(known, matrix, middle) - middle
    spread: Vector = np.sqrt((away**2).sum(axis=0) / count)
    return middle, np.where(spread > 0, spread, 1.0)


def _effects(scorer: Scorer, X: Any) -> Vector:
    """Standard deviation of what each feature adds, over evenly spread rows."""
    rows = len(X)
    places = np.unique(np.linspace(0, rows - 1, min(rows, _EXPLAINED_ROWS)).astype(np.intp))
    some = X.iloc[places] if hasattr(X, "iloc") else X[places]
    return np.asarray(scorer.contributions(some).to_numpy().std(axis=0))


def _design(matrix: Matrix, middle: Vector, spread: Vector, weight: Vector) -> Matrix:
    """One, each feature's compressed deviation and whether it is missing, times its weight.

    An infinity is no measure to deviate by: it counts as missing.
    """
    missing = ~np.isfinite(matrix)
    away = (np.where(missing, middle, matrix) - middle) / spread
    compressed = np.sign(away) * np.log1p(np.abs(away))
    one = np.ones((*matrix.shape[:-1], 1))
    return np.concatenate([one, compressed * weight, missing * weight], axis=-1)


def _designs(
    matrix: Matrix, middle: Vector, spread: Vector, weight: Vector
) -> Iterator[tuple[slice, Matrix]]:
    """The design block by block, each with its place."""
    for start in range(0, len(matrix), _BLOCK):
        place = slice(start, start + _BLOCK)
        yield place, _design(matrix[place], middle, spread, weight)


def _covariance(designs: Iterator[tuple[slice, Matrix]], told: Vector) -> Matrix:
    """Covariance of the slopes, given how much each row tells of its log-odds."""
    information: Any = sum((design.T * told[place]) @ design for place, design in designs)
    prior = np.ones(len(information))
    prior[0] = _FREE
    return np.asarray(np.linalg.inv(information + np.diag(prior)), dtype=np.float64)


def _root(covariance: Matrix) -> Matrix:
    return np.asarray(np.linalg.cholesky(covariance), dtype=np.float64)


def _redrawn(scorer: Scorer, X: Any, truth: Vector, weight: Any, seed: tuple[int, int]) -> Vector:
    """Log-odds of the same recipe fitted to outcomes drawn from these log-odds."""
    drawn = (np.random.default_rng(seed).random(len(truth)) < expit(truth)).astype(np.int64)
    again = clone(scorer).set_params(form=scorer.fitted_.form)
    return np.asarray(again.fit(X, drawn, sample_weight=weight).decision_function(X))
