"""Train a scorer on the applications in the store, out of time, and register it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import msgspec
import polars as pl
from sklearn.base import clone

from features.catalog import directions, fingerprint
from models import Scorer
from models.loans.at_risk import horizon_months
from models.registry import MODEL, Registry
from models.scoring.boosting import Recipe
from models.scoring.columns import Columns
from models.scoring.hazard import fit_hazard
from models.scoring.rows import Rows
from models.scoring.trials import Tuning, search, tune
from models.validation.reject import Method, infer
from pipelines.learning.learn import (
    Fit,
    Fitted,
    Learnt,
    Part,
    by_flag,
    doubt_of,
    learn,
)
from pipelines.learning.plan import Plan
from pipelines.learning.policies import newest_policy
from pipelines.learning.provenance import made_by
from pipelines.learning.study import Study, study
from pipelines.settings import Var
from serving.policy.policy_file import load

PLAN = "plan.json"  # artefact: what the training was asked for
TRIALS = "trials.csv"  # artefact: settings tried, and what they lost out of fold


def train(
    paths: Var,
    plan: Plan | None = None,
    *,
    cluster: str | None = None,
    workers: int = 1,
    rivals: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> Learnt:
    """Learn from what was known before the test's first application, test on it, register.

    ``cluster`` is the address of the Dask scheduler of a plan whose engine is "dask"; without it
    that many ``workers`` are started here. ``rivals`` compares with challengers of other makes,
    which takes as long again.

    Raises:
        MicroloanError: there is no feature table or store, or it holds too few loans.
    """
    rows = study(paths, plan or Plan())
    policy = load(newest_policy())
    with _growing_at(rows.plan, cluster, workers) as address:
        return learn(
            Registry(paths.mlflow),
            fit(rows, address),
            rows.train,
            rows.test,
            applicants=rows.applicants,
            name=MODEL,
            fingerprint=fingerprint(rows.plan.chosen),
            fingerprints={
                "feature_table": rows.table.table_sha256,
                **made_by(rows.table.store_snapshot),
            },
            parameters=_told(rows.plan),
            judging={
                "scale": [(grade.grade, grade.pd_below) for grade in policy.grades],
                "cut_off": policy.cut_off,
            },
            artifacts={PLAN: msgspec.json.encode(rows.plan)},
            rivals=rivals,
            flow=rows.flow,
            plots=paths.plots,
            progress=progress,
        )


@contextmanager
def _growing_at(plan: Plan, cluster: str | None, workers: int) -> Iterator[str | None]:
    """Address of the cluster that grows the trees; None where this machine does."""
    if plan.engine == "local":
        yield None
        return
    from pipelines.engines.dask_cluster import scheduler

    with scheduler(cluster, workers) as address:
        yield address


def fit(rows: Study, cluster: str | None = None) -> Fit:
    """How the plan wants the scorer fitted, its trees grown on the ``cluster`` at an address."""
    plan = rows.plan
    scorer = Scorer(
        directions=directions(plan.chosen),
        form=plan.form,
        random_state=plan.seed,
        cluster=cluster,
    )
    if plan.method == "hazard":
        return _by_hazard(scorer, rows)
    if plan.inference != "none":
        return _by_inference(scorer, rows, plan.inference)
    return _by_trials(scorer, rows) if plan.trials else by_flag(scorer)


def _by_hazard(scorer: Scorer, rows: Study) -> Fit:
    """Learn from loans of every age, as far as they had been watched when the test began."""
    files: dict[str, bytes] = {}

    def found(recipe: Recipe, columns: Columns, exposed: Rows) -> Mapping[str, float]:
        plan = rows.plan
        tuning = search(recipe, columns, exposed, trials=plan.trials, seed=plan.seed)
        files[TRIALS] = _table(tuning)
        return tuning.settings

    def fitted(train: Part) -> Fitted:
        hazard = fit_hazard(
            scorer,
            train.features,
            months_at_risk=rows.loans["months_at_risk"].to_numpy(),
            defaulted=rows.loans["defaulted"].to_numpy(),
            started_on=rows.loans["granted_on"],
            as_of=rows.start,
            horizon_months=horizon_months(rows.plan.definition),
            strata=rows.loans["repayment"],
            groups=train.groups,
            search=found if rows.plan.trials else None,
        )
        watched = hazard.watched(rows.loans["months_at_risk"], rows.loans["repayment"])
        doubt = doubt_of(hazard.scorer, train.features, watched)
        timing = hazard.to_bytes()["timing.json"]
        return Fitted(hazard.scorer, doubt, {"timing.json": timing, **files})

    return fitted


def _by_trials(scorer: Scorer, rows: Study) -> Fit:
    """Learn from flags with the settings that trials find."""

    def fitted(train: Part) -> Fitted:
        tuning = tune(
            scorer,
            train.features,
            train.bad,
            trials=rows.plan.trials,
            applied_on=train.applied_on,
            groups=train.groups,
            seed=rows.plan.seed,
        )
        scorer.set_params(settings=tuning.settings)
        return replace(by_flag(scorer)(train), files={TRIALS: _table(tuning)})

    return fitted


def _by_inference(scorer: Scorer, rows: Study, method: Method) -> Fit:
    """Learn from the granted, and from what is supposed of the declined."""

    def fitted(train: Part) -> Fitted:
        granted = clone(scorer).fit(train.features, train.bad, groups=train.groups)
        inferred = infer(method, granted, train.features, train.bad, rows.declined.features)
        scorer.fit(
            inferred.features,
            inferred.bad,
            applied_on=_days(rows)[inferred.place],
            groups=inferred.place,
            sample_weight=inferred.weight,
        )
        # its own would flatter: what is supposed of the declined was learnt from every granted row
        scorer.out_of_fold_ = granted.out_of_fold_
        doubt = doubt_of(scorer, inferred.features, inferred.weight)
        return Fitted(scorer, doubt, granted=granted, inference=method)

    return fitted


def _days(rows: Study) -> pl.Series:
    """When the granted applied, then the declined."""
    granted, declined = rows.train.applied_on, rows.declined.applied_on
    assert granted is not None
    assert declined is not None
    return pl.concat([granted, declined])


def _table(tuning: Tuning) -> bytes:
    return str(tuning.trials.to_csv(index=False)).encode()


def _told(plan: Plan) -> dict[str, Any]:
    """The plan as parameters of a run; no choice of features is all of them."""
    return {**msgspec.to_builtins(plan), "features": ", ".join(plan.features) or "all"}
