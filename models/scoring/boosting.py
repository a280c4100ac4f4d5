"""The recipe: how many rounds, grown on which settings, averaged over how many seeds."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.scoring.batches import dataset
from models.scoring.columns import Codes, Matrix
from models.scoring.folds import Fold, Places
from models.scoring.losses import LossBesideLevel, Objective
from models.scoring.on_cluster import grow_on_cluster
from models.scoring.trees import merge_models

Vector = NDArray[np.float64]
Form = Literal["pairs", "free", "deep"]
Encode = Callable[[Places, Places], tuple[Codes, Matrix]]

PATIENCE = 80
BARREN = 20  # rounds on end without a split: other columns and rows would not find one either
MOST_ROUNDS = 4000
FEW_ROWS, MANY_ROWS = 3_000, 30_000
ROUNDS_WITHOUT_FOLDS = 100

# what of LightGBM's parameters may be set otherwise; the rest keeps the promises of the scorer
TUNABLE = (
    "bagging_fraction",
    "feature_fraction",
    "lambda_l1",
    "lambda_l2",
    "learning_rate",
    "max_bin",
    "min_data_in_leaf",
    "min_gain_to_split",
    "num_leaves",
    "path_smooth",
)


@dataclass(frozen=True)
class Size:
    """How far a tree of a form may go."""

    num_leaves: int
    least_rows: int
    lambda_l2: float
    leaves_in_rows: int = 150  # a leaf holds its share of the rows, from 1 to 40 times the least
    max_depth: int = -1
    pace: float = 1.0  # small trees bear larger steps


SIZES: dict[Form, Size] = {
    # two questions on the way to a leaf: it depends on two features at most
    "pairs": Size(num_leaves=4, least_rows=10, lambda_l2=10.0, max_depth=2, pace=2.0),
    "free": Size(num_leaves=8, least_rows=10, lambda_l2=10.0),
    # where rows nearly repeat or features interlock, large trees pay; seldom in credit
    "deep": Size(num_leaves=31, least_rows=5, lambda_l2=1.0, leaves_in_rows=1000),
}


@dataclass(frozen=True)
class Recipe:
    """What a fit fixes before it sees an outcome; `directions` is one of -1, 0, 1 a column.

    `tuned` replaces the house settings of the same name. `cluster` is the address of a Dask
    scheduler whose workers grow the trees of the final fit; without it this machine does.
    """

    form: Form
    directions: tuple[int, ...]
    seeds: int
    calibrate: bool
    random_state: int
    threads: int
    learning_rate: float
    objective: Objective = "binary"
    tuned: Mapping[str, float] = field(default_factory=dict)
    cluster: str | None = None

    def settings(self, rows: int, seed: int) -> dict[str, Any]:
        """LightGBM's parameters for so many rows."""
        columns, size = len(self.directions), SIZES[self.form]
        leaf = np.clip(rows / size.leaves_in_rows, size.least_rows, 40 * size.least_rows)
        return {
            "objective": self.objective,
            "learning_rate": self.learning_rate * size.pace,
            "num_leaves": size.num_leaves,
            "max_depth": size.max_depth,
            "min_data_in_leaf": int(leaf),
            "feature_fraction": 0.7 if columns <= 12 else 0.5 if columns <= 60 else 0.3,
            "bagging_fraction": 0.7,
            "bagging_freq": 1,
            "lambda_l2": size.lambda_l2,
            "max_bin": 64,
            "min_gain_to_split": 0.01,
            "seed": self.random_state + seed,
            "num_threads": self.threads,
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
            **self._monotone(),
            **self.tuned,
        }

    def beside(self, terms: int) -> "Recipe":
        """The recipe of trees that see so many further columns, of no direction."""
        return replace(self, directions=self.directions + (0,) * terms)

    def _monotone(self) -> dict[str, Any]:
        if not any(self.directions):
            return {}
        return {
            "monotone_constraints": list(self.directions),
            "monotone_constraints_method": "intermediate",
        }


def learning_rate(rows: int) -> float:
    """Slower where rows are few, and a round is cheap."""
    return 0.02 if rows < FEW_ROWS else 0.03 if rows < MANY_ROWS else 0.05


def choose_rounds(
    recipe: Recipe,
    folds: Sequence[Fold],
    encode: Encode,
    target: Vector,
    weight: Vector,
    *,
    in_time: bool = False,
) -> tuple[int, Vector]:
    """The number of rounds, and each row's mean out-of-fold raw score (NaN if in no fold).

    All folds grow together and stop when their mean loss has not improved for `PATIENCE`
    rounds; the whole data bear 1.15 times the best, having more rows than any fold. With
    ``in_time``, folds look into the future: their loss is then that beside the level that fits
    them, for where the level moves, trees that know nothing lose least.
    """
    grown = _grown_on_folds(recipe, folds, encode, target, weight)
    levels = [LossBesideLevel(recipe.objective) if in_time else None for _ in grown]
    best = _grow_together([booster for booster, _ in grown], levels)
    rounds = max(1, round(1.15 * best))
    return rounds, _out_of_fold(grown, folds, rounds, len(target))


