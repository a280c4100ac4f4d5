"""A journal on a disk that fills up: nothing is answered that is not there, and it recovers."""

import http.client
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.journal.reading import entries, verify
from tests.faults.conftest import Kitchen, ask

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small disk"),
    pytest.mark.skipif(shutil.which("mount") is None, reason="needs mount"),
]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], check=True)
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def test_a_full_disk_refuses_keeps_reading_and_recovers_without_a_restart(
    kitchen: Kitchen, small_disk: Path
) -> None:
    kitchen.journal = small_disk / "journal.db"
    service = kitchen.start()
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
    answers: dict[int, bytes] = {}
    for number in range(3):
        status, answers[number] = ask(service, connection, number)
        assert status == 201
    ballast = small_disk / "ballast"
    with pytest.raises(OSError, match="No space left"):
        ballast.write_bytes(b"x" * (4 << 20))
    refused = []
    for number in range(3, 20):
        status, body = ask(service, connection, number)
        if status == 201:
            answers[number] = body  # there was room in the last page
        else:
            refused.append(number)
            problem = json.loads(body)
            assert (status, problem["code"], problem["decided"]) == (503, "log-unavailable", False)
    assert refused
    assert service.ready()
    assert ask(service, connection, 0) == (201, answers[0])
    ballast.unlink()
    for number in refused:
        status, answers[number] = ask(service, connection, number)
        assert status == 201
    os.kill(service.pid, signal.SIGTERM)
    assert service.ended() == 0
    verify(kitchen.journal)
    held = {stored.application_id: stored.response for stored in entries(kitchen.journal)}
    assert held == {f"A-{number:06d}": answer for number, answer in answers.items()}
