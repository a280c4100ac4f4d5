"""What the catalogue leaves on the table: the best model of every raw column against the features.

    python benchmarks/left_on_the_table.py var/ --trials 10 --json

``var`` holds a province with its store and feature table (`microloan world`, `ingest`, `features`).
Later applications, declined ones included, are ranked by models of earlier ones; each counts as bad
by its true probability and as good by the rest. Two ways to learn:

- *bank*: from the loans and labels of `microloan train`, of every age as far as they were watched;
  the served form (pairs, monotone) on the catalogue, trees of any depth on the raw columns;
- *everyone*: from the outcomes that all earlier applicants would have had, which no bank knows: so
  many defaults that what a column can tell is learnt. One learner on raw columns, features, both.

Free trees are tuned by trials on an inner split forward in time; CatBoost, where it is installed,
learns from the raw columns of everyone and is stopped on that split. Intervals are of businesses
drawn anew (500 times), with the models as they are.
"""

import argparse
import json
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import optuna
import polars as pl
from numpy.typing import NDArray
from raw_columns import raw_columns

from features.catalog import CATALOG, directions
from models import Scorer
from models.loans.at_risk import horizon_months
from models.scoring.hazard import fit_hazard
from models.scoring.trials import search
from models.validation.metrics import gini
from pipelines.learning.plan import Plan
from pipelines.learning.study import Study, study
from pipelines.settings import Var
from serving.records import Records

Floats = NDArray[np.float64]
DRAWS = 500
INNER_SHARE = 0.25  # of the rows learnt from, the newest: what trials are judged on
MOST_ROUNDS, PATIENCE = 600, 30


