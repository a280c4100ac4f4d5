"""Decisions as they were made, from the journal or from a batch, in one form."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice
from math import fsum
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import polars as pl

from features.build import BUSINESS_ZONE
from features.catalog import CATALOG
from features.errors import MicroloanError
from features.tables import DATED
from models.loans.outcomes import Definition, label
from models.scoring.scorer import Scorer
from models.validation.population import Decided
from pipelines.settings import Var
from pipelines.tabulate import read_features
from serving.decision.sources import sources_as_of
from serving.desk.history import Since, since
from serving.desk.outcomes import LoanOutcome
from serving.desk.replay import Record
from serving.desk.search import LAST_DAY, midnight
from serving.journal.database import At
from serving.journal.entries import DECIDED, LATER, Stored
from serving.journal.reading import entries
from serving.records import Records
from serving.wire.schemas import EARLIEST

OTHERS, YOUNG, ERASED = "of other versions", "of days that it was developed on", "erased"
UNKNOWN = "not in the feature table"
_BLOCK = 5_000  # records that are objects at one time
_EXPLAINED = 5_000  # rows that tell what features add in the mean
_ZONE = ZoneInfo(BUSINESS_ZONE)
_BATCH = [
    "application_id",
    "outcome",
    "grade",
    "probability_of_default",
    "reasons",
    "rules",
    "model_version",
]
_MADE: dict[str, Any] = {
    "decision_id": pl.String,
    "decided_on": pl.Date,
    "outcome": pl.String,
    "grade": pl.String,
    "probability": pl.Float64,
    "reasons": pl.List(pl.String),
    "rules": pl.List(pl.String),
}
_DATES = {table.name: pl.Date for table in DATED}
_REPAYMENTS: dict[str, Any] = {
    "application_id": pl.String,
    "period": pl.Date,
    "worst_days_past_due": pl.Int64,
    "state": pl.String,
    "known_on": pl.Date,
}
_OVERRIDES: dict[str, Any] = {
    "decided": pl.String,
    "outcome": pl.String,
    "reason_code": pl.String,
    "status": pl.String,
    "in_force": pl.Boolean,
}


@dataclass(frozen=True)
class Wanted:
    """Which decisions: those of one version of a scorer, from ``since`` to ``until``.

    Days before ``start`` are those that it was developed on, and never looked at. ``schema`` is
    that of the features; ``definition`` says what is bad.
    """

    version: str
    scorer: Scorer
    definition: Definition
    schema: Mapping[str, pl.DataType]
    start: date
    since: date | None = None
    until: date | None = None

    def begins(self) -> date:
        """The first day looked for."""
        return self.since or EARLIEST.date()

    def ends(self) -> date:
        """The last."""
        return self.until or LAST_DAY - timedelta(days=1)


def of_journal(at: At, wanted: Wanted) -> Decided:
    """The decisions in a journal that is opened read-only, with overrides and loans reported.

    An erased decision is counted and nothing else; the loan of a decision counts as granted on its
    day, and what was reported of it is labelled as the loan book is.
    """
    between = midnight(wanted.begins()), midnight(wanted.ends() + timedelta(days=1))
    left_out = {OTHERS: 0, YOUNG: 0, ERASED: 0}
    found = _kept(entries(at, DECIDED, *between), wanted, left_out)
    blocks = [_frames(block, wanted) for block in _blocks(found)] or [_frames([], wanted)]
    made, features, ages, loans = (pl.concat(frames) for frames in zip(*blocks, strict=True))
    later = _later(at, set(made["decision_id"]))
    labels = _reported(later, loans, wanted.definition)
    made = made.join(labels, on="decision_id", how="left", maintain_order="left")
    return Decided(
        made=made.drop("decision_id"),
        features=features,
        added=mean_added(wanted.scorer, features),
        ages=ages,
        overrides=_overrides(made, later),
        left_out=left_out,
    )


def of_batch(paths: Var, batch: Path, wanted: Wanted) -> Decided:
    """The decisions in a file of ``microloan score``, with what the loan book tells of them.

    Raises:
        MicroloanError: there is no such file, or it is no batch, or not of these features.
    """
    table, _ = read_features(paths.features, CATALOG)
    scored = _read(batch)
    asked = scored.join(table, on="application_id", how="left", maintain_order="left")
    unknown = asked["applied_on"].null_count()
    asked = asked.filter(pl.col("applied_on").is_between(wanted.begins(), wanted.ends()))
    ours = pl.col("model_version") == wanted.version
    young = pl.col("applied_on") < wanted.start
    left_out = {
        OTHERS: asked.filter(~ours).height,
        YOUNG: asked.filter(ours, young).height,
        UNKNOWN: unknown,
    }
    asked = asked.filter(ours, ~young)
    records = Records.open(paths.store)
    labels = _matured(records.table("applications"), records.table("repayments"), wanted.definition)
    made = asked.join(labels, on="application_id", how="left", maintain_order="left").select(
        pl.col("applied_on").alias("decided_on"),
        "outcome",
        "grade",
        pl.col("probability_of_default").alias("probability"),
        "reasons",
        "rules",
        "label",
    )
    features = asked.select(list(wanted.schema))
    return Decided(
        made=made,
        features=features,
        added=mean_added(wanted.scorer, features),
        ages=ages_of(records, asked["application_id"]),
        overrides=None,
        left_out=left_out,
    )


def ages_of(records: Records, names: pl.Series) -> pl.DataFrame:
    """Days since the newest record of each source, for applications by name, in their order."""
    found = []
    for bucket in range(records.buckets):
        tables = records.bucket(bucket)
        asked = tables["applications"].filter(pl.col("application_id").is_in(names.implode()))
        dates = pl.DataFrame(list(sources_as_of(asked, tables)), schema=_DATES)
        applied_on = pl.col("applied_at").dt.convert_time_zone(BUSINESS_ZONE).dt.date()
        days = asked.select("application_id", day=applied_on)
        found.append(pl.concat([days, dates], how="horizontal"))
    known = pl.concat(found).unique("application_id", keep="last")
    ordered = names.to_frame("application_id")
    return _ages(ordered.join(known, on="application_id", how="left", maintain_order="left"))


def mean_added(scorer: Scorer, features: pl.DataFrame) -> dict[str, float]:
    """What each feature adds to the log-odds of default, in the mean of evenly chosen rows."""
    if features.is_empty():
        return dict.fromkeys(features.columns, 0.0)
    chosen = features.gather_every(-(-features.height // _EXPLAINED))
    added = scorer.contributions(chosen)
    return {str(name): fsum(values) / len(values) for name, values in added.items()}


def _read(batch: Path) -> pl.DataFrame:
    if not batch.is_file():
        raise MicroloanError(f"There is no batch {batch}. Run `microloan score` first.")
    try:
        return pl.read_parquet(batch, columns=_BATCH)
    except pl.exceptions.PolarsError:
        raise MicroloanError(
            f"{batch} is no batch of decisions; it has not the columns {', '.join(_BATCH)}. "
            "Hint: name the file that `microloan score` wrote."
        ) from None


def _matured(
    applications: pl.DataFrame, repayments: pl.DataFrame, definition: Definition
) -> pl.DataFrame:
    """Labels by application_id; a loan is immature until its vintage shows goods and bads alike."""
    as_of = repayments["known_on"].max()
    if not isinstance(as_of, date):
        return pl.DataFrame(schema={"application_id": pl.String, "label": pl.String})
    mature = pl.col("matures_on") <= as_of
    labelled = label(applications, repayments, as_of, definition)
    told = pl.when(mature).then(pl.col("label").cast(pl.String)).otherwise(pl.lit("immature"))
    return labelled.select("application_id", label=told)


def _kept(
    stored: Iterable[Stored], wanted: Wanted, left_out: dict[str, int]
) -> Iterator[tuple[str, Record]]:
    """Names and records of the decisions to look at; what is left out is counted."""
    for each in stored:
        if each.is_erased:
            left_out[ERASED] += 1
            continue
        record = msgspec.json.decode(each.record, type=Record)
        if record.decision.model.version != wanted.version:
            left_out[OTHERS] += 1
        elif _day(record.decided_at) < wanted.start:
            left_out[YOUNG] += 1
        else:
            yield each.decision_id, record


def _blocks(found: Iterator[tuple[str, Record]]) -> Iterator[list[tuple[str, Record]]]:
    while block := list(islice(found, _BLOCK)):
        yield block


def _frames(
    block: Sequence[tuple[str, Record]], wanted: Wanted
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Decisions, features, ages of sources and loans of some records."""
    records = [record for _, record in block]
    made = pl.DataFrame([_made(*each) for each in block], schema=_MADE, orient="row")
    features = pl.from_dicts([record.row for record in records], schema=wanted.schema)
    dates = pl.from_dicts([dict(record.sources) for record in records], schema=_DATES)
    days = pl.Series("day", [record.application.applied_on for record in records], dtype=pl.Date)
    loans = made.select(
        pl.col("decision_id").alias("application_id"),
        pl.lit("").alias("business_id"),
        pl.col("decided_on")
        .cast(pl.Datetime("us"))
        .dt.replace_time_zone("UTC")
        .alias("applied_at"),
        pl.col("decided_on").alias("granted_on"),
        pl.col("decided_on").alias("known_on"),
        pl.Series("repayment", [record.application.repayment for record in records], pl.String),
    )
    return made, features, _ages(dates.with_columns(days)), loans


