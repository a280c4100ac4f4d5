"""What docs/api.md shows works as it stands there."""

import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import pytest
import uvicorn

from serving.desk.overrides import ReasonCode
from serving.journal.reading import entries
from serving.web.keys import SCOPES, create_key
from tests.serving.conftest import Desk

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")


@pytest.fixture
def address(desk: Desk) -> Iterator[str]:
    """The desk behind a real server on this machine."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(desk.app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join()


def test_the_python_client_decides_as_it_stands_on_the_page(desk: Desk, address: str) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    asking = {"MICROLOAN_URL": address, "MICROLOAN_KEY": desk.key}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | asking,
        capture_output=True,
        text=True,
        check=True,
    )
    desk.service.close()
    (made,) = entries(desk.journal_at)
    assert done.stdout.startswith(f"{made.outcome} ")


def test_the_curl_commands_are_answered_as_they_stand_on_the_page(desk: Desk, address: str) -> None:
    desk.now = datetime(2026, 11, 23, tzinfo=UTC)
    officer = create_key(desk.keys_path, "of that day", ["officer"], now=desk.now)
    shown = PAGE.split("## With curl")[1].split("```")[1]
    commands = re.findall(r"^curl .*?(?=^curl |\Z)", shown, re.DOTALL | re.MULTILINE)
    statuses = []
    for command in commands:
        script = command.replace("http://127.0.0.1:8000", address).replace(
            "curl -s", "curl -s -o /dev/null -w '%{http_code}'", 1
        )
        done = subprocess.run(
            ["/bin/sh", "-c", script],
            env=os.environ | {"KEY": officer},
            capture_output=True,
            text=True,
            check=True,
        )
        statuses.append(int(done.stdout))
    assert statuses == [201, 200, 200, 404]  # there is no such decision to override


def test_every_reason_code_and_every_scope_is_on_the_page() -> None:
    for name in (*get_args(ReasonCode), *SCOPES):
        assert name in PAGE


IDS = {
    *(f"A{n}" for n in range(1, 15)),
    *(f"B{n}" for n in (1, 2, 3, 4, 5, 7, 8)),
    *(f"C{n}" for n in range(1, 14)),
    *(f"D{n}" for n in (1, 2, 3, 4, 8)),
    *(f"F{n}" for n in (1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 18, 19)),
    "H1",
}


def test_every_hazard_has_a_test_that_is_there() -> None:
    tests = Path(__file__).parents[1]
    page = (tests.parent / "docs" / "reliability.md").read_text(encoding="utf-8")
    for module, name in re.findall(r"`((?:[a-z]+/)?test_[a-z_]+)(?:::(test_[a-z_A-Z]+))?", page):
        paths = tests / f"{module}.py", tests / "serving" / f"{module}.py"
        (found,) = (path for path in paths if path.exists())
        assert f"def {name}" in found.read_text(encoding="utf-8")
    told = set(re.findall(r"\b[A-H]\d+\b", page))
    for first, last in re.findall(r"\b([A-H]\d+)–([A-H]\d+)\b", page):
        told |= {f"{first[0]}{n}" for n in range(int(first[1:]), int(last[1:]) + 1)}
    assert told >= IDS
