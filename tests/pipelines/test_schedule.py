"""`microloan schedule`: Prefect's own server and scheduler start the flows, nobody else does."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest

from pipelines.intake.inbox import WHOLE, Inbox
from pipelines.run import free_port
from pipelines.settings import Var
from serving.online import CURRENT
from serving.records import Records
from tests.pipelines.feeds import deliver, feeds
from tests.pipelines.test_cli import run

MICROLOAN = "from pipelines.cli import main; main()"
SECONDS = 400


@pytest.mark.parametrize("option", ["--daily", "--monthly"])
def test_what_is_no_cron_expression_is_refused_before_anything_starts(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("schedule", str(tmp_path), option, "every day", "--var", str(tmp_path)) == 1
    told = " ".join(capsys.readouterr().err.split())
    assert "'every day' is no cron expression" in told
    assert "`30 5 * * *`" in told


def test_a_missing_inbox_is_refused_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("schedule", str(tmp_path / "nowhere"), "--var", str(tmp_path / "var")) == 1
    assert "There is no inbox" in capsys.readouterr().err
    assert not (tmp_path / "var").exists()


@contextmanager
def scheduled(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """`microloan schedule` in a process of its own, stopped at the end."""
    elsewhere = {name: text for name, text in os.environ.items() if not name.startswith("PREFECT")}
    process = subprocess.Popen(
        [sys.executable, "-c", MICROLOAN, *arguments], env=elsewhere, start_new_session=True
    )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does
        process.wait(timeout=60)


def ended(process: subprocess.Popen[bytes], port: int, runs: int) -> list[dict[str, Any]]:
    """Runs that have ended, oldest first, once there are so many."""
    asked = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/flow_runs/filter",
        json.dumps(
            {
                "sort": "EXPECTED_START_TIME_ASC",
                "flow_runs": {"state": {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED"]}}},
            }
        ).encode(),
        {"Content-Type": "application/json"},
    )
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(URLError, ConnectionError), urllib.request.urlopen(asked) as answer:
            if len(found := json.load(answer)) >= runs:
                return list(found)
        time.sleep(0.5)
    raise AssertionError(f"{runs} runs did not end; the schedule's code is {process.poll()}")


@pytest.mark.slow
def test_every_minute_takes_what_is_whole_once_and_says_what_is_not_taken(tmp_path: Path) -> None:
    inbox, paths = tmp_path / "inbox", Var(tmp_path / "var")
    (deliver(inbox / "a", feeds(businesses=5)) / WHOLE).touch()
    (inbox / "b").mkdir()
    (inbox / "b" / "weather.csv").write_text("day\n2026-01-01\n")
    (inbox / "b" / WHOLE).touch()
    deliver(inbox / "c", feeds(businesses=2))

    port = free_port()
    command = ["schedule", str(inbox), "--daily", "* * * * *", "--port", str(port)]
    with scheduled(*command, "--var", str(paths.root)) as process:
        first = ended(process, port, runs=1)[0]
        assert first["state"]["type"] == "FAILED"
        assert "no feed for weather.csv" in first["state"]["message"]
        assert [one.delivery for one in Inbox(inbox, paths.deliveries).taken()] == ["a"]
        assert (paths.online / CURRENT).exists()
        snapshot = Records.open(paths.store).snapshot

        (inbox / "b" / "weather.csv").unlink()
        (inbox / "b").rename(tmp_path / "refused")
        (inbox / "c" / WHOLE).touch()
        second = ended(process, port, runs=2)[1]
        assert second["state"]["type"] == "COMPLETED"
    assert [one.delivery for one in Inbox(inbox, paths.deliveries).taken()] == ["a", "c"]
    assert Records.open(paths.store).snapshot == snapshot  # its rows were there before
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)), "Prefect's server goes on"
