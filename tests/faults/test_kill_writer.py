"""A writer killed at any system call: what was acknowledged is in the journal, once."""

import logging
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from serving.journal.journal import Journal
from tests.faults.history import compare, told
from tests.faults.sizes import full

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace to choose the moment"),
]
_log = logging.getLogger(__name__)

MOMENTS = full(200)
CALLS = ("fdatasync", "pwrite64")


def run_killed(folder: Path, call: str, nth: int, mode: str, first: int) -> None:
    """Run the writer until its ``nth`` ``call``, and kill it there."""
    strace = ["strace", "-f", "-o", "/dev/null", "-e", f"trace={call}"]
    inject = ["-e", f"inject={call}:signal=KILL:when={nth}"]
    writer = [sys.executable, "-m", "tests.faults.writer"]
    told = [str(folder / "journal.db"), str(folder / "history"), mode, str(first)]
    done = subprocess.run([*strace, *inject, *writer, *told], timeout=120, check=False)
    assert done.returncode == -9, "strace reports the signal that ended the writer"


@pytest.mark.parametrize("call", CALLS)
def test_killed_at_any_write_or_flush_nothing_acknowledged_is_lost(
    tmp_path: Path, call: str
) -> None:
    chosen = random.Random(call)
    acknowledged = 0
    for moment in range(MOMENTS // len(CALLS)):
        nth = chosen.randint(8, 60 if call == "fdatasync" else 400)
        run_killed(tmp_path, call, nth, "full", first=moment * 1_000_000)
        finding = compare(tmp_path / "history", tmp_path / "journal.db")
        assert (finding.lost, finding.doubled) == (0, 0), f"{call} {nth}: {finding}"
        acknowledged = finding.acknowledged
    _log.info("%s: %d kills, %d acknowledged, 0 lost", call, MOMENTS // len(CALLS), acknowledged)
    assert acknowledged > MOMENTS // len(CALLS)


def test_control_an_answer_before_its_commit_is_lost(tmp_path: Path) -> None:
    run_killed(tmp_path, "fdatasync", 12, "early", first=0)
    assert told(tmp_path / "history")["ok"]
    assert compare(tmp_path / "history", tmp_path / "journal.db").lost > 0


def test_a_failed_flush_is_told_as_unknown_and_stops_the_writer(tmp_path: Path) -> None:
    came_back = 0
    for nth in range(3, 3 + full(40)):
        folder = tmp_path / str(nth)
        folder.mkdir()
        Journal(folder / "journal.db").close()
        inject = f"inject=fdatasync:error=EIO:when={nth}"
        command = ["strace", "-f", "-o", "/dev/null", "-e", "trace=fdatasync", "-e", inject]
        writer = [sys.executable, "-m", "tests.faults.writer"]
        paths = [str(folder / "journal.db"), str(folder / "history"), "full", "0"]
        done = subprocess.run([*command, *writer, *paths], timeout=120, check=False)
        assert done.returncode == 74, "the process must stop by itself"
        finding = compare(folder / "history", folder / "journal.db")
        assert (finding.lost, finding.doubled, finding.refused_yet_there) == (0, 0, 0), finding
        assert finding.unknown > 0
        came_back += finding.came_back
    _log.info("%d entries of failed commits came back after a restart", came_back)
