"""Back-test: each period of the past decided by a scorer and a policy that knew the time before."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from features.catalog import CATALOG
from features.periods import YUAN
from models.validation.walk_plot import walk_plot
from models.validation.walking import Period, walked
from pipelines.learning.plan import Plan
from pipelines.learning.policies import newest_policy
from pipelines.learning.study import Past, Study, walk
from pipelines.learning.train import fit
from pipelines.settings import Var
from serving.decision.rows import clean
from serving.decision.sources import Dates, ages_on, sources_as_of
from serving.decision.verdict import Evidence, judge
from serving.policy.asked import Asked
from serving.policy.policy import Policy
from serving.policy.policy_file import load
from serving.records import Records


@dataclass(frozen=True)
class BackTest:
    """What each period showed, and where the applications and the plot are."""

    policy: str
    applications: int
    path: str
    plot: str
    periods: list[Period] = field(default_factory=list)


def backtest(
    paths: Var,
    plan: Plan,
    *,
    months: int = 3,
    periods: int = 8,
    policy: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> BackTest:
    """Walk through the last ``periods`` of so many ``months`` whose loans have matured.

    In each a scorer is fitted as ``plan`` says on what the bank knew as the period began, and every
    application in it, granted or not, is decided under ``policy`` (a file; default: the newest).
    Nothing is registered or recorded.

    Raises:
        MicroloanError: there is no feature table or store, its history is too short, or the policy
            cannot be used.
    """
    rules = load(policy or newest_policy())
    past = Past.read(paths, plan)
    sources = _sources(Records.open(paths.store), past.everyone)
    decided = []
    for number, rows in enumerate(walk(past, months=months, periods=periods), start=1):
        decided.append(_decide(rows, past, sources, rules))
        if progress:
            progress(number, periods)
    if progress:
        progress(periods, periods)
    table = pl.concat(decided)
    table.write_parquet(paths.backtest, compression="zstd")
    found = walked(table)
    plot = paths.plots / "backtest.png"
    plot.parent.mkdir(parents=True, exist_ok=True)
    plot.write_bytes(walk_plot(found))
    return BackTest(
        policy=rules.version,
        applications=table.height,
        path=str(paths.backtest),
        plot=str(plot),
        periods=list(found),
    )


def shown(period: Period) -> dict[str, Any]:
    """A line of the table that people read."""
    approved, referred, _ = period.decided
    area = period.auc
    return {
        "period": period.period,
        "learnt from": period.learnt_from,
        "applied": period.applications,
        "matured": period.matured,
        "bad": period.bads,
        "AUC": None if area is None else f"{area.value:.3f} ({area.low:.3f}-{area.high:.3f})",
        "expected": period.expected,
        "observed": period.observed,
        "approved": approved.share,
        "referred": referred.share,
        "bad of approved": approved.bad_rate,
    }


def _sources(records: Records, everyone: pl.DataFrame) -> dict[str, Dates]:
    """How fresh each source was for each application."""
    found: dict[str, Dates] = {}
    for bucket in range(records.buckets):
        tables = records.bucket(bucket)
        asked = tables["applications"].join(everyone.select("application_id"), on="application_id")
        dates = sources_as_of(asked, tables)
        found.update(zip(asked["application_id"].to_list(), dates, strict=True))
    return found


def _decide(study: Study, past: Past, sources: dict[str, Dates], policy: Policy) -> pl.DataFrame:
    """The period's applications, each with its probability, its outcome and its loan's end."""
    fitted = fit(study)(study.train)
    applicants = study.applicants
    assert applicants.names is not None
    assert applicants.applied_on is not None
    probability = fitted.scorer.predict_proba(applicants.features)[:, 1]
    doubt = None if fitted.doubt is None else fitted.doubt.of(fitted.scorer, applicants.features)
    told = pl.DataFrame(
        {
            "application_id": applicants.names,
            "applied_on": applicants.applied_on,
            "probability": probability,
            "doubt": doubt,
            "bad": _matured(study, applicants.names),
            "true_pd": applicants.true_pd,
        },
        schema_overrides={"doubt": pl.Float64, "true_pd": pl.Float64},
    )
    outcomes = [_outcome(policy, row, sources) for row in _asked(told, past)]
    return told.drop("doubt").with_columns(
        pl.lit(f"{study.start:%Y-%m}").alias("period"),
        pl.lit(study.train.features.height).alias("learnt_from"),
        pl.Series("outcome", outcomes, dtype=pl.String),
    )


def _matured(study: Study, names: pl.Series) -> pl.Series:
    """1 for bad and 0 for good where the test knows it, null elsewhere."""
    assert study.test.names is not None
    outcomes = dict(zip(study.test.names.to_list(), study.test.bad.to_list(), strict=True))
    return pl.Series([outcomes.get(name) for name in names.to_list()], dtype=pl.Float64)


def _asked(told: pl.DataFrame, past: Past) -> Iterator[dict[str, Any]]:
    """Each application with what it asked for and its features."""
    asked = past.book.applications.unique("application_id", keep="first", maintain_order=True)
    terms = asked.select("application_id", "amount_fen", "term_months", "repayment")
    features = past.everyone.drop("applied_on", "true_pd")
    joined = told.join(terms, on="application_id", how="left", maintain_order="left")
    return joined.join(features, on="application_id", how="left", maintain_order="left").iter_rows(
        named=True
    )


def _outcome(policy: Policy, row: dict[str, Any], sources: dict[str, Dates]) -> str:
    on: date = row["applied_on"]
    evidence = Evidence(
        clean({feature.name: row[feature.name] for feature in CATALOG}),
        row["probability"],
        ages_on(on, sources[row["application_id"]]),
        row["doubt"],
    )
    asked = Asked(round(row["amount_fen"] * YUAN), on, row["term_months"], row["repayment"])
    return judge(policy, evidence, asked).outcome
