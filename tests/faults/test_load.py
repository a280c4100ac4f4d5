"""The service at half its load for long, and at ten times what it can do."""

import http.client
import json
import logging
import os
import statistics
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from pipelines.intake.ingest import ingest
from tests.faults.conftest import Kitchen, Service, ask
from tests.faults.sizes import full
from tests.faults.test_hot_swap import resident
from tests.pipelines.feeds import deliver, feeds

pytestmark = pytest.mark.slow
_log = logging.getLogger(__name__)

SOAK_SECONDS = int(os.environ.get("MICROLOAN_SOAK_SECONDS", full(600)))
CAPACITY_SECONDS, OVERLOAD_SECONDS = full(20), full(30)
CALLERS, TIMES = 8, 10
MOST_AT_ONCE = 400
FLAT = 0.05
BUSINESSES = 2000


class Answered(NamedTuple):
    """How a request fared: what it was told, and the seconds from sending to the whole answer."""

    status: int
    code: str
    seconds: float


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Records of so many businesses that no two requests of one are under way at once."""
    folder = tmp_path_factory.mktemp("many")
    tables = feeds(businesses=BUSINESSES, months=6)
    del tables["repayments"]
    ingest(deliver(folder / "delivery", tables), folder / "store", folder / "quarantine")
    return folder / "store"


@pytest.fixture
def service(kitchen: Kitchen, many: Path) -> Service:
    """A service that knows many businesses."""
    kitchen.settings["MICROLOAN_SERVING_STORE"] = str(many)
    return replace(kitchen.start(), businesses=BUSINESSES)


def closed(service: Service, seconds: float, callers: int, first: int) -> float:
    """Decisions a second of callers who each wait for an answer before they ask again."""
    made = [0] * callers
    until = time.monotonic() + seconds

    def call(caller: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
        while time.monotonic() < until:
            number = first + made[caller] * callers + caller
            assert ask(service, connection, number)[0] == 201
            made[caller] += 1

    _together([threading.Thread(target=call, args=(caller,)) for caller in range(callers)])
    return sum(made) / seconds


def opened(
    service: Service, seconds: float, rate: float, first: int, at_once: int = MOST_AT_ONCE
) -> list[Answered]:
    """Requests sent when they are due, whether or not the ones before were answered."""
    found: list[Answered] = []
    count, start = int(seconds * rate), time.monotonic()
    numbers = iter(range(count))
    lock = threading.Lock()

    def call() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            time.sleep(max(0.0, start + number / rate - time.monotonic()))
            began = time.monotonic()
            status, body = ask(service, connection, first + number)
            code = "" if status == 201 else json.loads(body)["code"]
            found.append(Answered(status, code, time.monotonic() - began))

    _together([threading.Thread(target=call) for _ in range(at_once)])
    return found


def _together(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_ten_times_the_capacity_is_refused_early_and_costs_a_tenth_at_most(
    service: Service,
) -> None:
    closed(service, 3, CALLERS, first=0)
    capacity = closed(service, CAPACITY_SECONDS, CALLERS, first=10_000_000)
    before = resident(service)
    started = time.monotonic()
    found = opened(service, OVERLOAD_SECONDS, TIMES * capacity, first=100_000_000)
    took = time.monotonic() - started
    served = sum(each.status == 201 for each in found) / took
    refused = sorted(each.seconds for each in found if each.status != 201)
    p99 = refused[int(len(refused) * 0.99)]
    after = closed(service, 5, CALLERS, first=200_000_000)
    _log.info(
        "capacity %.1f/s; offered %.0f/s: %.1f/s served; %d refused, median %.0f ms, "
        "99 %% %.0f ms; %.1f/s after; %.1f MB grown",
        capacity,
        len(found) / took,
        served,
        len(refused),
        statistics.median(refused) * 1e3,
        p99 * 1e3,
        after,
        (resident(service) - before) / (1 << 20),
    )
    assert {each.code for each in found if each.status != 201} == {"overloaded"}
    assert served >= 0.9 * capacity
    assert p99 <= 0.05
    assert resident(service) - before <= 20 << 20


def test_memory_stays_flat_at_half_the_load(service: Service) -> None:
    capacity = closed(service, 10, CALLERS, first=0)
    sizes = []
    for minute in range(max(2, SOAK_SECONDS // 30)):
        # so few connections that none is idle until the server closes it
        found = opened(service, 30, capacity / 2, (minute + 1) * 10_000_000, at_once=2 * CALLERS)
        assert {each.status for each in found} == {201}
        sizes.append(resident(service))
    _log.info("%d s at %.1f/s: %s MB", 30 * len(sizes), capacity / 2, [s >> 20 for s in sizes])
    assert max(sizes) <= (1 + FLAT) * sizes[0]
