"""Serve the flows of production on their schedules, by the bank's Prefect server or our own."""

import os
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from features.build import BUSINESS_ZONE
from features.errors import MicroloanError
from pipelines import console
from pipelines.flows.server import API_URL, running, settle
from pipelines.intake.inbox import Inbox
from pipelines.settings import Var

if TYPE_CHECKING:
    from prefect import Flow
    from prefect.deployments.runner import RunnerDeployment
    from prefect.schedules import Schedule

NAME = "microloan"


def schedule(
    paths: Var, inbox: Path, *, daily: str, monthly: str, publish: bool, port: int
) -> None:
    """Run `daily` and `monthly` when their cron expressions (business time) say, until stopped.

    Without PREFECT_API_URL in the environment a server of our own listens on ``port``.

    Raises:
        MicroloanError: there is no inbox, an expression is none, or our server does not start.
    """
    Inbox(inbox, paths.deliveries).whole()  # it must be there now, not at half past five
    settle(paths.prefect, quiet=False)
    from prefect import serve
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from pipelines.flows import production

    var = str(paths.root.resolve())
    served = (
        _served(production.daily, daily, {"var": var, "inbox": str(inbox.resolve())}),
        _served(production.monthly, monthly, {"var": var, "publish": publish}),
    )
    theirs = os.environ.get(API_URL)
    with nullcontext(theirs) if theirs else running(port) as url:
        console.people.print(f"Runs and schedules: {url.removesuffix('/api')}", highlight=False)
        with temporary_settings({PREFECT_API_URL: url}):
            # a run that was due while nobody served is late, seen as such, and made up for
            serve(*served, limit=1, pause_on_shutdown=False)


def _served(
    flow: "Flow[..., Any]", expression: str, parameters: dict[str, object]
) -> "RunnerDeployment":
    from prefect.types.entrypoint import EntrypointType

    made = flow.to_deployment(
        NAME,
        schedule=_cron(expression),
        parameters=parameters,
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    return cast("RunnerDeployment", made)  # a coroutine only where a loop runs


def _cron(expression: str) -> "Schedule":
    from prefect.schedules import Cron

    try:
        return Cron(expression, timezone=BUSINESS_ZONE)
    except ValueError:
        raise MicroloanError(
            f"{expression!r} is no cron expression. Hint: five fields, minute, hour, day, month, "
            "weekday; `30 5 * * *` is half past five every morning."
        ) from None
