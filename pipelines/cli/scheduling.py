"""The command of whoever runs the pipeline: everything on time, without anybody."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pipelines.cli.root import DEFAULT, PATH, Common, app


@app.command(
    group=PATH, help_epilogue="Example: microloan schedule deliveries --daily '30 5 * * *'"
)
def schedule(
    inbox: Annotated[Path, Parameter(help="Folder that holds a folder per delivery.")],
    /,
    *,
    daily: str = "30 5 * * *",
    monthly: str = "0 3 2 * *",
    publish: bool = False,
    port: int = 4200,
    common: Common = DEFAULT,
) -> None:
    """Take in deliveries every day and train a challenger every month, by Prefect.

    Parameters
    ----------
    daily
        When whole deliveries (an empty file _SUCCESS in them) are taken in and rows made ahead; a
        cron expression in business time.
    monthly
        When the month's decisions are monitored and a challenger is trained.
    publish
        Publish the challenger if the gate passes; without it, it is only held beside the champion.
    port
        Where Prefect's server listens on this machine; not needed where PREFECT_API_URL names one.
    """
    from pipelines.flows.schedule import schedule as serve_flows

    serve_flows(common.paths, inbox, daily=daily, monthly=monthly, publish=publish, port=port)
