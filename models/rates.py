"""Trees for rates, defaults over exposure, grown by the recipe that a scorer has for flags."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit

from features.errors import UnknownName
from models.boosting import Form, Recipe, choose_rounds, grow, learning_rate
from models.calibration import SMALLEST_SLOPE, Calibration
from models.columns import Columns, Matrix
from models.effects import Additive, additive_part, sum_leaves
from models.encoding import PARTS, Encoding, fit_encoding
from models.exposure import ShortHistory, Watch
from models.files import write_files
from models.fitting import ROWS_PURIFIED, Fitted
from models.folds import FOLDS, Fold, Places, forward_folds, parts, random_folds
from models.scorer import Scorer
from models.trees import read_leaves

Vector = NDArray[np.float64]

DOUBT = 0.2  # standard deviation of the prior that draws a slope to one, as for flags
STEEPEST_SLOPE = 5.0


@dataclass(frozen=True)
class PoissonRecipe(Recipe):
    """The recipe of a scorer, for rates."""

    def settings(self, rows: int, seed: int) -> dict[str, Any]:
        """LightGBM's parameters for so many rows."""
        return super().settings(rows, seed) | {"objective": "poisson"}


@dataclass(frozen=True)
class ExposedRows:
    """Loans in the order of their content, their exposure above zero; one entry a loan."""

    columns: Columns
    codes: Matrix
    watch: Watch
    exposure: Vector
    groups: Places | None

    def __len__(self) -> int:
        return len(self.watch)

    def at(self, places: NDArray[Any]) -> "ExposedRows":
        """The loans at these places."""
        groups = None if self.groups is None else self.groups[places]
        watch, exposure = self.watch.at(places), self.exposure[places]
        return ExposedRows(self.columns, self.codes[places], watch, exposure, groups)

    @property
    def rate(self) -> Vector:
        """Defaults over exposure."""
        return self.watch.defaulted / self.exposure

    @property
    def shown(self) -> Vector:
        """Weighted exposure; as the weight of `rate` it makes exposure the regression's offset."""
        return self.watch.weight * self.exposure

    def encode(self) -> tuple[Encoding, Matrix]:
        """Matrix to learn from, the levels of text valued by the rates of other loans."""
        part = parts(len(self), self.groups, PARTS)
        return fit_encoding(self.columns, self.codes, self.rate, self.shown, part)

    def sides(self, train: Places, valid: Places) -> tuple[Matrix, Matrix]:
        """Both sides of a fold, encoded by what the first one shows."""
        encoding, matrix = self.at(train).encode()
        return matrix, encoding.apply(self.codes[valid])


@dataclass(frozen=True)
class RateTrees:
    """Trees whose raw score is a log rate.

    `log_rate` is each row's, by trees that had not seen it where `judged`, else by these.
    """

    form: Form
    model: str
    rounds: int
    encoding: Encoding
    additive: tuple[Additive, ...]
    log_rate: Vector
    judged: NDArray[np.bool_]

    def scorer(self, like: Scorer, calibration: Calibration, rows: ExposedRows) -> Scorer:
        """A scorer that serves these trees, with the parameters of `like`."""
        chance = expit(calibration(self.log_rate))
        fitted = Fitted(
            form=self.form,
            model=self.model,
            encoding=self.encoding,
            calibration=calibration,
            additive=self.additive,
            rounds=self.rounds,
            rows=len(rows),
            bad_rate=float(np.average(chance, weights=rows.watch.weight)),
        )
        return Scorer.from_bytes(write_files(fitted, like.get_params(), np.array([0, 1])))


def grow_rates(scorer: Scorer, rows: ExposedRows) -> RateTrees:
    """Choose the rounds on folds that look ahead in time, then grow on all rows.

    Raises:
        ShortHistory: fewer defaults than folds.
    """
    recipe = _recipe(scorer, rows)
    defaults = int(rows.watch.defaulted.sum())
    if defaults < FOLDS:
        raise ShortHistory(
            f"{defaults} loans defaulted inside the horizon; at least {FOLDS} are needed. "
            "Hint: give older loans."
        )
    folds = _folds(rows, recipe.random_state)
    rounds, out_of_fold = choose_rounds(recipe, folds, rows.sides, rows.rate, rows.shown)
    encoding, matrix = rows.encode()
    model, boosters = grow(recipe, rounds, matrix, rows.rate, rows.shown, rows.columns.names)
    additive: tuple[Additive, ...] = ()
    if recipe.form == "pairs":
        _, tables = sum_leaves(read_leaves(model))
        seen, weight = matrix[:ROWS_PURIFIED], rows.watch.weight[:ROWS_PURIFIED]
        additive = tuple(additive_part(table, seen, weight) for table in tables)
    own = np.mean([booster.predict(matrix, raw_score=True) for booster in boosters], axis=0)
    _must_score(model, matrix[:1000], own[:1000])
    judged = ~np.isnan(out_of_fold)
    log_rate = np.where(judged, out_of_fold, own)
    return RateTrees(recipe.form, model, rounds, encoding, additive, log_rate, judged)


def _must_score(model: str, matrix: Matrix, expected: Vector) -> None:
    """Merging is our own surgery on LightGBM's text: never serve it unchecked."""
    import lightgbm

    merged = lightgbm.Booster(model_str=model).predict(matrix, raw_score=True)
    if not np.allclose(merged, expected, rtol=0.0, atol=1e-12):
        raise AssertionError("the merged model is not the mean of its boosters")


def _folds(rows: ExposedRows, seed: int) -> list[Fold]:
    """Forward in time; at random where a side would lack defaults, as when all start together."""
    bad = rows.watch.defaulted
    forward = forward_folds(rows.watch.started.astype(np.float64), rows.groups)
    usable = [fold for fold in forward if all(bad[side].any() for side in fold)]
    return usable or list(random_folds(bad, rows.groups, seed))


def rate_slope(trees: RateTrees, rows: ExposedRows) -> float:
    """Slope of the Poisson regression of the defaults on the judged log rates.

    Drawn to one by a normal prior, its intercept free: the root of the slope's own score equation.
    """
    rows, log_rate = rows.at(trees.judged), trees.log_rate[trees.judged]
    defaults, shown = rows.watch.weight * rows.watch.defaulted, rows.shown

    def excess(slope: float) -> float:
        expected = shown * np.exp(slope * (log_rate - log_rate.max()))
        expected *= defaults.sum() / expected.sum()
        return float((expected - defaults) @ log_rate + (slope - 1.0) / DOUBT**2)

    if excess(SMALLEST_SLOPE) >= 0:
        return SMALLEST_SLOPE
    return float(brentq(excess, SMALLEST_SLOPE, STEEPEST_SLOPE, xtol=1e-12))


def _recipe(scorer: Scorer, rows: ExposedRows) -> PoissonRecipe:
    names, directions = rows.columns.names, scorer.directions or {}
    for name in directions:
        if name not in names:
            raise UnknownName("feature", name, names)
    return PoissonRecipe(
        form="pairs" if scorer.form == "auto" else scorer.form,
        directions=tuple(int(directions.get(name, 0)) for name in names),
        seeds=scorer.seeds,
        calibrate=scorer.calibrate,
        random_state=scorer.random_state,
        learning_rate=learning_rate(len(rows)),
        threads=scorer.n_jobs if scorer.n_jobs and scorer.n_jobs > 0 else 0,
    )
