"""The service killed, or its disk failing, under load: no answered decision is lost or doubled."""

import http.client
import json
import logging
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from serving.journal.reading import entries, verify
from tests.faults.conftest import Kitchen, Load, Service, Told, ask
from tests.faults.sizes import full

_log = logging.getLogger(__name__)

pytestmark = pytest.mark.slow
PARTS, MOMENTS = 4, full(15)  # a service takes seconds to start, so a part is minutes
CALLS = ("fdatasync", "pwrite64")  # each answered decision makes some of both
needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")


def held(journal: Path) -> dict[str, bytes]:
    """Answers in the journal, by application; the journal is verified."""
    verify(journal)
    found = {stored.application_id: stored.response for stored in entries(journal)}
    assert len(found) == sum(1 for _ in entries(journal)), "an application was decided twice"
    return found


def inject(service: Service, what: str) -> "subprocess.Popen[bytes]":
    """Attach strace to the running service, and wait until it is attached."""
    call = what.split(":", maxsplit=1)[0]
    command = ["strace", "-f", "-p", str(service.pid), "-o", "/dev/null", "-e", f"trace={call}"]
    tracer = subprocess.Popen([*command, "-e", f"inject={what}"], stderr=subprocess.PIPE)
    assert tracer.stderr is not None
    assert b"attached" in tracer.stderr.readline()
    return tracer


def kill_at(service: Service, chosen: random.Random, told: Told, first: int) -> None:
    """Kill the service under load: at its n-th flush where strace is there, else after a while."""
    if shutil.which("strace"):
        call = chosen.choice(CALLS)
        nth = chosen.randint(1, 12 if call == "fdatasync" else 40)
        tracer = inject(service, f"{call}:signal=KILL:when={nth}")
        load = Load(service, told, first)
        assert service.ended() == -signal.SIGKILL
        tracer.wait()
    else:
        load = Load(service, told, first)
        time.sleep(chosen.uniform(0.05, 1.0))
        os.kill(service.pid, signal.SIGKILL)
        service.ended()
    load.stop()


@pytest.mark.parametrize("part", range(PARTS))
def test_killed_at_many_moments_no_answered_decision_is_lost_or_doubled(
    kitchen: Kitchen, part: int
) -> None:
    chosen, told = random.Random(part), Told()
    for moment in range(MOMENTS):
        service = kitchen.start()
        kill_at(service, chosen, told, first=moment * 100_000)
        found = held(kitchen.journal)
        for number, answer in told.answers.items():
            assert found.get(f"A-{number:06d}") == answer, f"lost after kill {moment}"
    survived = sum(f"A-{number:06d}" in held(kitchen.journal) for number in told.open)
    _log.info(
        "%d kills: %d answered, 0 lost; %d cut off, of which %d were recorded",
        MOMENTS,
        len(told.answers),
        len(told.open),
        survived,
    )
    assert len(told.answers) > MOMENTS
    _retry(kitchen, told)


def _retry(kitchen: Kitchen, told: Told) -> None:
    """Whoever got no answer asks again with the same key, and gets the one decision there is."""
    service, before = kitchen.start(), held(kitchen.journal)
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
    for number in sorted(told.open):
        status, body = _answered(service, connection, number)
        assert status == 201
        assert before.get(f"A-{number:06d}", body) == body
    os.kill(service.pid, signal.SIGTERM)
    assert service.ended() == 0
    after = held(kitchen.journal)
    assert all(f"A-{number:06d}" in after for number in told.open)


def _answered(
    service: Service, connection: http.client.HTTPConnection, number: int
) -> tuple[int, bytes]:
    """Ask as the documentation says: while nothing was decided, again with the same key."""
    while True:
        status, body = ask(service, connection, number)
        if status != 503:
            return status, body
        assert json.loads(body)["decided"] is False
        time.sleep(json.loads(body)["retry"]["after_s"])


@needs_strace
@pytest.mark.parametrize("nth", [2, 3, 5])
def test_a_failed_flush_is_answered_unknown_and_the_service_stops(
    kitchen: Kitchen, nth: int
) -> None:
    told, service = Told(), kitchen.start()
    tracer = inject(service, f"fdatasync:error=EIO:when={nth}")
    load = Load(service, told, first=0)
    assert service.ended() == os.EX_IOERR
    tracer.wait()
    load.stop()
    codes = {problem["code"] for problem in told.problems.values()}
    assert "outcome-unknown" in codes
    assert codes <= {"outcome-unknown", "log-unavailable", "overloaded"}
    found = held(kitchen.journal)
    for number, answer in told.answers.items():
        assert found.get(f"A-{number:06d}") == answer
    for number, problem in told.problems.items():
        assert problem["decided"] == ("unknown" if problem["code"] == "outcome-unknown" else False)
        if problem["decided"] is False:
            assert f"A-{number:06d}" not in found
    told.open |= set(told.problems)
    _retry(kitchen, told)


def test_a_stopped_service_finishes_what_it_accepted(kitchen: Kitchen) -> None:
    told = Told()
    for turn in range(5):
        service = kitchen.start()
        load = Load(service, told, first=turn * 100_000)
        while len(told.answers) < (turn + 1) * 20:
            time.sleep(0.01)
        os.kill(service.pid, signal.SIGTERM)
        assert service.ended() == 0
        load.stop()
    found = held(kitchen.journal)
    assert all(found.get(f"A-{number:06d}") == answer for number, answer in told.answers.items())
    cut_off = [number for number in told.open if f"A-{number:06d}" in found]
    assert cut_off == [], "a recorded decision was not answered"
