"""A PostgreSQL server that crashes, or whose disk fails, under the writer."""

import logging
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.journal.database import Server
from serving.journal.journal import Journal
from tests.faults.history import Finding, compare
from tests.faults.sizes import full
from tests.postgres import Cluster, running

pytestmark = pytest.mark.slow
_log = logging.getLogger(__name__)

CRASHES = full(40)
STOPPED = 74


@pytest.fixture
def server() -> Iterator[Cluster]:
    with running() as started:
        yield started


@pytest.fixture
def at(server: Cluster, tmp_path: Path) -> Server:
    found = server.server(tmp_path / "journal")
    Journal(found).close()
    return found


def write(at: Server, history: Path, mode: str, first: int) -> "subprocess.Popen[bytes]":
    """A writer that has acknowledged something since it started."""
    command = [sys.executable, "-m", "tests.faults.writer", at.url, str(history), mode, str(first)]
    before = history.read_bytes().count(b"ok ") if history.exists() else 0
    writer = subprocess.Popen([*command, str(at.files)])
    until = time.monotonic() + 120
    while not history.exists() or history.read_bytes().count(b"ok ") < before + 20:
        assert writer.poll() is None, "the writer died"
        assert time.monotonic() < until, "the writer makes no progress"
        time.sleep(0.01)
    return writer


def crash(server: Cluster, at: Server, history: Path, mode: str, crashes: int) -> Finding:
    """Crash the server under a writer, again and again; what was acknowledged, and what is left."""
    chosen = random.Random(mode)
    for number in range(crashes):
        writer = write(at, history, mode, first=number * 1_000_000)
        time.sleep(chosen.uniform(0, 0.3))
        server.kill()
        assert writer.wait(timeout=60) == STOPPED, "a writer without its server must stop"
        server.start()
    found = compare(history, at)
    _log.info("%s, %d crashes of the server: %s", mode, crashes, found)
    return found


def test_a_crash_of_the_server_loses_nothing_that_was_acknowledged(
    server: Cluster, at: Server, tmp_path: Path
) -> None:
    found = crash(server, at, tmp_path / "history", "full", CRASHES)
    assert found.acknowledged >= 20 * CRASHES
    assert (found.lost, found.doubled, found.refused_yet_there) == (0, 0, 0)


def test_control_a_commit_that_does_not_wait_is_lost(
    server: Cluster, at: Server, tmp_path: Path
) -> None:
    assert crash(server, at, tmp_path / "history", "normal", full(5)).lost > 0


def test_a_killed_writer_of_a_server_loses_nothing_that_was_acknowledged(
    at: Server, tmp_path: Path
) -> None:
    chosen, history = random.Random(0), tmp_path / "history"
    for number in range(CRASHES):
        writer = write(at, history, "full", first=number * 1_000_000)
        time.sleep(chosen.uniform(0, 0.3))
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        history.write_bytes(history.read_bytes().rpartition(b"\n")[0] + b"\n")
    found = compare(history, at)
    _log.info("%d kills of the writer: %s", CRASHES, found)
    assert (found.lost, found.doubled) == (0, 0)


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace to fail a flush")
def test_a_failed_flush_of_the_server_is_told_as_unknown_and_stops_the_writer(
    server: Cluster, at: Server, tmp_path: Path
) -> None:
    history, unknown = tmp_path / "history", 0
    for number in range(full(10)):
        writer = write(at, history, "full", first=number * 1_000_000)
        server.fail_next_flush()
        assert writer.wait(timeout=60) == STOPPED
        server.await_end()
        server.start()
        found = compare(history, at)
        assert (found.lost, found.doubled, found.refused_yet_there) == (0, 0, 0)
        assert found.unknown > unknown, "whose commit failed must hear that it is unknown"
        unknown = found.unknown
    _log.info("%d failed flushes of the server: %s", full(10), found)
