"""The flows of a bank's own data: every day what came, every month what was learnt from it.

Their parameters are plain JSON, so that Prefect can show and change them; what is secret, such as
the URL of the journal's server, comes from the environment.
"""

import os
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger

from features.errors import MicroloanError
from pipelines.flows import steps
from pipelines.intake.inbox import Inbox
from pipelines.intake.ingest import IngestSummary
from pipelines.journals import JOURNAL
from pipelines.service import today
from pipelines.settings import Var

MONITORED_DAYS = 31
CHAMPION = "champion"  # the link in the folder of bundles


class NotTaken(MicroloanError):
    """Deliveries that failed as a whole; the others were taken."""


@flow(name="daily")
def daily(var: Path, inbox: Path, first: date | None = None) -> dict[str, Any]:
    """Take in what was delivered, then make rows ahead for the days from ``first``, or today.

    A delivery that fails stays in the inbox and fails the run, once everything else is done.
    """
    paths = Var(var)
    taken, failed = _take_all(paths, Inbox(inbox, paths.deliveries), _now)
    online = steps.make_ahead(paths, first or today()) if paths.store.exists() else None
    if failed:
        raise NotTaken("\n".join(failed))
    return {"taken": taken, "online": online}


@flow(name="monthly")
def monthly(
    var: Path, publish: bool = False, seed: int = 0, until: date | None = None
) -> dict[str, Any]:
    """Monitor the champion's decisions of the month to ``until``, and train a challenger.

    The challenger is held beside the champion, or with ``publish`` against the gate, whose refusal
    fails the run. So does anything that is red in monitoring, once everything else is done.
    """
    paths, last = Var(var), until or today()
    since, journal = last - timedelta(days=MONITORED_DAYS), os.environ.get(JOURNAL)
    has_champion = (paths.bundles / CHAMPION).is_symlink()
    steps.build_features(paths)
    monitored = steps.monitor_champion(paths, journal, since, last) if has_champion else None
    trained = steps.train_scorer(paths, seed)
    judged: Any = None
    if publish:
        judged = steps.promote_scorer(paths)
    elif has_champion:
        judged = steps.compare_with_champion(paths, trained.version)
    if monitored:
        monitored.demand_no_red()
    return {"monitoring": monitored, "training": trained, "judged": judged}


def _now() -> datetime:
    return datetime.now(UTC)


def _take_all(
    paths: Var, inbox: Inbox, now: Callable[[], datetime]
) -> tuple[dict[str, IngestSummary], list[str]]:
    """What was taken, by delivery, and why others were not."""
    log = get_run_logger()
    for delivery in inbox.incomplete():
        log.info("%s is still being written", delivery.name)
    taken: dict[str, IngestSummary] = {}
    failed: list[str] = []
    for delivery in inbox.whole():
        try:
            taken[delivery.name] = steps.take_in(paths, delivery)
        except MicroloanError as mistake:
            failed.append(str(mistake))
        else:
            inbox.note(delivery, taken[delivery.name].snapshot, now())
    return taken, failed
