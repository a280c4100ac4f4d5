"""Prefect at home: its state under var/, its server on the loopback interface, nothing told abroad.

Prefect reads its settings from the environment when it is imported: call `settle` before.
"""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError

from features.errors import MicroloanError

API_URL = "PREFECT_API_URL"
READY_SECONDS = 180  # its first start makes a database; a busy machine takes minutes


def settle(home: Path, *, quiet: bool) -> None:
    """Keep Prefect's state in ``home``; ``quiet`` where what fails reaches us as an exception."""
    home.mkdir(parents=True, exist_ok=True)
    os.environ.update(
        PREFECT_HOME=str(home.resolve()),
        PREFECT_SERVER_ANALYTICS_ENABLED="false",
        DO_NOT_TRACK="1",
        # its temporary server needs far more than the default 20 s on a busy machine
        PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS=str(READY_SECONDS),
    )
    if quiet:
        os.environ.update(PREFECT_LOGGING_LEVEL="CRITICAL", PREFECT_LOGGING_TO_API_ENABLED="false")


def stop_temporary() -> None:
    """End Prefect's temporary server with its flow; it would listen until this process ends."""
    from prefect.server.api.server import SubprocessASGIServer

    for server in list(SubprocessASGIServer._instances.values()):  # noqa: SLF001  # no public way
        server.stop()


@contextmanager
def running(port: int) -> Iterator[str]:
    """Prefect's server, stopped at the end; yields the URL of its API.

    Raises:
        MicroloanError: it did not become ready.
    """
    url = f"http://127.0.0.1:{port}"
    command = f"-m prefect server start --host 127.0.0.1 --port {port}"
    process = subprocess.Popen(  # noqa: S603  # the command is our own
        [sys.executable, *command.split()],
        env={**os.environ, "PREFECT_UI_API_URL": f"{url}/api"},
        stdout=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for us, who stop it last
    )
    try:
        _await_ready(process, url)
        yield f"{url}/api"
    finally:
        process.terminate()
        process.wait(timeout=30)


def _await_ready(process: "subprocess.Popen[bytes]", url: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/api/health", timeout=2):  # noqa: S310
                return
        except (URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    raise MicroloanError(
        f"Prefect's server at {url} did not become ready; the reason is above. Hint: is the port "
        f"taken? Try --port, or set {API_URL} to a server of yours."
    )
