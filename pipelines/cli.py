"""The command line: each command is a few lines over a function of its room.

People read stderr; `--json` prints one object with the figures on stdout. Exit codes: 0 done, 1 a
mistake of the user's told in one sentence, 2 wrong usage.
"""

import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, CycloptsError, Parameter

from features.errors import MicroloanError
from pipelines import console
from pipelines.settings import Var

app = App(
    name="microloan",
    help="Credit scoring of small businesses from government data, each fact as it was known.",
    help_format="plaintext",
    version=version("microloan"),
)


@Parameter(name="*")
@dataclass(frozen=True)
class Common:
    """What every command takes."""

    var: Annotated[Path, Parameter(help="Folder that holds everything a run makes.")] = Path("var")
    json: Annotated[
        bool, Parameter(negative="", help="Print the figures as one JSON object on stdout.")
    ] = False

    @property
    def paths(self) -> Var:
        """The folders below ``var``."""
        return Var(self.var)

    def tell(self, title: str, figures: Any) -> None:
        """Show the figures to people, and as JSON if asked."""
        known = figures if isinstance(figures, dict) else asdict(figures)
        flat = {name: value for name, value in known.items() if not isinstance(value, dict | list)}
        console.table(title, flat)
        console.emit(known, as_json=self.json)


DEFAULT = Common()


@app.command(help_epilogue="Example: microloan world --businesses 2000 --months 48 --seed 7")
def world(
    *,
    businesses: int = 20_000,
    months: int = 48,
    seed: int = 0,
    workers: int = 1,
    common: Common = DEFAULT,
) -> None:
    """Make a province: synthetic businesses, what departments saw of them, and the truth.

    Parameters
    ----------
    businesses
        How many businesses.
    months
        Months of the loan book.
    seed
        Same seed, same bytes.
    workers
        Processes; the result does not depend on it.
    """
    from pipelines.world import make_province

    paths = common.paths
    with console.progress("province") as report:
        made = make_province(
            paths.province,
            businesses=businesses,
            months=months,
            seed=seed,
            workers=workers,
            progress=report,
        )
    common.tell(f"Province in {paths.province}", made)


@app.command(help_epilogue="Example: microloan ingest var/province/feeds")
def ingest(
    delivery: Annotated[Path | None, Parameter(help="Folder of CSV or Parquet feeds.")] = None,
    /,
    *,
    common: Common = DEFAULT,
) -> None:
    """Check delivered feeds row by row; store the good, quarantine the bad.

    Without a folder, the made-up province's feeds are taken.
    """
    from pipelines.intake.ingest import ingest as take_in

    paths = common.paths
    with console.progress("ingest") as report:
        summary = take_in(delivery or paths.feeds, paths.store, paths.quarantine, progress=report)
    rows = [{"table": name, **asdict(counts)} for name, counts in summary.tables.items()]
    console.table("Rows by table", rows)
    if summary.quarantine:
        found = {name: str(path) for name, path in summary.quarantine.items()}
        console.table("Quarantine: file, row, rule, column and value of each broken row", found)
    common.tell(f"Store in {paths.store}", summary)


@app.command(help_epilogue="Example: microloan features")
def features(*, common: Common = DEFAULT) -> None:
    """Compute the features of every application as known at its moment."""
    from features.catalog import CATALOG
    from pipelines.tabulate import tabulate

    paths = common.paths
    with console.progress("features") as report:
        summary = tabulate(paths.store, paths.features, CATALOG, progress=report)
    common.tell(f"Features in {paths.features}", summary)


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


@app.command(help_epilogue="Example: microloan score var/features/applications.parquet")
def score(
    table: Annotated[
        Path | None, Parameter(help="Feature table; default: that of all applications.")
    ] = None,
    /,
    *,
    since: date | None = None,
    common: Common = DEFAULT,
) -> None:
    """Decide every application of a feature table with the champion and its policy.

    Parameters
    ----------
    since
        Only applications from this day on.
    """
    from pipelines.score import score as decide_all

    paths = common.paths
    with console.progress("score") as report:
        summary = decide_all(paths, table=table or paths.features, since=since, progress=report)
    common.tell(f"Decisions in {paths.scores}", summary)


@app.command(help_epilogue="Example: microloan serve --port 8000")
def serve(*, host: str = "127.0.0.1", port: int = 8000, common: Common = DEFAULT) -> None:
    """Answer loan officers over HTTP with the champion; makes an API key at the first start.

    Parameters
    ----------
    host
        Address to listen on.
    port
        Port to listen on.
    """
    from pipelines.service import new_key, settings
    from serving.release import champion
    from serving.server import serve as answer

    champion(common.paths.bundles)  # tells what to do if there is none
    served = settings(common.paths, host=host, port=port)
    key = None if common.paths.keys.exists() else new_key(common.paths)
    url = f"http://{host}:{port}"
    common.tell("Service", {"url": url, "docs": f"{url}/docs", **({"key": key} if key else {})})
    answer(served)


@app.command(help_epilogue="Example: microloan run --seed 7 --once")
def run(
    *,
    businesses: int = 20_000,
    months: int = 48,
    seed: int = 0,
    port: int = 8000,
    once: bool = False,
    common: Common = DEFAULT,
) -> None:
    """Do the whole path: province, ingest, features, training, promotion, batch, service.

    Parameters
    ----------
    businesses
        How many businesses the province has.
    months
        Months of its loan book.
    seed
        Same seed, same bytes.
    port
        Port of the service.
    once
        Serve one decision and exit.
    """
    from pipelines.run import run as whole_path

    figures = whole_path(
        common.paths, businesses=businesses, months=months, seed=seed, port=port, once=once
    )
    console.emit(figures, as_json=common.json)


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


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    try:
        app(arguments, exit_on_error=False)
    except CycloptsError:
        sys.exit(2)
    except MicroloanError as mistake:
        console.people.print(f"[red]microloan:[/red] {mistake}", highlight=False)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