def out_of_fold(
    recipe: Recipe,
    rounds: int,
    folds: Sequence[Fold],
    encode: Encode,
    target: Vector,
    weight: Vector,
) -> Vector:
    """Each row's mean raw score from boosters of other folds, grown for so many rounds."""
    grown = _grown_on_folds(recipe, folds, encode, target, weight)
    for booster, _ in grown:
        _grow_for(booster, rounds)
    return _out_of_fold(grown, folds, rounds, len(target))


def _grown_on_folds(
    recipe: Recipe, folds: Sequence[Fold], encode: Encode, target: Vector, weight: Vector
) -> list[tuple[Any, Matrix]]:
    """For each fold a booster about to grow on its one side, and the matrix of the other."""
    grown = []
    for number, (train, valid) in enumerate(folds):
        settings = recipe.settings(len(train), number)
        seen, unseen = encode(train, valid)
        data = dataset(settings, seen, target[train], weight[train])
        booster = _booster(settings, data)
        judged = dataset(settings, unseen, target[valid], weight[valid], reference=data)
        booster.add_valid(judged, "valid")
        grown.append((booster, unseen))
    return grown


def _out_of_fold(
    grown: Sequence[tuple[Any, Matrix]], folds: Sequence[Fold], rounds: int, rows: int
) -> Vector:
    total, times = np.zeros(rows), np.zeros(rows)
    for (booster, unseen), (_, valid) in zip(grown, folds, strict=True):
        total[valid] += booster.predict(unseen, raw_score=True, num_iteration=rounds)
        times[valid] += 1
    mean: Vector = np.divide(total, times, out=np.full(rows, np.nan), where=times > 0)
    return mean


def _grow_together(boosters: Sequence[Any], levels: Sequence[LossBesideLevel | None]) -> int:
    """Rounds at the lowest mean validation loss."""
    best, lowest, barren = 0, np.inf, 0
    for done in range(1, MOST_ROUNDS + 1):
        split = [not booster.update() for booster in boosters]
        barren = 0 if any(split) else barren + 1
        pairs = zip(boosters, levels, strict=True)
        loss = np.mean([booster.eval_valid(level)[-1][2] for booster, level in pairs])
        if loss < lowest:
            best, lowest = done, float(loss)
        if barren >= BARREN or done - best >= PATIENCE:
            break
    return best


def grow(
    recipe: Recipe,
    rounds: int,
    encoded: Callable[[int], Codes],
    target: Vector,
    weight: Vector,
    names: Sequence[str],
) -> tuple[str, list[Any]]:
    """The text of one model whose score is the mean over seeds, and the boosters behind it.

    ``encoded`` gives the rows for each seed; a cluster is sent those of the first.
    """
    each = [recipe.settings(len(target), seed) for seed in range(recipe.seeds)]
    known = (target, weight, _plain(names))
    if recipe.cluster is None:
        boosters = _grow_here(each, rounds, encoded, *known)
    else:
        boosters = grow_on_cluster(recipe.cluster, each, rounds, encoded(0), *known)
    return merge_models([booster.model_to_string() for booster in boosters]), boosters


def _grow_here(
    settings: Sequence[dict[str, Any]],
    rounds: int,
    encoded: Callable[[int], Codes],
    target: Vector,
    weight: Vector,
    names: list[str],
) -> list[Any]:
    boosters, binned, data = [], None, None
    for seed, one in enumerate(settings):
        if (rows := encoded(seed)) is not binned:
            binned, data = rows, dataset(settings[0], rows, target, weight, names)
        boosters.append(_booster(one, data))
        _grow_for(boosters[-1], rounds)
    return boosters


def _grow_for(booster: Any, rounds: int) -> None:
    barren = 0
    for _ in range(rounds):
        barren = barren + 1 if booster.update() else 0
        if barren >= BARREN:
            break


def _plain(names: Sequence[str]) -> list[str]:
    """Names that LightGBM's text can hold; places where that would make two of them equal."""
    plain = [re.sub(r"\W", "_", name) for name in names]
    distinct = len(set(plain)) == len(plain) and all(plain)
    return plain if distinct else [f"column_{at}" for at in range(len(plain))]


def _booster(settings: dict[str, Any], data: Any) -> Any:
    import lightgbm

    return lightgbm.Booster(settings, data)
