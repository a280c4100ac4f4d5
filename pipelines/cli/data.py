"""Commands over data: make a province, take in feeds, compute features."""

from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pipelines import console
from pipelines.cli.root import DATA, DEFAULT, Common, app
from pipelines.engines import Kind


@app.command(
    group=DATA, help_epilogue="Example: microloan world --businesses 2000 --months 48 --seed 7"
)
def world(
    *,
    businesses: int = 20_000,
    months: int = 48,
    seed: int = 0,
    workers: int = 1,
    last_month: str = "2025-12",
    bias: tuple[float, float, float] = (0.35, 0.10, 0.15),
    report: bool = False,
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
    last_month
        Last month of the loan book, as 2025-12.
    bias
        Points of the old score held against migrants, women and one district at equal merit.
    report
        Make no province: hold the one that is there against published figures.
    """
    if report:
        _hold_against_published(common)
        return
    from pipelines.world import Bias, make_province

    paths = common.paths
    with console.progress("province") as progress:
        made = make_province(
            paths.province,
            businesses=businesses,
            months=months,
            seed=seed,
            workers=workers,
            last_month=last_month,
            bias=Bias(*bias),
            progress=progress,
        )
    common.tell(f"Province in {paths.province}", made)


def _hold_against_published(common: Common) -> None:
    from pipelines.world.report import measure, told, write

    paths = common.paths
    with console.progress("measure") as progress:
        report, evidence = measure(paths.province, progress=progress)
    data, page = write(report, evidence, paths.province)
    rows = [{"figure": m.name, "target": m.target, "measured": m.found} for m in report.misses]
    if rows:
        console.table("Outside their tolerance, or not measurable", rows)
    found = {"page": str(page), "data": str(data), **told(report)}
    common.tell(f"{report.inside} of {report.judged} figures inside their tolerance", found)


@app.command(group=DATA, help_epilogue="Example: microloan ingest var/province/feeds")
def ingest(
    delivery: Annotated[Path | None, Parameter(help="Folder of CSV or Parquet feeds.")] = None,
    /,
    *,
    buckets: int | None = None,
    common: Common = DEFAULT,
) -> None:
    """Check delivered feeds row by row; store the good, quarantine the bad.

    Without a folder, the made-up province's feeds are taken.

    Parameters
    ----------
    buckets
        Parts of a new store, one of which a worker holds in memory; default: by the size of the
        first delivery, so that one holds about 750,000 records.
    """
    from pipelines.intake.ingest import ingest as take_in
    from pipelines.linking.weights import weights_in_force

    paths = common.paths
    with console.progress("ingest") as report:
        summary = take_in(
            delivery or paths.feeds,
            paths.store,
            paths.quarantine,
            buckets=buckets,
            weights=weights_in_force(paths.link_weights),
            progress=report,
        )
    rows = [{"table": name, **asdict(counts)} for name, counts in summary.tables.items()]
    console.table("Rows by table", rows)
    if summary.quarantine:
        found = {name: str(path) for name, path in summary.quarantine.items()}
        console.table("Quarantine: file, row, rule, column and value of each broken row", found)
    common.tell(f"Store in {paths.store}", summary)


@app.command(group=DATA, help_epilogue="Example: microloan link --learn")
def link(
    *,
    learn: Annotated[
        bool, Parameter(negative="", help="First learn from these accounts how names are misspelt.")
    ] = False,
    common: Common = DEFAULT,
) -> None:
    """Link the store's meters to businesses anew; ingest has done so with the weights it had."""
    from pipelines.intake.relink import relink
    from pipelines.linking.weights import weights_in_force

    paths = common.paths
    weights = paths.link_weights if learn else weights_in_force(paths.link_weights)
    common.tell(f"Links by {weights}", relink(paths.store, weights, learn=learn))


@app.command(group=DATA, help_epilogue="Example: microloan materialise --days 7")
def materialise(*, first: date | None = None, days: int = 7, common: Common = DEFAULT) -> None:
    """Make every business's features for the days to come, so that the service only looks them up.

    Parameters
    ----------
    first
        First day that is wanted; today if not given.
    days
        Days from it on.
    """
    from pipelines.materialise import materialise as make_ahead
    from pipelines.service import today

    paths = common.paths
    with console.progress("materialise") as report:
        made = make_ahead(
            paths.store, paths.online, first=first or today(), days=days, progress=report
        )
    common.tell(f"Online store in {paths.online}", made)


@app.command(group=DATA, help_epilogue="Example: microloan features --workers 2")
def features(
    *,
    engine: Kind = "local",
    cluster: str | None = None,
    workers: int = 1,
    common: Common = DEFAULT,
) -> None:
    """Compute the features of every application as known at its moment.

    Parameters
    ----------
    engine
        Who computes the buckets: processes of this machine, Dask, or Spark. The bytes are the same.
    cluster
        Dask scheduler, as tcp://scheduler:8786, or Spark master, as spark://host:7077; without it
        dask and spark run on this machine.
    workers
        Processes of this machine, each with one bucket in memory.
    """
    from features.catalog import CATALOG
    from pipelines.engines import engine as engine_of
    from pipelines.tabulate import tabulate

    paths = common.paths
    chosen = engine_of(engine, cluster, workers)
    with console.progress("features") as report:
        summary = tabulate(paths.store, paths.features, CATALOG, engine=chosen, progress=report)
    common.tell(f"Features in {paths.features}", summary)
