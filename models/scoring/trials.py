"""Trials: a search around the house settings, judged on folds that lie forward in time."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.scoring.boosting import Recipe
from models.scoring.columns import Columns, frame_or_array
from models.scoring.growing import DOUBT, choose
from models.scoring.losses import loss
from models.scoring.rows import Rows, UnfitRows, training_rows

if TYPE_CHECKING:
    from models.scoring.scorer import Scorer

Vector = NDArray[np.float64]
Progress = Callable[[int, int], None]

# least and most of each setting tried, as multiples of the house's
AROUND = {
    "learning_rate": (0.5, 2.0),
    "num_leaves": (0.5, 4.0),
    "min_data_in_leaf": (0.25, 4.0),
    "lambda_l2": (0.05, 20.0),
    "feature_fraction": (0.4, 2.0),
    "bagging_fraction": (0.5, 2.0),
}


@dataclass(frozen=True)
class Tuning:
    """What trials found: `settings` for a `Scorer`, and a row for each trial, best first.

    `settings` are empty where no trial beat the house settings beyond doubt. `trials` has the
    loss out of fold, its gain on the house settings' with a standard error, the rounds, and the
    settings tried.
    """

    settings: dict[str, float]
    trials: pd.DataFrame


def tune(
    scorer: "Scorer",
    X: Any,
    y: Any,
    *,
    trials: int,
    applied_on: Any = None,
    groups: Any = None,
    sample_weight: Any = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Tuning:
    """Search settings for a scorer, which is not fitted itself; rows as for `Scorer.fit`.

    The form searched is the scorer's own, or the first that "auto" would try.
    """
    X = frame_or_array(X)
    columns = Columns.of(X)
    _, bad = np.unique(np.asarray(y), return_inverse=True)
    rows = training_rows(
        columns,
        X,
        bad.astype(np.float64),
        applied_on=applied_on,
        groups=groups,
        sample_weight=sample_weight,
    )
    recipe = scorer.recipes(columns, len(rows))[0]
    return search(recipe, columns, rows, trials=trials, seed=seed, progress=progress)


def search(
    recipe: Recipe,
    columns: Columns,
    rows: Rows,
    *,
    trials: int,
    seed: int,
    progress: Progress | None = None,
) -> Tuning:
    """Search around a recipe's settings by tree-structured Parzen estimators (Bergstra 2011).

    The same rows, recipe and seed give the same trials.

    Raises:
        UnfitRows: too few rows of either class to hold some back.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    house = _judged(recipe, columns, rows, {})
    settings = recipe.settings(len(rows), seed=0)
    space = _space(settings)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    known = {name: settings[name] for name in space}
    study.add_trial(optuna.trial.create_trial(params=known, distributions=space, value=house.mean))
    tried = []
    for done in range(trials):
        if progress is not None:
            progress(done, trials)
        trial = study.ask(dict(space))
        tried.append(_judged(recipe, columns, rows, trial.params))
        study.tell(trial, tried[-1].mean)
    if progress is not None:
        progress(trials, trials)
    return _tuning(house, tried)


@dataclass(frozen=True)
class _Trial:
    """Settings, the rounds they bear, and what each row lost out of fold."""

    settings: dict[str, float]
    rounds: int
    losses: Vector

    @property
    def mean(self) -> float:
        return float(self.losses.mean())


def _space(settings: dict[str, Any]) -> dict[str, Any]:
    """Optuna's distributions, even on the log scale; no fraction exceeds one."""
    from optuna.distributions import FloatDistribution, IntDistribution

    space: dict[str, Any] = {}
    for name, (least, most) in AROUND.items():
        low, high = settings[name] * least, settings[name] * most
        if name == "num_leaves" and settings["max_depth"] > 0:
            high = min(high, 2 ** settings["max_depth"])
        if isinstance(settings[name], int):
            space[name] = IntDistribution(max(2, round(low)), round(high), log=True)
        else:
            high = min(high, 1.0) if name.endswith("fraction") else high
            space[name] = FloatDistribution(low, high, log=True)
    return space


def _judged(recipe: Recipe, columns: Columns, rows: Rows, settings: dict[str, float]) -> _Trial:
    tuned = replace(recipe, tuned={**recipe.tuned, **settings})
    _, rounds, raw = choose([tuned], columns, rows)
    judged = ~np.isnan(raw)
    if not judged.any():
        raise UnfitRows(
            f"Trials are judged on rows held back, and {rows.fewest} rows of the rarer class are "
            "too few for that. Train without trials."
        )
    lost = loss(recipe.objective, rows.target[judged], raw[judged])
    return _Trial(settings, rounds, rows.weight[judged] * lost)


def _tuning(house: _Trial, tried: list[_Trial]) -> Tuning:
    lines = [_line(trial, house) for trial in [house, *tried]]
    table = pd.DataFrame(lines).sort_values("loss", kind="stable", ignore_index=True)
    best = min([house, *tried], key=lambda trial: trial.mean)
    line = _line(best, house)
    beyond_doubt = line["gain"] > DOUBT * line["standard_error"]
    return Tuning(best.settings if beyond_doubt else {}, table)


def _line(trial: _Trial, house: _Trial) -> dict[str, float]:
    gain = house.losses - trial.losses
    return {
        "loss": trial.mean,
        "gain": float(gain.mean()),
        "standard_error": float(gain.std() / np.sqrt(len(gain))),
        "rounds": trial.rounds,
        **trial.settings,
    }