def main() -> None:
    """Measure the folder named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("var", type=Path, help="folder of a province, its store and features")
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--learn", choices=("bank", "everyone"), default="everyone")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(Var(options.var), options.learn, trials=options.trials, seed=options.seed)
    print(json.dumps(found) if options.json else "\n".join(f"{k}: {v}" for k, v in found.items()))


def measure(paths: Var, learn: str, *, trials: int, seed: int) -> dict[str, Any]:
    """Gini of each way through the door, and its share of the best of the raw columns."""
    rows = study(paths, Plan())
    raw = raw_of_all(paths)
    ranked = (from_everyone if learn == "everyone" else from_the_bank)(
        rows, raw, paths, trials=trials, seed=seed
    )
    true = rows.applicants.true_pd.to_numpy()
    businesses = rows.applicants.groups.to_numpy()
    raw_best = max(
        (name for name in ranked if name.startswith("raw columns") and "catalogue" not in name),
        key=lambda n: expected_gini(true, ranked[n]),
    )
    return {
        "learnt from": learn,
        "applicants tested on": len(true),
        "true bad rate": float(true.mean()),
        "attainable": expected_gini(true, true),
        **{name: expected_gini(true, risk) for name, risk in ranked.items()},
        **{
            f"share of {raw_best}, {name}": share(true, risk, ranked[raw_best], businesses, seed)
            for name, risk in ranked.items()
            if name != raw_best
        },
    }


def raw_of_all(paths: Var) -> pl.DataFrame:
    """The raw columns of all applications, kept beside the feature table."""
    file = paths.features.with_name("raw.parquet")
    if not file.exists():
        records = Records.open(paths.store)
        parts = [records.bucket(i) for i in range(records.buckets)]
        newest = [_newest(tables["applications"]) for tables in parts]
        made = [raw_columns(asked, tables) for asked, tables in zip(newest, parts, strict=True)]
        pl.concat(made, how="diagonal").write_parquet(file)
    return pl.read_parquet(file)


def _newest(applications: pl.DataFrame) -> pl.DataFrame:
    return applications.sort("known_on").unique("application_id", keep="last", maintain_order=True)


def from_everyone(
    rows: Study, raw: pl.DataFrame, paths: Var, *, trials: int, seed: int
) -> dict[str, Floats]:
    """Free trees on what became of all earlier applicants, or would have."""
    catalogue = pl.read_parquet(paths.features).drop("business_id")
    truth = pl.read_parquet(paths.truth / "applications.parquet")
    earlier = (
        catalogue.select("application_id", "applied_on")
        .filter(pl.col("applied_on") < rows.start)
        .join(truth.select("application_id", "would_default"), on="application_id")
        .sort("applied_on", "application_id")
    )
    bad = earlier["would_default"].cast(pl.Float64).to_numpy()
    features = catalogue.drop("applied_on")
    tables = {
        "raw columns": raw,
        "catalogue": features,
        "raw columns and catalogue": raw.join(features, on="application_id"),
    }
    learnt, asked = earlier["application_id"], rows.applicants.names
    ways: dict[str, Callable[[], Floats]] = {
        f"{name} {trials}": partial(free_trees, table, learnt, asked, bad, trials=trials, seed=seed)
        for name, table in tables.items()
    }
    if find_spec("catboost"):
        ways["raw columns, CatBoost"] = partial(catboost, raw, learnt, asked, bad, seed=seed)
    return {
        name.removesuffix(f" {trials}"): kept(paths, f"everyone {name} {seed}", way)
        for name, way in ways.items()
    }


def kept(paths: Var, name: str, rank: Callable[[], Floats]) -> Floats:
    """What was ranked before, or ``rank`` now: a run that was stopped goes on where it was."""
    file = paths.root / "left_on_the_table" / f"{name}.npy"
    if not file.exists():
        file.parent.mkdir(exist_ok=True)
        np.save(file, rank())
    return np.asarray(np.load(file))


def free_trees(
    table: pl.DataFrame, learnt: pl.Series, asked: pl.Series, bad: Floats, *, trials: int, seed: int
) -> Floats:
    """LightGBM, tuned on the newest of the rows learnt from, then fitted on all of them."""
    matrix, asked_matrix = (_matrix(table, names) for names in (learnt, asked))
    inner = int(len(bad) * (1 - INNER_SHARE))
    train = lightgbm.Dataset(matrix[:inner], bad[:inner], free_raw_data=False)
    held = lightgbm.Dataset(matrix[inner:], bad[inner:], reference=train, free_raw_data=False)

    def judged(trial: optuna.Trial) -> float:
        booster = lightgbm.train(
            _settings(trial, seed), train, MOST_ROUNDS, valid_sets=[held],
            callbacks=[lightgbm.early_stopping(PATIENCE, verbose=False)],
        )  # fmt: skip
        trial.set_user_attr("rounds", booster.best_iteration)
        return float(booster.best_score["valid_0"]["auc"])

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    tuned = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    tuned.optimize(judged, n_trials=trials)
    rounds = round(tuned.best_trial.user_attrs["rounds"] / (1 - INNER_SHARE) ** 0.5)
    risks = [
        lightgbm.train(
            {**_settings(tuned.best_trial, seed), "seed": each, "bagging_seed": each},
            lightgbm.Dataset(matrix, bad, free_raw_data=False), rounds,
        ).predict(asked_matrix, raw_score=True)
        for each in range(seed, seed + 3)
    ]  # fmt: skip
    return np.asarray(np.mean(risks, axis=0))


def catboost(
    table: pl.DataFrame, learnt: pl.Series, asked: pl.Series, bad: Floats, *, seed: int
) -> Floats:
    """CatBoost at its own settings but for speed, stopped by the newest of the rows learnt from."""
    from catboost import CatBoostClassifier

    matrix, asked_matrix = (_matrix(table, names) for names in (learnt, asked))
    inner = int(len(bad) * (1 - INNER_SHARE))
    made = partial(
        CatBoostClassifier, rsm=0.2, border_count=63, eval_metric="AUC", random_seed=seed,
        learning_rate=0.05, thread_count=1, verbose=0, allow_writing_files=False,
    )  # fmt: skip
    stopped = made(iterations=MOST_ROUNDS, early_stopping_rounds=PATIENCE).fit(
        matrix[:inner], bad[:inner], eval_set=(matrix[inner:], bad[inner:])
    )
    rounds = round((stopped.get_best_iteration() + 1) / (1 - INNER_SHARE) ** 0.5)
    whole = made(iterations=rounds).fit(matrix, bad)
    return np.asarray(whole.predict(asked_matrix, prediction_type="RawFormulaVal"))


def _settings(trial: Any, seed: int) -> dict[str, Any]:
    suggested = (
        trial.params
        if isinstance(trial, optuna.trial.FrozenTrial)
        else {
            "num_leaves": trial.suggest_int("num_leaves", 4, 48, log=True),
            "learning_rate": trial.suggest_float("learning_rate", 0.03, 0.1, log=True),
            "min_data_in_leaf": trial.suggest_int("min_data_in_leaf", 20, 300, log=True),
            "lambda_l2": trial.suggest_float("lambda_l2", 0.1, 100, log=True),
            "feature_fraction": trial.suggest_float("feature_fraction", 0.05, 0.5, log=True),
            "bagging_fraction": trial.suggest_float("bagging_fraction", 0.5, 1.0),
        }
    )
    return {
        "objective": "binary", "metric": "auc", "bagging_freq": 1, "verbosity": -1,
        "num_threads": 1, "seed": seed, "deterministic": True, "force_row_wise": True,
        "max_bin": 63, "feature_pre_filter": False,
        **suggested,
    }  # fmt: skip


def _matrix(table: pl.DataFrame, names: pl.Series) -> Floats:
    """Numbers as they are, text by its rank, in the order of ``names``."""
    numbers = table.with_columns(pl.selectors.string().exclude("application_id").rank("dense"))
    placed = pl.DataFrame({"application_id": names}).join(
        numbers, on="application_id", how="left", maintain_order="left"
    )
    return placed.drop("application_id").cast(pl.Float32).to_numpy()


def from_the_bank(
    rows: Study, raw: pl.DataFrame, paths: Var, *, trials: int, seed: int
) -> dict[str, Floats]:
    """Scorers of the loans that were granted, as `microloan train` learns them."""
    learnt, asked = (
        pl.DataFrame({"application_id": names})
        .join(raw, on="application_id", how="left", maintain_order="left")
        .drop("application_id")
        for names in (rows.train.names, rows.applicants.names)
    )
    features, asked_features = rows.train.features, rows.applicants.features
    served = Scorer(directions=directions(CATALOG), form="pairs", random_state=seed)
    free, deep = (Scorer(form=form, random_state=seed) for form in ("free", "deep"))
    ways = {
        "catalogue, as served": (served, features, asked_features, 0),
        "catalogue, free trees": (free, features, asked_features, trials),
        "raw columns, free trees": (free, learnt, asked, trials),
        "raw columns, deep trees": (deep, learnt, asked, trials),
    }
    return {
        name: kept(paths, f"bank {name} {trials} {seed}", partial(_ranked, rows, *way, seed))
        for name, way in ways.items()
    }


def _ranked(
    rows: Study, scorer: Scorer, learnt: pl.DataFrame, asked: pl.DataFrame, trials: int, seed: int
) -> Floats:
    found: Callable[..., Any] | None = None
    if trials:

        def found(recipe: Any, columns: Any, exposed: Any) -> Any:
            return search(recipe, columns, exposed, trials=trials, seed=seed).settings

    hazard = fit_hazard(
        scorer,
        learnt,
        months_at_risk=rows.loans["months_at_risk"].to_numpy(),
        defaulted=rows.loans["defaulted"].to_numpy(),
        started_on=rows.loans["granted_on"],
        as_of=rows.start,
        horizon_months=horizon_months(rows.plan.definition),
        strata=rows.loans["repayment"],
        groups=rows.train.groups,
        search=found,
    )
    return np.asarray(hazard.scorer.decision_function(asked))


def expected_gini(true: Floats, risk: Floats, weight: Floats | None = None) -> float:
    """Gini where each applicant is bad by ``true`` and good by the rest."""
    once = np.ones_like(true) if weight is None else weight
    bad = np.repeat([1.0, 0.0], len(true))
    return gini(bad, np.tile(risk, 2), np.concatenate([true * once, (1 - true) * once]))


def share(
    true: Floats, risk: Floats, best: Floats, businesses: NDArray[Any], seed: int
) -> dict[str, float]:
    """``risk``'s Gini over that of ``best``, with its 95 % interval over businesses drawn anew."""
    random = np.random.default_rng(seed)
    _, member = np.unique(businesses, return_inverse=True)
    count = int(member.max()) + 1
    ratios = []
    for _ in range(DRAWS):
        drawn = np.bincount(random.integers(0, count, count), minlength=count)[member].astype(float)
        ratios.append(expected_gini(true, risk, drawn) / expected_gini(true, best, drawn))
    low, high = np.quantile(ratios, [0.025, 0.975])
    return {
        "share": expected_gini(true, risk) / expected_gini(true, best),
        "low": float(low),
        "high": float(high),
    }


if __name__ == "__main__":
    main()
