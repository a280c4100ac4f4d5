"""Trees for a target: form and rounds chosen out of fold, then grown on all rows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.scoring.boosting import (
    MANY_ROWS,
    ROUNDS_WITHOUT_FOLDS,
    Encode,
    Recipe,
    choose_rounds,
    grow,
    out_of_fold,
)
from models.scoring.columns import Codes, Columns, Matrix
from models.scoring.effects import Additive, additive_part, sum_leaves
from models.scoring.encoding import Encoding, fit_encoding, has_rare_levels
from models.scoring.folds import FOLDS, Fold, Places, forward_folds, parts, random_folds
from models.scoring.losses import level_of, loss
from models.scoring.risks import PARTS
from models.scoring.rows import Rows
from models.scoring.text_terms import Of, plan_terms
from models.scoring.trees import read_leaves

Vector = NDArray[np.float64]

DOUBT = 2.0
BLOCK = 50_000  # rows copied at a time
ROWS_PURIFIED = 50_000  # rows that stand for the training distribution in the tables


@dataclass(frozen=True)
class Grown:
    """Trees with a raw score that is not yet calibrated, and the matrix they were grown on.

    ``out_of_fold`` is each row's raw score by trees that have not seen it, NaN where there is none.
    """

    recipe: Recipe
    rounds: int
    model: str
    encoding: Encoding
    additive: tuple[Additive, ...]
    encoded: Codes
    out_of_fold: Vector

    def in_sample(self) -> Vector:
        """Raw score of the rows the trees were grown on."""
        return _raw(self.model, self.encoded)


def grow_recipe(recipes: Sequence[Recipe], columns: Columns, rows: Rows) -> Grown:
    """Choose recipe and rounds out of fold, then grow on all rows."""
    recipe, rounds, judged = choose(recipes, columns, rows)
    plan = terms_of(recipe, columns, rows.codes)
    encoding, encoded = _fit(columns, rows, plan)
    varies = has_rare_levels(columns, rows.codes, rows.weight) or bool(plan)

    def seen(seed: int) -> Codes:
        """Rare levels valued by another division of the data for each seed."""
        return _fit(columns, rows, plan, seed)[1] if seed and varies else encoded

    names = [*columns.names, *(" × ".join(columns.names[at] for at in of) for of in plan)]
    wider = recipe.beside(len(plan))
    model, boosters = grow(wider, rounds, seen, rows.target, rows.weight, names)
    _must_be_their_mean(model, boosters, encoded[:1000])
    additive: tuple[Additive, ...] = ()
    if recipe.form == "pairs":
        some = slice(None, ROWS_PURIFIED)  # rows lie in the order of a hash: a slice is a sample
        matrix, weight = encoded[some], rows.weight[some]
        _, tables = sum_leaves(read_leaves(model))
        additive = tuple(additive_part(table, matrix, weight) for table in tables)
    return Grown(recipe, rounds, model, encoding, additive, encoded, judged)


def judged_at_random(grown: Grown, columns: Columns, rows: Rows) -> Vector:
    """Each row's raw score by trees of other random folds, however its time lies to theirs."""
    folds = _random(grown.recipe, rows)
    wider, encode = _encoding_for(grown.recipe, columns, rows)
    return out_of_fold(wider, grown.rounds, folds, encode, rows.target, rows.weight)


def choose(recipes: Sequence[Recipe], columns: Columns, rows: Rows) -> tuple[Recipe, int, Vector]:
    """The first recipe, unless a later one is better out of fold beyond doubt.

    With it go its rounds and the raw score of the rows out of fold.
    """
    chosen = recipes[0]
    folds = _folds(chosen, rows)
    if not folds:
        return chosen, ROUNDS_WITHOUT_FOLDS, np.full(len(rows), np.nan)

    def judge(recipe: Recipe) -> tuple[int, Vector]:
        wider, encode = _encoding_for(recipe, columns, rows)
        in_time = rows.applied_on is not None
        return choose_rounds(wider, folds, encode, rows.target, rows.weight, in_time=in_time)

    rounds, judged = judge(chosen)
    for rival in recipes[1:]:
        other = judge(rival)
        if _is_better(rival, other[1], judged, rows, folds):
            chosen, (rounds, judged) = rival, other
    return chosen, rounds, judged


def _is_better(
    recipe: Recipe, challenger: Vector, champion: Vector, rows: Rows, folds: Sequence[Fold]
) -> bool:
    """Whether the challenger's loss is lower by more than `DOUBT` standard errors."""
    lost, other = (_losses(recipe, raw, rows, folds) for raw in (champion, challenger))
    gain = rows.weight[~np.isnan(champion)] * (lost - other)
    return bool(gain.mean() > DOUBT * gain.std() / np.sqrt(len(gain)))


def _losses(recipe: Recipe, raw: Vector, rows: Rows, folds: Sequence[Fold]) -> Vector:
    """The loss of each judged row; where folds look ahead, beside the level of its fold."""
    raw, judged = raw.copy(), ~np.isnan(raw)
    for _, valid in folds if rows.applied_on is not None else ():
        target, weight = rows.target[valid], rows.weight[valid]
        raw[valid] += level_of(recipe.objective, target, weight, raw[valid])
    return loss(recipe.objective, rows.target[judged], raw[judged])


def _folds(recipe: Recipe, rows: Rows) -> list[Fold]:
    """Folds that judge rounds: forward in time where time is known, else at random."""
    if rows.applied_on is None or not _can_be_split(rows):
        return _random(recipe, rows)
    forward = _usable(forward_folds(rows.applied_on, rows.groups), rows)
    return forward or _random(recipe, rows)  # as when all applied on one day


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


def _both_classes(bad: NDArray[np.bool_]) -> bool:
    return bool(bad.any() and not bad.all())


def terms_of(recipe: Recipe, columns: Columns, codes: Codes) -> tuple[Of, ...]:
    """What the recipe's trees see beside the columns: a leaf of pairs has no room for a term."""
    return () if recipe.form == "pairs" else plan_terms(columns, codes)


def _encoding_for(recipe: Recipe, columns: Columns, rows: Rows) -> tuple[Recipe, Encode]:
    """The recipe as wide as its trees' columns, and how folds are encoded for it."""
    plan = terms_of(recipe, columns, rows.codes)

    def encode(train: Places, valid: Places) -> tuple[Codes, Matrix]:
        encoding, encoded = _fit(columns, rows.at(train), plan)
        return encoded, encoding.apply(rows.codes[valid])

    return recipe.beside(len(plan)), encode


def _fit(columns: Columns, rows: Rows, plan: Sequence[Of], seed: int = 0) -> tuple[Encoding, Codes]:
    part = parts(len(rows), rows.groups, PARTS, seed)
    return fit_encoding(columns, rows.codes, rows.target, rows.weight, part, plan)


def _must_be_their_mean(model: str, boosters: Sequence[object], matrix: Matrix) -> None:
    """Merging is our own surgery on LightGBM's text: never serve it unchecked."""
    mean = np.mean([booster.predict(matrix, raw_score=True) for booster in boosters], axis=0)  # type: ignore[attr-defined]
    if not np.allclose(_raw(model, matrix), mean, rtol=0.0, atol=1e-12):
        raise AssertionError("the merged model is not the mean of its boosters")


def _raw(model: str, codes: Codes | Matrix) -> Vector:
    import lightgbm

    booster = lightgbm.Booster(model_str=model)
    blocks = (codes[at : at + BLOCK] for at in range(0, len(codes), BLOCK))
    return np.concatenate([booster.predict(block, raw_score=True) for block in blocks])
