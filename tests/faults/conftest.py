"""Real services in processes of their own, and clients that note what they were told."""

import http.client
import itertools
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from serving.web.keys import create_key
from tests.pipelines.feeds import credit_code
from tests.serving.conftest import GATE_KEYS, bundles, champion, request_of, scorer, store

__all__ = ["bundles", "champion", "scorer", "store"]  # fixtures

CALLERS = 8
PATIENCE_SECONDS = 600  # a busy machine takes minutes to import; the faults are what is tested
APPLIED_AT = "2024-07-22T10:00:00+08:00"


class Standbys:
    """Services that wait for their settings; one is always importing ahead."""

    def __init__(self) -> None:
        self._next = self._spawn()

    def take(self, settings: dict[str, str]) -> "subprocess.Popen[bytes]":
        taken, self._next = self._next, self._spawn()
        assert taken.stdin is not None
        taken.stdin.write(json.dumps(settings).encode() + b"\n")
        taken.stdin.flush()
        return taken

    def close(self) -> None:
        self._next.kill()
        self._next.wait()

    def _spawn(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "tests.faults.standby"]
        return subprocess.Popen(command, stdin=subprocess.PIPE)


@pytest.fixture(scope="session")
def standbys() -> Iterator[Standbys]:
    started = Standbys()
    yield started
    started.close()


@dataclass
class Service:
    """A running service."""

    process: "subprocess.Popen[bytes]"
    port: int
    key: str
    businesses: int = 60

    @property
    def pid(self) -> int:
        return self.process.pid

    def ended(self) -> int:
        """Wait for its end: an exit code, or minus a signal."""
        return self.process.wait(timeout=PATIENCE_SECONDS)

    def ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/health/ready")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()


@dataclass
class Kitchen:
    """Starts services on one journal, store and bundle."""

    standbys: Standbys
    started: list[Service]
    journal: Path
    settings: dict[str, str]
    key: str

    def start(self) -> Service:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        given = self.settings | {
            "MICROLOAN_SERVING_PORT": str(port),
            "MICROLOAN_SERVING_JOURNAL": str(self.journal),
        }
        service = Service(self.standbys.take(given), port, self.key)
        self.started.append(service)
        until = time.monotonic() + PATIENCE_SECONDS
        while not service.ready():
            assert service.process.poll() is None, "the service refused to start"
            assert time.monotonic() < until, "the service does not get ready"
            time.sleep(0.02)
        return service


@pytest.fixture
def kitchen(standbys: Standbys, store: Path, bundles: Path, tmp_path: Path) -> Iterator[Kitchen]:
    keys = tmp_path / "keys.json"
    key = create_key(keys, "officer", ["officer"], now=datetime.now(UTC))
    gate_keys = tmp_path / "gate.pub"
    gate_keys.write_text("\n".join(public.hex() for public in GATE_KEYS))
    settings = {
        "MICROLOAN_SERVING_GATE_KEYS": str(gate_keys),
        "MICROLOAN_SERVING_STORE": str(store),
        "MICROLOAN_SERVING_BUNDLES": str(bundles),
        "MICROLOAN_SERVING_KEYS": str(keys),
        "MICROLOAN_SERVING_BACKDATING_DAYS": "36500",
    }
    made = Kitchen(standbys, [], tmp_path / "journal.db", settings, key)
    yield made
    for service in made.started:
        service.process.kill()
        service.process.wait()


@dataclass
class Told:
    """What callers were told: answers by number, problems by number, and what stayed open."""

    answers: dict[int, bytes] = field(default_factory=dict)
    problems: dict[int, dict[str, object]] = field(default_factory=dict)
    open: set[int] = field(default_factory=set)


def ask(service: Service, connection: http.client.HTTPConnection, number: int) -> tuple[int, bytes]:
    """Send application ``number`` under its own key, always the same request."""
    business_id = credit_code(number % service.businesses)
    body = request_of(number, business_id=business_id, applied_at=APPLIED_AT)
    headers = {
        "Authorization": f"Bearer {service.key}",
        "Content-Type": "application/json",
        "Idempotency-Key": f"key-{number:016d}",
    }
    connection.request("POST", "/v1/decisions", msgspec.json.encode(body), headers)
    response = connection.getresponse()
    return response.status, response.read()


class Load:
    """Callers that ask, each one application after another, until the service is gone."""

    def __init__(self, service: Service, told: Told, first: int, callers: int = CALLERS) -> None:
        self._service, self._told = service, told
        self._numbers = itertools.count(first)
        self._stopped = threading.Event()
        self._callers = [threading.Thread(target=self._call) for _ in range(callers)]
        for caller in self._callers:
            caller.start()

    def stop(self) -> None:
        self._stopped.set()
        for caller in self._callers:
            caller.join()

    def _call(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._service.port, timeout=30)
        while not self._stopped.is_set():
            number = next(self._numbers)
            self._told.open.add(number)
            try:
                status, body = ask(self._service, connection, number)
            except (OSError, http.client.HTTPException):
                return
            self._told.open.discard(number)
            if status in (200, 201):
                self._told.answers[number] = body
            else:
                self._told.problems[number] = json.loads(body)
