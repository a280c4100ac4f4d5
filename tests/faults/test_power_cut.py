"""Power cuts, simulated: the image of a mounted disk is copied while the writer stands still."""

import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.history import Finding, compare
from tests.faults.sizes import full

_log = logging.getLogger(__name__)

CUTS = full(32)
SIZE = 192 * 1024 * 1024


def _can_mount() -> str:
    """Why this machine cannot simulate a power cut; "" if it can."""
    if os.geteuid() != 0:
        return "needs root to mount a disk image"
    if not Path("/dev/loop-control").exists():
        return "needs loop devices"
    missing = [name for name in ("mkfs.ext4", "mount", "umount") if not shutil.which(name)]
    return f"needs {', '.join(missing)}" if missing else ""


pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(_can_mount()), reason=_can_mount())]


@contextmanager
def mounted(image: Path, folder: Path) -> Iterator[Path]:
    """``image`` as a disk at ``folder``."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-o", "loop", image, folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def cut_power(folder: Path, mode: str, after: int) -> Finding:
    """Let the writer acknowledge ``after`` entries, cut, and look at what the disk then held."""
    image, remains, history = folder / "disk", folder / "remains", folder / "history"
    with image.open("wb") as file:
        file.truncate(SIZE)
    subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
    with mounted(image, folder / "mounted") as disk:
        writer = _write(disk / "journal.db", history, mode, after)
        writer.send_signal(signal.SIGSTOP)
        shutil.copyfile(image, remains)
        noted = history.read_bytes()
        writer.kill()
        writer.wait()
    history.write_bytes(noted)
    with mounted(remains, folder / "mounted") as disk:
        return compare(history, disk / "journal.db")


def _write(journal: Path, history: Path, mode: str, after: int) -> "subprocess.Popen[bytes]":
    """A writer that has acknowledged ``after`` entries."""
    command = [sys.executable, "-m", "tests.faults.writer", str(journal), str(history), mode, "0"]
    writer = subprocess.Popen(command)
    until = time.monotonic() + 120
    while not history.exists() or history.read_bytes().count(b"ok ") < after:
        assert writer.poll() is None, "the writer died"
        assert time.monotonic() < until, "the writer makes no progress"
        time.sleep(0.01)
    return writer


def cuts(tmp_path: Path, mode: str) -> list[Finding]:
    chosen, found = random.Random(mode), []
    for number in range(CUTS):
        folder = tmp_path / str(number)
        folder.mkdir()
        found.append(cut_power(folder, mode, after=chosen.randint(1, 800)))
        for name in ("disk", "remains"):
            (folder / name).unlink()
    acknowledged, lost = (sum(getattr(f, what) for f in found) for what in ("acknowledged", "lost"))
    _log.info("%s: %d cuts, %d acknowledged, %d lost", mode, CUTS, acknowledged, lost)
    return found


def test_a_power_cut_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    found = cuts(tmp_path, "full")
    assert sum(finding.acknowledged for finding in found) > CUTS
    assert [(finding.lost, finding.doubled) for finding in found] == [(0, 0)] * CUTS


def test_control_synchronous_normal_loses_what_was_acknowledged(tmp_path: Path) -> None:
    assert sum(finding.lost for finding in cuts(tmp_path, "normal")) > 0
