"""The whole path in one command, down to a service that answers."""

import socket
import time
from dataclasses import asdict
from typing import Any

from pipelines import console
from pipelines.flows import server
from pipelines.service import (
    PROVINCE_DAYS,
    Invitation,
    ask,
    invite,
    new_key,
    running,
    settings,
    stop_at_interrupt,
)
from pipelines.settings import Var


def run(
    paths: Var, *, businesses: int, months: int, seed: int, port: int, once: bool
) -> dict[str, Any]:
    """Make a province, learn from it, publish, and serve; ``once`` ends after one decision.

    Returns the figures of every step, the seconds of the work, and with ``once`` the decision.
    """
    began = time.monotonic()
    chosen = free_port() if once else port
    served = settings(paths, port=chosen, backdating=PROVINCE_DAYS)  # before the work, not after it
    server.settle(paths.prefect, quiet=True)
    console.people.print("Starting the flow (Prefect makes its database first) …")
    from pipelines.flows.demo import whole_path

    steps = whole_path(paths, businesses, months, seed)
    server.stop_temporary()
    figures: dict[str, Any] = {name: asdict(step) for name, step in steps.items()}
    console.table("Batch of the newest quarter", asdict(steps["batch"]))
    invitation = invite(paths, f"http://{served.host}:{served.port}", new_key(paths))
    with running(served) as process:
        figures["seconds"] = time.monotonic() - began
        if once:
            figures["decision"] = ask(invitation)
            console.table("One served decision", _shown(figures["decision"]))
            return figures
        _tell(invitation, paths, figures["seconds"])
        stop_at_interrupt(process)
    return figures


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _shown(decision: dict[str, Any]) -> dict[str, Any]:
    told = [*decision["statuses"], *decision["reasons"]]
    reasons = "; ".join(each["text"]["en"] for each in told)
    plain = {name: value for name, value in decision.items() if not isinstance(value, dict | list)}
    return {**plain, "reasons": reasons or "none"}


def _tell(invitation: Invitation, paths: Var, seconds: float) -> None:
    say = console.people.print
    say(f"\nReady after {seconds:.0f} s. The service answers on {invitation.url} (Ctrl-C ends it).")
    say("Its made-up records end in the past: applications may be dated back to them.")
    say("\nAsk for a decision:\n")
    say(invitation.curl, soft_wrap=True, highlight=False, markup=False)
    say("\nOr ask in the browser, where it is filled in:\n")
    say(f"Console      {invitation.page}", soft_wrap=True, highlight=False, markup=False)
    say(f"Key          {invitation.key}", highlight=False, markup=False)
    say(f"\nAPI          {invitation.url}/docs")
    say(f"Report       {paths.plots / 'report.html'}")
    say(f"Plot         {paths.plots / 'summary.png'}")
    database = paths.mlflow / "mlflow.db"
    runs = f".venv/bin/mlflow ui --host 127.0.0.1 --backend-store-uri sqlite:///{database}"
    say(f"Runs         {runs}", soft_wrap=True)
