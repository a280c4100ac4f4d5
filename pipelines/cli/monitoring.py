"""The command of a model-risk team's month: what was decided, against what was learnt from."""

from datetime import date
from pathlib import Path

from features.errors import MicroloanError
from pipelines import console
from pipelines.cli.root import DEFAULT, WATCH, Common, Where, app
from pipelines.journals import existing_journal


@app.command(group=WATCH, help_epilogue="Example: microloan monitor --since 2025-11-01 --strict")
def monitor(
    *,
    since: date | None = None,
    until: date | None = None,
    batch: Path | None = None,
    version: int | None = None,
    journal: Where = None,
    strict: bool = False,
    common: Common = DEFAULT,
) -> None:
    """Hold the champion's decisions against the applicants it was developed on.

    Parameters
    ----------
    since
        First day of the decisions.
    until
        Last day of the decisions.
    batch
        Look at the decisions in this file of `microloan score` instead of the journal's.
    version
        Look at the decisions of this version, which was champion once.
    strict
        Exit with 1 where anything is red, for a timer.
    """
    from msgspec import to_builtins

    from pipelines.learning.monitor import monitor as look
    from pipelines.learning.monitor import summary_rows

    if since and until and since > until:
        raise MicroloanError(f"--since {since} lies after --until {until}.")
    with console.progress("monitor") as report:
        monitored = look(
            common.paths,
            batch or existing_journal(common.paths, journal),
            is_batch=batch is not None,
            version=version,
            since=since,
            until=until,
            progress=report,
        )
    found, page = monitored.found, str(monitored.page)
    console.table(f"{found.about['model']}, {found.first} to {found.last}", summary_rows(found))
    told = {"light": found.light, "page": page, "run": monitored.run_id}
    console.table("Monitoring", told)
    console.emit({**told, **to_builtins(found)}, as_json=common.json)
    if strict:
        monitored.demand_no_red()
