"""Commands over registered scorers: list, read, compare, publish, take back, make again."""

import sys
import webbrowser
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from pipelines import console
from pipelines.cli.root import DEFAULT, LEARN, Common, app

Which = Annotated[str, Parameter(help="Number of a version, or champion.")]


@app.command(group=LEARN, help_epilogue="Example: microloan models")
def models(*, name: str = "microloan", common: Common = DEFAULT) -> None:
    """List the versions of a scorer: aliases, gate, figures out of time.

    Parameters
    ----------
    name
        Name of the model; `microloan fit` names one after its table.
    """
    from pipelines.learning.register import versions

    rows = versions(common.paths, name)
    console.table(f"Versions of {name}", rows)
    console.emit({"versions": rows}, as_json=common.json)


@app.command(group=LEARN, help_epilogue="Example: microloan report 2")
def report(
    version: Which,
    /,
    *,
    name: str = "microloan",
    browse: Annotated[bool, Parameter(negative="--no-browse")] = True,
    common: Common = DEFAULT,
) -> None:
    """Take a version's validation report out of the register, and open it.

    Parameters
    ----------
    name
        Name of the model.
    browse
        Open it in the browser of this machine, where there is one.
    """
    from pipelines.learning.register import report as take_out

    file = take_out(common.paths, version, name)
    common.tell("Validation report", {"report": str(file)})
    if browse and not common.json:
        webbrowser.open(file.resolve().as_uri())


@app.command(group=LEARN, help_epilogue="Example: microloan compare 3 champion")
def compare(first: Which, second: Which, /, *, common: Common = DEFAULT) -> None:
    """Judge two versions on the same rows: figures, paired tests and a plot."""
    from pipelines.learning.compare import compare as judge

    judged = judge(common.paths, first, second)
    console.table("On the rows of the first one's test", judged.figures)
    console.table("Differences", judged.tests)
    common.tell(f"Version {first} against {second}", judged)


@app.command(group=LEARN, help_epilogue="Example: microloan scorecard champion > scorecard.md")
def scorecard(version: Which, /, *, name: str = "microloan", common: Common = DEFAULT) -> None:
    """Print a version as tables of bins and points, in Markdown on stdout.

    Parameters
    ----------
    name
        Name of the model.
    """
    from pipelines.learning.register import scorecard as tables

    sys.stdout.write(tables(common.paths, version, name))


@app.command(
    group=LEARN, help_epilogue="Example: microloan sql champion --table applicants > score.sql"
)
def sql(
    version: Which,
    /,
    *,
    table: str = "applications",
    keys: str = "application_id",
    dialect: Literal["duckdb", "spark", "databricks", "trino"] = "duckdb",
    name: str = "microloan",
    common: Common = DEFAULT,
) -> None:
    """Print a version's score as one SELECT, equal to the last bit, on stdout.

    Parameters
    ----------
    table
        Table of feature rows that the SELECT reads.
    keys
        Columns to carry along, separated by commas.
    dialect
        Database that will run it.
    name
        Name of the model.
    """
    from pipelines.learning.register import sql as select

    carried = [key.strip() for key in keys.split(",") if key.strip()]
    sys.stdout.write(
        select(common.paths, version, table=table, keys=carried, dialect=dialect, name=name)
    )


@app.command(group=LEARN, help_epilogue="Example: microloan promote 1")
def promote(
    version: Annotated[int | None, Parameter(help="Version; default: the newest.")] = None,
    /,
    *,
    policy: Path | None = None,
    override_by: str = "",
    reason: str = "",
    common: Common = DEFAULT,
) -> None:
    """Hold a version against the gate; if it passes, publish it for serving.

    Parameters
    ----------
    policy
        Policy file to publish with it; default: the newest of the project's.
    override_by
        Who answers for a version that does not pass; told in every answer it gives.
    reason
        Why it should serve all the same; needed with --override-by.
    """
    from models.gate_record import Override
    from pipelines.learning.promote import promote as hold_and_publish

    override = Override(override_by, reason) if override_by or reason else None
    promoted = hold_and_publish(common.paths, version=version, policy=policy, override=override)
    console.table("Gate", promoted.checks)
    common.tell(f"Champion is version {promoted.version}", promoted)


@app.command(group=LEARN, help_epilogue="Example: microloan rollback")
def rollback(
    version: Annotated[
        int | None, Parameter(help="Version; default: the champion before this one.")
    ] = None,
    /,
    *,
    common: Common = DEFAULT,
) -> None:
    """Let the scorer and policy serve again that did before; no training, no new judgement."""
    from pipelines.learning.register import rollback as restore

    restored = restore(common.paths, version)
    common.tell(f"Champion is version {restored.version} again", restored)


@app.command(group=LEARN, help_epilogue="Example: microloan reproduce 1")
def reproduce(
    run: Annotated[str, Parameter(help="Version, alias, or the run's id in MLflow.")],
    /,
    *,
    common: Common = DEFAULT,
) -> None:
    """Train a registered scorer again from its plan, and compare it byte for byte."""
    from pipelines.learning.reproduce import reproduce as make_again

    made = make_again(common.paths, run)
    common.tell(f"Version {made.version} came out the same, byte for byte", made)
