"""The promises of one decision, kept for ten thousand: replayed, resubmitted, in conflict."""

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from serving.desk.audit import recompute
from serving.journal.entries import DECISIONS
from serving.journal.reading import entries, verify
from tests.faults.sizes import full
from tests.serving.conftest import GATE_KEYS, NOW, Desk, journal_at, open_desk, post, request_of

__all__ = ["journal_at", "open_desk"]  # fixtures
pytestmark = [pytest.mark.slow, pytest.mark.anyio]
_log = logging.getLogger(__name__)
logging.getLogger("httpx").setLevel(logging.WARNING)

SUBMISSIONS, CALLERS = full(10_000), 16
APPLICATIONS = SUBMISSIONS // 10
REPLAYED = full(10_000)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def by_callers(numbers: list[int], ask: Callable[[int], object]) -> None:
    """``ask`` for each number, by sixteen callers at once."""
    left = iter(numbers)

    async def call() -> None:
        for number in left:
            await ask(number)  # type: ignore[misc]

    await asyncio.gather(*(call() for _ in range(CALLERS)))


async def test_duplicates_and_conflicts_make_one_decision_an_application(
    open_desk: Callable[..., Desk],
) -> None:
    """Each application ten times: by its key or by others, asking the same or something else."""
    desk = open_desk(waiting=1000)
    told: dict[int, set[bytes]] = {}
    statuses: Counter[tuple[int, str]] = Counter()
    async with desk.client() as client:

        async def submit(number: int) -> None:
            application, turn = number % APPLICATIONS, number // APPLICATIONS
            own = turn in (0, 2, 4, 6, 8)
            key = f"key-{application:016d}" if own else f"key-{turn}-{application:016d}"
            amount = 20_000 if turn < 6 else 19_000
            answer = await post(client, request_of(application, amount=amount), key=key)
            code = answer.json().get("code", "") if answer.status_code >= 400 else ""
            statuses[answer.status_code, code] += 1
            if not code:
                told.setdefault(application, set()).add(answer.content)

        numbers = list(range(SUBMISSIONS))
        random.Random(0).shuffle(numbers)
        await by_callers(numbers, submit)
    desk.service.close()
    held = {stored.application_id: stored.response for stored in entries(desk.journal_at)}
    _log.info("%d submissions by %d callers: %s", SUBMISSIONS, CALLERS, dict(statuses))
    assert verify(desk.journal_at)[0].size == len(held) == APPLICATIONS
    assert set(statuses) <= {
        (201, ""),
        (200, ""),
        (409, "application-already-decided"),
        (422, "idempotency-key-reused"),
        (409, "request-in-progress"),
    }
    assert statuses[409, "application-already-decided"] > 0
    assert all(bodies == {held[f"A-{number:06d}"]} for number, bodies in told.items())


async def test_ten_thousand_decisions_come_out_again_bit_for_bit(
    open_desk: Callable[..., Desk], bundles: Path
) -> None:
    desk = open_desk(waiting=1000)
    chosen = random.Random(0)
    terms = [  # three a business, so that not all of them are trials
        {
            "amount": chosen.randint(1, 80) * 5_000,
            "term_months": chosen.choice([6, 12, 24, 36]),
            "repayment": chosen.choice(["bullet", "instalment"]),
        }
        for _ in range(180)
    ]
    async with desk.client() as client:

        async def decide(number: int) -> None:
            at = NOW - timedelta(hours=chosen.randint(0, 24 * 120))
            body = request_of(number, applied_at=at.isoformat(), **terms[number % 180])
            answer = await post(client, body, key=f"key-{number:016d}")
            assert answer.status_code == 201, answer.text

        started = time.monotonic()
        await by_callers(list(range(REPLAYED)), decide)
        decided_s = time.monotonic() - started
    desk.service.close()
    started = time.monotonic()
    outcomes: Counter[bool] = Counter(
        each.differs for each in recompute(entries(desk.journal_at, DECISIONS), bundles, GATE_KEYS)
    )
    took = time.monotonic() - started
    _log.info("%d decided in %.0f s, replayed in %.0f s: %s", REPLAYED, decided_s, took, outcomes)
    assert outcomes == {False: REPLAYED}
