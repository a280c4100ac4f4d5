"""The steps of every flow, as Prefect's tasks; what each found is shown here and on its page."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from prefect import get_run_logger, task
from prefect.artifacts import create_table_artifact

from features.catalog import CATALOG
from models.validation.monitoring import TooFew
from pipelines import console
from pipelines.alone import AnotherWriter
from pipelines.intake.ingest import IngestSummary, ingest
from pipelines.journals import NoJournal, existing_journal
from pipelines.learning.compare import Comparison, compare
from pipelines.learning.learn import Learnt
from pipelines.learning.monitor import Monitored, monitor, summary_rows
from pipelines.learning.plan import Plan
from pipelines.learning.promote import Promoted, promote
from pipelines.learning.train import train
from pipelines.linking.weights import weights_in_force
from pipelines.materialise import Materialised, materialise
from pipelines.score import BatchSummary, score
from pipelines.settings import Var
from pipelines.tabulate import FeatureSummary, tabulate
from pipelines.world import ProvinceSummary, make_province

BATCH_DAYS = 91
MINUTE = 60.0


def _is_held(_task: Any, _run: Any, state: Any) -> bool:
    """Whether another process wrote the store: then it is worth another try."""
    return isinstance(state.result(raise_on_failure=False), AnotherWriter)


@task(name="make province")
def make_feeds(paths: Var, businesses: int, months: int, seed: int) -> ProvinceSummary:
    """Make the feeds of a made-up province, and its truth apart."""
    with console.progress("province") as report:
        return make_province(
            paths.province, businesses=businesses, months=months, seed=seed, progress=report
        )


@task(name="take in feeds", retries=3, retry_delay_seconds=10 * MINUTE, retry_condition_fn=_is_held)
def take_in(paths: Var, delivery: Path) -> IngestSummary:
    """Check the feeds; store the good rows, quarantine the bad."""
    with console.progress("ingest") as report:
        weights = weights_in_force(paths.link_weights)
        taken = ingest(delivery, paths.store, paths.quarantine, weights=weights, progress=report)
    rows = [{"table": name, **asdict(counts)} for name, counts in taken.tables.items()]
    _show("Rows taken in", rows)
    return taken


@task(name="build features")
def build_features(paths: Var) -> FeatureSummary:
    """Compute every application's features as known at its moment."""
    with console.progress("features") as report:
        return tabulate(paths.store, paths.features, CATALOG, progress=report)


@task(name="make rows ahead")
def make_ahead(paths: Var, first: date) -> Materialised:
    """Make every business's features of ``first`` and the days after it."""
    with console.progress("materialise") as report:
        return materialise(paths.store, paths.online, first=first, progress=report)


@task(name="train scorer")
def train_scorer(paths: Var, seed: int) -> Learnt:
    """Train, validate out of time, register."""
    with console.progress("train") as report:
        trained = train(paths, Plan(seed=seed), progress=report)
    _show("Validation", trained.rows)
    return trained


@task(name="compare with champion")
def compare_with_champion(paths: Var, version: int) -> Comparison:
    """Judge a version and the champion on rows that neither has learnt from."""
    compared = compare(paths, version, "champion")
    _show("Beside the champion", compared.figures)
    return compared


@task(name="promote scorer")
def promote_scorer(paths: Var) -> Promoted:
    """Hold the newest version against the gate and publish it if it passes."""
    promoted = promote(paths)
    _show("Gate", promoted.checks)
    return promoted


@task(name="score batch")
def score_batch(paths: Var) -> BatchSummary:
    """Decide the newest quarter's applications with the champion."""
    newest = pl.read_parquet(paths.features, columns=["applied_on"])["applied_on"].max()
    assert isinstance(newest, date)
    since = newest - timedelta(days=BATCH_DAYS)
    with console.progress("score") as report:
        return score(paths, table=paths.features, since=since, progress=report)


@task(name="monitor champion")
def monitor_champion(paths: Var, journal: str | None, since: date, until: date) -> Monitored | None:
    """Hold the champion's decisions against its development; None if there are too few."""
    try:
        with console.progress("monitor") as report:
            at = existing_journal(paths, journal)
            monitored = monitor(paths, at, since=since, until=until, progress=report)
    except (NoJournal, TooFew) as few:
        get_run_logger().info("not monitored: %s", few)
        return None
    _show("Monitoring", summary_rows(monitored.found))
    return monitored


def _show(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Show figures on the console, and keep them with the run where Prefect shows it."""
    console.table(title, rows)
    told = [{name: console.figure(value) for name, value in row.items()} for row in rows]
    create_table_artifact(told, key=re.sub(r"\W+", "-", title.lower()), description=title)
