"""Commands that decide: a batch, the service, and the whole path down to it."""

from datetime import date
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pipelines import console
from pipelines.cli.root import DECIDE, DEFAULT, PATH, Common, Where, app


@app.command(
    group=DECIDE, help_epilogue="Example: microloan score var/features/applications.parquet"
)
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


@app.command(group=DECIDE, help_epilogue="Example: microloan serve --port 8000")
def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    journal: Where = None,
    backdating: int | None = None,
    common: Common = DEFAULT,
) -> None:
    """Answer loan officers over HTTP with the champion; makes an API key at the first start.

    Parameters
    ----------
    host
        Address to listen on.
    port
        Port to listen on.
    backdating
        Days by which an application may be dated back; default: 3, of a made-up province 20 years.
    """
    from pipelines.service import new_key, settings
    from serving.bundles.release import champion
    from serving.web.server import serve as answer

    champion(common.paths.bundles)  # tells what to do if there is none
    served = settings(common.paths, host=host, port=port, journal=journal, backdating=backdating)
    key = None if common.paths.keys.exists() else new_key(common.paths)
    url = f"http://{host}:{port}"
    told = {"backdating": f"{served.backdating_days} days (--backdating)"}
    told |= {"key": key or "as made before; `microloan keys create` makes another"}
    pages = {"console": f"{url}/console/", "docs": f"{url}/docs"}
    common.tell("Service", {"url": url, **pages, **told})
    answer(served)


@app.command(group=PATH, help_epilogue="Example: microloan run --seed 7 --once")
def run(
    *,
    businesses: int = 30_000,
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
