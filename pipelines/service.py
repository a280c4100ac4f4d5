"""Start the service as a process of its own, and show how to call it."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import polars as pl

from features.build import BUSINESS_ZONE
from features.errors import MicroloanError
from features.periods import YUAN
from pipelines.settings import Var
from serving.records import Records
from serving.web.keys import create_key, list_keys
from serving.web.settings import PREFIX, Settings
from serving.wire.schemas import BACKDATING

READY_SECONDS = 60
PROVINCE_DAYS = 7305  # twenty years


@dataclass(frozen=True)
class Invitation:
    """Where the service answers, a key for it, and a request that works."""

    url: str
    key: str
    request: dict[str, Any]

    @property
    def page(self) -> str:
        """The console with the request filled in."""
        return f"{self.url}/console/#/apply?{urlencode(self.request)}"

    @property
    def curl(self) -> str:
        """The request as a command."""
        return (
            f"curl -s {self.url}/v1/decisions "
            f"-H 'Authorization: Bearer {self.key}' "
            "-H 'Content-Type: application/json' "
            '-H "Idempotency-Key: $(cat /proc/sys/kernel/random/uuid)" '
            f"-d '{json.dumps(self.request)}'"
        )


def settings(
    paths: Var,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    journal: str | None = None,
    backdating: int | None = None,
) -> Settings:
    """The service's settings for the folders of ``paths``; ``journal`` is a file or a URL.

    Applications may be dated back by ``backdating`` days. Without it, a made-up province can be
    asked as of any day of its records, as they end in the past; a bank's store as of some days.

    Raises:
        MicroloanError: nobody can listen on that port.
    """
    _demand_free(host, port)
    return Settings(
        host=host,
        port=port,
        store=paths.store,
        online=paths.online,
        bundles=paths.bundles,
        gate_keys=paths.gate_keys,
        journal=journal or str(paths.journal / "journal.db"),
        journal_files=paths.journal,
        keys=paths.keys,
        backdating_days=_backdating(paths) if backdating is None else backdating,
    )


def _backdating(paths: Var) -> int:
    return PROVINCE_DAYS if paths.province.exists() else BACKDATING.days


def new_key(paths: Var, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> str:
    """Make an officer's key; it is shown this once."""
    paths.root.mkdir(parents=True, exist_ok=True)
    number = len(list_keys(paths.keys)) + 1 if paths.keys.exists() else 1
    return create_key(paths.keys, f"officer-{number}", ["officer"], now=now())


def today(now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> date:
    """The day in the business's time zone."""
    return now().astimezone(ZoneInfo(BUSINESS_ZONE)).date()


def invited_day(paths: Var) -> date:
    """The day of the application that `invite` asks about."""
    return today(lambda: _invited(paths)["applied_at"])


def invite(paths: Var, url: str, key: str) -> Invitation:
    """A request for a business of the store that the last batch approved, if it approved any."""
    asked = _invited(paths)
    request = {
        "application_id": "DEMO-1",
        "business_id": asked["business_id"],
        "amount": round(asked["amount_fen"] * YUAN),
        "term_months": asked["term_months"],
        "purpose": asked["purpose"],
        "repayment": asked["repayment"],
        "applied_at": asked["applied_at"].isoformat().replace("+00:00", "Z"),
    }
    return Invitation(url, key, request)


def _invited(paths: Var) -> dict[str, Any]:
    decided = pl.read_parquet(paths.scores).sort("outcome", "application_id").row(0, named=True)
    applications = Records.open(paths.store).table("applications")
    chosen = applications.filter(pl.col("application_id") == decided["application_id"])
    return chosen.row(0, named=True)


@contextmanager
def running(served: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """The service in a process without MLflow and Prefect; stopped at the end.

    Raises:
        MicroloanError: it did not become ready.
    """
    fields = {name: getattr(served, name) for name in served.__struct_fields__}
    told = {
        PREFIX + name.upper(): str(value) for name, value in fields.items() if value is not None
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "serving.web.server"], env={**os.environ, **told}
    )
    try:
        _await_ready(process, f"http://{served.host}:{served.port}")
        yield process
    finally:
        process.terminate()
        process.wait(timeout=30)


def ask(invitation: Invitation) -> dict[str, Any]:
    """Send the invitation's request and return the decision."""
    request = urllib.request.Request(  # noqa: S310  # the URL is our own
        f"{invitation.url}/v1/decisions",
        data=json.dumps(invitation.request).encode(),
        headers={
            "Authorization": f"Bearer {invitation.key}",
            "Content-Type": "application/json",
            "Idempotency-Key": f"first-{invitation.key[:12]}",
        },
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return dict(json.load(answer))


def stop_at_interrupt(process: "subprocess.Popen[bytes]") -> None:
    """Wait for the service, and end quietly at Ctrl-C."""
    try:
        process.wait()
    except KeyboardInterrupt:
        process.wait(timeout=30)


def _demand_free(host: str, port: int) -> None:
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except (OSError, OverflowError) as error:
        raise MicroloanError(
            f"Nobody can listen on {host}:{port} ({error}). Hint: name another port with --port."
        ) from None


def _await_ready(process: "subprocess.Popen[bytes]", url: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise MicroloanError(
                f"The service at {url} ended with code {process.returncode}; "
                "the reason is above. Hint: is the port taken? Try --port."
            )
        try:
            with urllib.request.urlopen(f"{url}/health/ready", timeout=2):  # noqa: S310
                return
        except (URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    raise MicroloanError(f"The service at {url} was not ready within {READY_SECONDS} s.")
