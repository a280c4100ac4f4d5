"""One fit from ordered rows to everything that is served."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from models.boosting import (
    MANY_ROWS,
    ROUNDS_WITHOUT_FOLDS,
    Form,
    Recipe,
    choose_rounds,
    grow,
    out_of_fold,
)
from models.calibration import Calibration, fit_calibration
from models.columns import Columns, Matrix
from models.effects import Additive, additive_part, sum_leaves
from models.encoding import PARTS, Encoding, fit_encoding
from models.folds import FOLDS, Fold, Places, forward_folds, parts, random_folds
from models.free_trees import FreeTrees, free_trees
from models.rows import Rows
from models.tables import ScoreTables, score_tables
from models.trees import read_leaves

Vector = NDArray[np.float64]

DOUBT = 2.0
NEWEST_SHARE = 0.2
ROWS_PURIFIED = 50_000  # rows that stand for the training distribution in the tables


@dataclass(frozen=True)
class Fitted:
    """What a fit leaves: all that is saved, and all that serving needs.

    ``out_of_fold`` is not saved: log-odds of the training rows, each from trees that have not seen
    it (NaN where there were none), calibrated as served.
    """

    form: Form
    model: str
    encoding: Encoding
    calibration: Calibration
    additive: tuple[Additive, ...]
    rounds: int
    rows: int
    bad_rate: float
    out_of_fold: Vector | None = None

    def served(self) -> ScoreTables | FreeTrees:
        """The scorer in the form that answers."""
        if self.form != "pairs":
            return free_trees(self.model, self.calibration)
        constant, tables = sum_leaves(read_leaves(self.model))
        features = len(self.encoding.columns.names)
        return score_tables(features, constant, tables, self.additive, self.calibration)


def fit_recipe(recipes: Sequence[Recipe], columns: Columns, rows: Rows) -> Fitted:
    """Choose recipe, rounds and calibration out of fold, then grow on all rows."""
    recipe, rounds, calibration, log_odds = _chosen(recipes, columns, rows)
    part = parts(len(rows), rows.groups, PARTS)
    encoding, matrix = fit_encoding(columns, rows.codes, rows.bad, rows.weight, part)
    model, boosters = grow(recipe, rounds, matrix, rows.bad, rows.weight, columns.names)
    _must_be_their_mean(model, boosters, matrix[:1000])
    additive: tuple[Additive, ...] = ()
    if recipe.form == "pairs":
        seen = slice(None, ROWS_PURIFIED)  # rows lie in the order of a hash: a slice is a sample
        _, tables = sum_leaves(read_leaves(model))
        additive = tuple(additive_part(table, matrix[seen], rows.weight[seen]) for table in tables)
    return Fitted(
        form=recipe.form,
        model=model,
        encoding=encoding,
        calibration=calibration,
        additive=additive,
        rounds=rounds,
        rows=len(rows),
        bad_rate=float(np.average(rows.bad, weights=rows.weight)),
        out_of_fold=calibration(log_odds),
    )


def _chosen(
    recipes: Sequence[Recipe], columns: Columns, rows: Rows
) -> tuple[Recipe, int, Calibration, Vector]:
    """The first recipe, unless a later one is better out of fold beyond doubt.

    With it go its rounds, its calibration and the raw log-odds of the rows out of fold.
    """
    chosen = recipes[0]
    folds = _folds(chosen, rows)
    if not folds:
        return chosen, ROUNDS_WITHOUT_FOLDS, Calibration(), np.full(len(rows), np.nan)
    encode = partial(_encode, columns, rows)
    rounds, log_odds = choose_rounds(chosen, folds, encode, rows.bad, rows.weight)
    for rival in recipes[1:]:
        other = choose_rounds(rival, folds, encode, rows.bad, rows.weight)
        if _is_better(other[1], log_odds, rows):
            chosen, (rounds, log_odds) = rival, other
    if not chosen.calibrate:
        return chosen, rounds, Calibration(), log_odds
    if rows.applied_on is not None:
        folds = _random(chosen, rows)
        log_odds = out_of_fold(chosen, rounds, folds, encode, rows.bad, rows.weight)
    judged = ~np.isnan(log_odds) & _newest(rows)
    calibration = fit_calibration(log_odds[judged], rows.bad[judged], rows.weight[judged])
    return chosen, rounds, calibration, log_odds


def _newest(rows: Rows) -> NDArray[np.bool_]:
    """The rows that tell today's level: the newest fifth in time, or all where time is unknown.

    The level of default moves more than the ranking does, and a drift seen between one block of
    the past and the next turns around too often to be carried on (docs/log.md).
    """
    if rows.applied_on is None:
        return np.ones(len(rows), dtype=bool)
    return rows.applied_on >= np.quantile(rows.applied_on, 1 - NEWEST_SHARE)


def _is_better(challenger: Vector, champion: Vector, rows: Rows) -> bool:
    """Whether the challenger's log loss is lower by more than `DOUBT` standard errors."""
    judged = ~np.isnan(champion)
    sign = 1 - 2 * rows.bad[judged]
    gain = np.logaddexp(0, sign * champion[judged]) - np.logaddexp(0, sign * challenger[judged])
    gain = rows.weight[judged] * gain
    return bool(gain.mean() > DOUBT * gain.std() / np.sqrt(len(gain)))


def _folds(recipe: Recipe, rows: Rows) -> list[Fold]:
    """Folds that judge rounds: forward in time where time is known, else at random."""
    if rows.applied_on is None or not _can_be_split(rows):
        return _random(recipe, rows)
    return _usable(forward_folds(rows.applied_on, rows.groups), rows)


def _random(recipe: Recipe, rows: Rows) -> list[Fold]:
    if not _can_be_split(rows):
        return []
    return _usable(random_folds(rows.bad, rows.groups, recipe.random_state), rows)


def _can_be_split(rows: Rows) -> bool:
    groups = len(rows) if rows.groups is None else len(np.unique(rows.groups))
    return rows.fewest >= FOLDS and groups >= FOLDS


def _usable(folds: Iterable[Fold], rows: Rows) -> list[Fold]:
    """Folds whose both sides hold both classes.

    Of many rows one fold, the newest in time, tells as much as three of few.
    """
    usable = [fold for fold in folds if all(_both_classes(rows.bad[side]) for side in fold)]
    return usable[-1:] if len(rows) >= MANY_ROWS else usable


def _both_classes(bad: Vector) -> bool:
    return bool(0 < bad.sum() < len(bad))


def _encode(columns: Columns, rows: Rows, train: Places, valid: Places) -> tuple[Matrix, Matrix]:
    groups = None if rows.groups is None else rows.groups[train]
    part = parts(len(train), groups, PARTS)
    encoding, matrix = fit_encoding(
        columns, rows.codes[train], rows.bad[train], rows.weight[train], part
    )
    return matrix, encoding.apply(rows.codes[valid])


def _must_be_their_mean(model: str, boosters: list[object], matrix: Matrix) -> None:
    """Merging is our own surgery on LightGBM's text: never serve it unchecked."""
    import lightgbm

    merged = lightgbm.Booster(model_str=model).predict(matrix, raw_score=True)
    mean = np.mean([booster.predict(matrix, raw_score=True) for booster in boosters], axis=0)  # type: ignore[attr-defined]
    if not np.allclose(merged, mean, rtol=0.0, atol=1e-12):
        raise AssertionError("the merged model is not the mean of its boosters")
