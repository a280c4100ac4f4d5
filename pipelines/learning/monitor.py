"""Monitor a scorer that decides: its decisions against the applicants it was developed on."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from features.errors import MicroloanError
from models.registry import MODEL, LoadedModel, Registry
from models.validation.monitor_page import html
from models.validation.monitoring import Monitoring
from models.validation.monitoring import monitor as look_at
from models.validation.population import Decided, Development, Terms
from pipelines.learning.decided import Wanted, ages_of, mean_added, of_batch, of_journal
from pipelines.learning.learn import Progress, stepper
from pipelines.learning.plan import Plan
from pipelines.learning.register import release_of
from pipelines.learning.study import Study, study
from pipelines.learning.train import PLAN
from pipelines.settings import Var
from serving.bundles.release import champion, read_release
from serving.journal.database import At
from serving.policy.policy import Policy
from serving.policy.policy_file import parse
from serving.records import Records

STEPS = 4


class OutOfLine(MicroloanError):
    """Something that is monitored is red."""


@dataclass(frozen=True)
class Monitored:
    """What was found, and where its page and its run in MLflow are."""

    found: Monitoring
    page: Path
    run_id: str

    def demand_no_red(self) -> None:
        """Raises OutOfLine, saying what is red."""
        red = [f"{one.about}: {one.text}" for one in self.found.findings if one.light == "red"]
        if red:
            raise OutOfLine("Red: " + " ".join(red) + f" Hint: read {self.page}.")


def monitor(
    paths: Var,
    source: At,
    *,
    is_batch: bool = False,
    version: int | None = None,
    since: date | None = None,
    until: date | None = None,
    progress: Progress | None = None,
) -> Monitored:
    """Hold decisions of a journal, or of a batch's file, against development; write the page.

    ``version`` is that of a scorer that was champion once; None for the champion.

    Raises:
        MicroloanError: there is no champion, journal, batch or feature table, or under 50
            decisions.
    """
    step = stepper(progress, STEPS)
    registry = Registry(paths.mlflow)
    policy, number = _published(paths, version)
    model = registry.load(MODEL, number)
    plan = msgspec.json.decode(registry.read(model.version, PLAN), type=Plan)
    learnt = study(paths, plan)
    step()
    then = _development(paths, model, learnt)
    step()
    wanted = Wanted(
        version=str(number),
        scorer=model.scorer,
        definition=plan.definition,
        schema=then.features.schema,
        start=learnt.start,
        since=since,
        until=until,
    )
    decided = _decided(paths, source, wanted, is_batch=is_batch)
    step()
    found = look_at(
        decided,
        then,
        _terms(policy),
        model.validation.out_of_time.auc,
        {
            "model": f"{MODEL} {number}",
            "policy": policy.version,
            "decisions": "batch" if is_batch else "journal",
        },
    )
    page = paths.plots / "monitor.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(html(found), encoding="utf-8")
    run_id = registry.log_run(
        model.version,
        f"monitor {found.first} to {found.last}",
        found.metrics(),
        {**found.about, "first": found.first, "last": found.last, "light": found.light},
        {"monitor.html": page.read_bytes(), "monitor.json": msgspec.json.encode(found)},
    )
    step()
    return Monitored(found, page, run_id)


def _published(paths: Var, version: int | None) -> tuple[Policy, int]:
    """The policy that a champion decides by, and its version."""
    release = (
        champion(paths.bundles)
        if version is None
        else paths.bundles / "releases" / release_of(paths.bundles, version)
    )
    manifest, files = read_release(release)
    return parse(files["policy.yaml"]), int(manifest.version)


def _development(paths: Var, model: LoadedModel, learnt: Study) -> Development:
    """All who applied before the test: those who were granted a loan are others than who apply."""
    parts = (learnt.train, learnt.declined)
    features = pl.concat([part.features for part in parts])
    names, days = (
        pl.concat([column for part in parts if (column := getattr(part, name)) is not None])
        for name in ("names", "applied_on")
    )
    first, last = days.min(), days.max()
    assert isinstance(first, date)
    assert isinstance(last, date)
    return Development(
        features=features,
        added=mean_added(model.scorer, features),
        probability=pl.Series("score", model.scorer.predict_proba(features)[:, 1]),
        ages=ages_of(Records.open(paths.store), names),
        first=first,
        last=last,
    )


def _decided(paths: Var, source: At, wanted: Wanted, *, is_batch: bool) -> Decided:
    if is_batch:
        assert isinstance(source, Path)
        return of_batch(paths, source, wanted)
    return of_journal(source, wanted)


def _terms(policy: Policy) -> Terms:
    return Terms(
        scale=[(grade.grade, grade.pd_below) for grade in policy.grades],
        oldest={rule.table: rule.oldest_days for rule in policy.sources},
    )


def summary_rows(found: Monitoring) -> list[dict[str, Any]]:
    """The findings as rows of a table."""
    return [
        {"light": one.light or "–", "about": one.about, "finding": one.text}
        for one in found.findings
    ]
