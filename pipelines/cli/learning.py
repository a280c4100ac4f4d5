"""Commands of the data scientist: learn, compare, publish."""

from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from pipelines import console
from pipelines.cli.root import DEFAULT, Common, app


@app.command(help_epilogue="Example: microloan train --seed 7")
def train(*, seed: int = 0, as_of: date | None = None, common: Common = DEFAULT) -> None:
    """Train, calibrate, validate out of time, and register a scorer.

    Parameters
    ----------
    seed
        Seed of folds and trees.
    as_of
        What is known of the loans is cut at this day; default: the newest in the loan book.
    """
    from pipelines.train import train as learn

    with console.progress("train") as report:
        trained = learn(common.paths, seed=seed, as_of=as_of, progress=report)
    console.table("Validation", trained.rows)
    common.tell(f"Registered {trained.name} version {trained.version}", trained)


@app.command(
    help_epilogue="Example: microloan fit loans.parquet --target status --bad CHGOFF "
    "--time approved_on --drop charged_off_on,balance"
)
def fit(
    table: Annotated[Path, Parameter(help="Parquet or CSV, a row per loan.")],
    /,
    *,
    target: str,
    bad: str | None = None,
    time: str | None = None,
    drop: str = "",
    id: str | None = None,  # noqa: A002  # --id is what people will type
    prior: float | None = None,
    gap_days: int = 0,
    form: Literal["auto", "pairs", "free", "deep"] = "auto",
    seed: int = 0,
    common: Common = DEFAULT,
) -> None:
    """Train, calibrate, validate and register a scorer on any flat table.

    Parameters
    ----------
    target
        Column that says what became of the loan.
    bad
        Its value that means default; not needed where it is 0/1 or true/false.
    time
        Column of the application's time; the newest quarter is then the test. Without it the
        test is a random quarter.
    drop
        Columns never to be used, separated by commas.
    id
        Column that names the row; kept apart.
    prior
        True share of defaults, where the table is a case-control sample.
    gap_days
        Days before the test that nothing is learnt from, for outcomes known late.
    form
        Form of the trees: auto tries three; pairs is the fastest and explains exactly.
    seed
        Seed of folds and trees.
    """
    from pipelines.fit import fit_table

    with console.progress("fit") as report:
        fitted = fit_table(
            common.paths,
            table,
            target=target,
            bad=bad,
            time=time,
            drop=tuple(name for name in drop.split(",") if name),
            id_column=id,
            prior=prior,
            gap_days=gap_days,
            form=form,
            seed=seed,
            progress=report,
        )
    for warning in fitted.warnings:
        console.people.print(f"[yellow]warning[/yellow] {warning}")
    console.table("Validation", fitted.rows)
    common.tell(f"Registered {fitted.name} version {fitted.version}", fitted)


@app.command(help_epilogue="Example: microloan promote 1")
def promote(
    version: Annotated[int | None, Parameter(help="Version; default: the newest.")] = None,
    /,
    *,
    policy: Path | None = None,
    common: Common = DEFAULT,
) -> None:
    """Hold a version against the gate; if it passes, publish it for serving.

    Parameters
    ----------
    policy
        Policy file to publish with it; default: the newest of the project's.
    """
    from pipelines.promote import promote as hold_and_publish

    promoted = hold_and_publish(common.paths, version=version, policy=policy)
    console.table("Gate", promoted.checks)
    common.tell(f"Champion is version {promoted.version}", promoted)
