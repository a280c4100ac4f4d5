"""Commands that learn: from the feeds, and from any flat table."""

from datetime import date
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from features.errors import MicroloanError
from pipelines import console
from pipelines.cli.root import DEFAULT, LEARN, Common, app
from pipelines.learning.plan import Form, GrownBy, Inference, Method, Plan


@app.command(group=LEARN, help_epilogue="Example: microloan train --seed 7 --until 2024-06-30")
def train(
    *,
    method: Method = "hazard",
    form: Form = "pairs",
    label: str = "dpd90_12m",
    features: str = "",
    as_of: date | None = None,
    since: date | None = None,
    until: date | None = None,
    test_months: int = 6,
    inference: Inference = "none",
    trials: int = 0,
    rivals: bool = True,
    seed: int = 0,
    engine: GrownBy = "local",
    cluster: str | None = None,
    workers: int = 2,
    common: Common = DEFAULT,
) -> None:
    """Train, calibrate, validate out of time, and register a scorer.

    Parameters
    ----------
    method
        hazard learns from loans of every age as far as they were watched; flag from matured ones.
    form
        Form of the trees: pairs explains exactly by tables; auto tries all out of fold.
    label
        Definition of default: days past due and months on book.
    features
        Names of the catalogue, separated by commas; default: all of them.
    as_of
        What is known of the loans is cut at this day; default: the newest in the loan book.
    since
        First day of the applications learnt from.
    until
        Last day of the applications learnt from.
    test_months
        Newest matured months of applications, kept for the test.
    inference
        Learn from the declined too, as supposed; the report tells whether it helped.
    trials
        Settings of the trees to try out of fold (Optuna); 0 keeps those of the house.
    rivals
        Compare with challengers of other makes: plain LightGBM, a WoE scorecard, an EBM.
    seed
        Seed of folds, trees and trials.
    engine
        What grows the final trees: this machine, or the workers of a Dask cluster.
    cluster
        Dask scheduler, as tcp://scheduler:8786; without it dask starts workers on this machine.
    workers
        How many, where they are started here.
    """
    from pipelines.learning.train import train as learn

    plan = Plan(
        method=method,
        form=form,
        label=label,
        features=_names(features),
        as_of=as_of,
        since=since,
        until=until,
        test_months=test_months,
        inference=inference,
        trials=trials,
        seed=seed,
        engine=engine,
    )
    if cluster is not None and engine == "local":
        raise MicroloanError(f"--cluster {cluster} needs --engine dask.")
    with console.progress("train") as report:
        trained = learn(
            common.paths, plan, cluster=cluster, workers=workers, rivals=rivals, progress=report
        )
    for warning in trained.warnings:
        console.people.print(f"[yellow]warning[/yellow] {warning}")
    console.table("Validation", trained.rows)
    common.tell(f"Registered {trained.name} version {trained.version}", trained)


@app.command(
    group=LEARN,
    help_epilogue="Example: microloan fit loans.parquet --target status --bad CHGOFF "
    "--time approved_on --drop charged_off_on,balance",
)
def fit(
    table: Annotated[Path, Parameter(help="Parquet, CSV, Excel or JSON, a row per loan.")],
    /,
    *,
    target: str,
    bad: str | None = None,
    good: str | None = None,
    time: str | None = None,
    drop: str = "",
    id: str | None = None,  # noqa: A002  # --id is what people will type
    prior: float | None = None,
    gap_days: int = 0,
    form: Form = "auto",
    rivals: bool = True,
    seed: int = 0,
    common: Common = DEFAULT,
) -> None:
    """Train, calibrate, validate and register a scorer on any flat table.

    Parameters
    ----------
    target
        Column that says what became of the loan.
    bad
        Its value that means default, or several separated by commas; not needed where it is 0/1,
        true/false or yes/no (also Y/N, 是/否).
    good
        Its values that mean no default; rows of any other are left out. Without it, all others.
    time
        Column of the application's time (dates of any usual form, or years); the newest quarter is
        then the test. Without it the test is a random quarter.
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
    rivals
        Compare with challengers of other makes: plain LightGBM, a WoE scorecard, an EBM.
    seed
        Seed of folds and trees.
    """
    from pipelines.learning.fit import fit_table

    with console.progress("fit") as report:
        fitted = fit_table(
            common.paths,
            table,
            target=target,
            bad=bad,
            good=good,
            time=time,
            drop=_names(drop),
            id_column=id,
            prior=prior,
            gap_days=gap_days,
            form=form,
            seed=seed,
            rivals=rivals,
            progress=report,
        )
    for warning in fitted.warnings:
        console.people.print(f"[yellow]warning[/yellow] {warning}")
    console.table("Validation", fitted.rows)
    common.tell(f"Registered {fitted.name} version {fitted.version}", fitted)


@app.command(group=LEARN, help_epilogue="Example: microloan backtest --months 6 --periods 4")
def backtest(
    *,
    months: int = 3,
    periods: int = 8,
    policy: Path | None = None,
    method: Method = "hazard",
    form: Form = "pairs",
    label: str = "dpd90_12m",
    features: str = "",
    seed: int = 0,
    common: Common = DEFAULT,
) -> None:
    """Walk through the past, each period decided by a scorer that knew only the time before.

    Parameters
    ----------
    months
        Length of a period.
    periods
        How many, back from the last whose loans have matured.
    policy
        Policy file to decide with; default: the newest.
    method
        What is learnt from: loans of every age (hazard), or matured ones alone (flag).
    form
        Form of the trees.
    label
        Definition of default.
    features
        Names of features, separated by commas; default: all.
    seed
        Seed of folds and trees.
    """
    from pipelines.learning.backtest import backtest as walk
    from pipelines.learning.backtest import shown

    plan = Plan(
        method=method,
        form=form,
        label=label,
        features=_names(features),
        seed=seed,
    )
    with console.progress("back-test") as report:
        found = walk(
            common.paths, plan, months=months, periods=periods, policy=policy, progress=report
        )
    console.table("Periods", [shown(period) for period in found.periods])
    common.tell("Back-test", msgspec.to_builtins(found))


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
