"""The flows: thin over the functions that do the work, needing no Prefect server.

`whole_path` starts from a made-up province; `refresh` takes in what the departments delivered and
retrains. Deploy by module path, such as ``pipelines.flow:refresh``.
"""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from prefect import flow, task

from features.catalog import CATALOG
from pipelines import console
from pipelines.intake.ingest import ingest
from pipelines.learning.plan import Plan
from pipelines.learning.promote import Promoted, promote
from pipelines.learning.train import train
from pipelines.linking.weights import weights_in_force
from pipelines.materialise import materialise
from pipelines.score import score
from pipelines.service import invited_day, today
from pipelines.settings import Var
from pipelines.tabulate import tabulate
from pipelines.world import make_province

BATCH_DAYS = 91


@task(name="make province")
def province(paths: Var, businesses: int, months: int, seed: int) -> Any:
    """Make the feeds of a made-up province, and its truth apart."""
    with console.progress("province") as report:
        return make_province(
            paths.province, businesses=businesses, months=months, seed=seed, progress=report
        )


@task(name="take in feeds")
def take_in(paths: Var, delivery: Path) -> Any:
    """Check the feeds; store the good rows, quarantine the bad."""
    with console.progress("ingest") as report:
        weights = weights_in_force(paths.link_weights)
        return ingest(delivery, paths.store, paths.quarantine, weights=weights, progress=report)


@task(name="build features")
def build_features(paths: Var) -> Any:
    """Compute every application's features as known at its moment."""
    with console.progress("features") as report:
        return tabulate(paths.store, paths.features, CATALOG, progress=report)


@task(name="make rows ahead")
def make_ahead(paths: Var, first: date) -> Any:
    """Make every business's features of ``first`` and the days after it."""
    with console.progress("materialise") as report:
        return materialise(paths.store, paths.online, first=first, progress=report)


@task(name="train scorer")
def train_scorer(paths: Var, seed: int) -> Any:
    """Train, validate out of time, register."""
    with console.progress("train") as report:
        trained = train(paths, Plan(seed=seed), progress=report)
    console.table("Validation", trained.rows)
    return trained


@task(name="promote scorer")
def promote_scorer(paths: Var) -> Promoted:
    """Hold the newest version against the gate and publish it if it passes."""
    promoted = promote(paths)
    console.table("Gate", promoted.checks)
    return promoted


@task(name="score batch")
def score_batch(paths: Var) -> Any:
    """Decide the newest quarter's applications with the champion."""
    newest = pl.read_parquet(paths.features, columns=["applied_on"])["applied_on"].max()
    assert isinstance(newest, date)
    since = newest - timedelta(days=BATCH_DAYS)
    with console.progress("score") as report:
        return score(paths, table=paths.features, since=since, progress=report)


@flow(name="whole path", validate_parameters=False)
def whole_path(paths: Var, businesses: int, months: int, seed: int) -> dict[str, Any]:
    """From a made-up province to a published scorer and a scored batch."""
    made = province(paths, businesses, months, seed)
    steps = _from_feeds(paths, paths.feeds, seed)
    # a made-up province ends before today: rows are made for the day that the demo asks about
    return {"province": made, **steps, "online": make_ahead(paths, invited_day(paths))}


@flow(name="refresh", validate_parameters=False)
def refresh(paths: Var, delivery: Path, seed: int = 0) -> dict[str, Any]:
    """Take in a delivery, rebuild features, retrain, and promote if the gate passes."""
    return {**_from_feeds(paths, delivery, seed), "online": make_ahead(paths, today())}


def _from_feeds(paths: Var, delivery: Path, seed: int) -> dict[str, Any]:
    return {
        "ingest": take_in(paths, delivery),
        "features": build_features(paths),
        "training": train_scorer(paths, seed),
        "promotion": promote_scorer(paths),
        "batch": score_batch(paths),
    }
