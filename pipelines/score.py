"""Decide a batch of applications exactly as the service would have, each as of its own moment."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from features.catalog import CATALOG
from features.errors import MicroloanError
from features.periods import YUAN
from pipelines.settings import Var
from pipelines.tabulate import read_features
from serving.bundles.bundle import Bundle, read_champion
from serving.bundles.release import read_gate_keys
from serving.decision.decide import Application, Decision
from serving.decision.rows import clean
from serving.decision.sources import sources_as_of
from serving.desk.replay import decide_with
from serving.records import Records


@dataclass(frozen=True)
class BatchSummary:
    """What became of the applications of a batch."""

    decided: int
    approve: int
    refer: int
    decline: int
    mean_probability: float
    model_version: str
    policy_version: str
    path: str


def score(
    paths: Var,
    *,
    table: Path,
    since: date | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> BatchSummary:
    """Write a decision for every application of the feature table to ``paths.scores``.

    Each is decided at its own moment, so the same table, champion and policy give the same bytes.

    Raises:
        MicroloanError: there is no champion, no store, or no application to decide.
    """
    bundle = read_champion(paths.bundles, read_gate_keys(paths.gate_keys))
    rows, _ = read_features(table, CATALOG)  # whole: policies read what a scorer may not
    wanted = rows.filter(pl.col("applied_on") >= since) if since else rows
    if wanted.is_empty():
        raise MicroloanError(f"No application in {table} since {since}. Name an earlier day.")
    records = Records.open(paths.store)
    lines: list[dict[str, Any]] = []
    for bucket in range(records.buckets):
        tables = records.bucket(bucket)
        asked = tables["applications"].join(wanted, on="application_id", how="inner")
        lines.extend(_line(decision) for decision in _decide(asked, tables, bundle))
        if progress:
            progress(bucket + 1, records.buckets)
    decided = pl.DataFrame(lines).sort("application_id")
    decided.write_parquet(paths.scores, compression="zstd")
    return _summary(decided, bundle, paths.scores)


def _decide(
    asked: pl.DataFrame, tables: Mapping[str, pl.DataFrame], bundle: Bundle
) -> Iterator[Decision]:
    names = [feature.name for feature in CATALOG]
    sources = sources_as_of(asked, tables)
    for row, dates in zip(asked.iter_rows(named=True), sources, strict=True):
        yield decide_with(
            bundle,
            application_of(row),
            clean({name: row[name] for name in names}),
            dates,
            row["applied_at"],
            f"batch-{row['application_id']}",
            propose=False,
        )


def application_of(row: Mapping[str, Any]) -> Application:
    """The application in a row of the loan book's."""
    return Application(
        application_id=row["application_id"],
        business_id=row["business_id"],
        revision=1,
        amount=round(row["amount_fen"] * YUAN),
        term_months=row["term_months"],
        purpose=row["purpose"],
        repayment=row["repayment"],
        applied_at=row["applied_at"],
    )


def _line(decision: Decision) -> dict[str, Any]:
    return {
        "application_id": decision.application_id,
        "outcome": decision.outcome,
        "probability_of_default": decision.probability_of_default,
        "score": decision.score,
        "grade": decision.grade,
        "limit": decision.limit,
        "reasons": [reason.code for reason in decision.reasons],
        "statuses": [status.code for status in decision.statuses],
        "rules": [rule.rule for rule in decision.rules],
        "model_version": decision.model.version,
        "policy_version": decision.policy.version,
    }


def _summary(decided: pl.DataFrame, bundle: Bundle, path: Path) -> BatchSummary:
    outcomes: dict[str, int] = dict(decided["outcome"].value_counts().iter_rows())
    mean = decided["probability_of_default"].mean()
    assert isinstance(mean, float)
    return BatchSummary(
        decided=decided.height,
        approve=outcomes.get("approve", 0),
        refer=outcomes.get("refer", 0),
        decline=outcomes.get("decline", 0),
        mean_probability=mean,
        model_version=bundle.model.version,
        policy_version=bundle.policy_version.version,
        path=str(path),
    )