def _made(decision_id: str, record: Record) -> tuple[Any, ...]:
    """A row of ``_MADE``."""
    decision = record.decision
    return (
        decision_id,
        _day(record.decided_at),
        decision.outcome,
        decision.grade,
        decision.probability_of_default,
        [reason.code for reason in decision.reasons],
        [rule.rule for rule in decision.rules],
    )


def _ages(dates: pl.DataFrame) -> pl.DataFrame:
    """Days from each source's date to the ``day`` beside it."""
    return dates.select(
        (pl.col("day") - pl.col(table)).dt.total_days().alias(table) for table in _DATES
    )


def _later(at: At, decisions: set[str]) -> dict[str, Since]:
    """What happened to each decision since, where anything did."""
    found: dict[str, list[Stored]] = defaultdict(list)
    for stored in entries(at, LATER):
        if stored.decision_id in decisions:
            found[stored.decision_id].append(stored)
    return {name: since(history) for name, history in found.items()}


def _reported(
    later: Mapping[str, Since], loans: pl.DataFrame, definition: Definition
) -> pl.DataFrame:
    """Labels by decision of the loans that were taken up and reported of."""
    told = {name: each.loan for name, each in later.items() if each.loan}
    taken = {name: loan for name, loan in told.items() if loan[-1].state != "not_taken_up"}
    rows = [_month(name, outcome) for name, loan in taken.items() for outcome in loan]
    repayments = pl.DataFrame(rows, schema=_REPAYMENTS, orient="row")
    lent = loans.filter(pl.col("application_id").is_in(list(taken)))
    return _matured(lent, repayments, definition).rename({"application_id": "decision_id"})


def _month(name: str, outcome: LoanOutcome) -> tuple[Any, ...]:
    """A row of ``_REPAYMENTS``."""
    worst = max(outcome.days_past_due, outcome.worst_days_past_due)
    return name, outcome.as_of, worst, outcome.state, _day(outcome.at)


def _overrides(made: pl.DataFrame, later: Mapping[str, Since]) -> pl.DataFrame:
    decided = dict(made.select("decision_id", "outcome").iter_rows())
    rows = [
        (decided[name], each.outcome, each.reason_code, each.status, each is last)
        for name, told in later.items()
        for last in [next((one for one in reversed(told.overrides) if one.counts), None)]
        for each in told.overrides
    ]
    return pl.DataFrame(rows, schema=_OVERRIDES, orient="row")


def _day(at: datetime) -> date:
    """The business's day of a moment."""
    return at.astimezone(_ZONE).date()
