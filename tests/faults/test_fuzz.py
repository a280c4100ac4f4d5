"""A million broken bodies: each is refused as a problem of the caller, none is an error of ours."""

import json
import logging
import os
import random
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import msgspec
import pytest

from serving.desk.erasure import ErasureRequest
from serving.desk.outcomes import OutcomeRequest
from serving.desk.overrides import ApprovalRequest, OverrideRequest
from serving.web.openapi import (
    APPROVAL_EXAMPLE,
    ERASURE_EXAMPLE,
    OUTCOME_EXAMPLE,
    OVERRIDE_EXAMPLE,
    QUOTE_EXAMPLE,
)
from serving.wire.bodies import read_json
from serving.wire.problems import Problem
from serving.wire.schemas import read_quote, read_request
from tests.faults.sizes import full
from tests.serving.conftest import NOW, Desk, journal_at, open_desk, post, request_of
from tests.serving.test_hostile_bodies import BODIES, CODES, MOMENTS, STRINGS, VALUES

AGO = timedelta(days=365)

__all__ = ["journal_at", "open_desk"]  # fixtures
pytestmark = [pytest.mark.slow, pytest.mark.anyio]
_log = logging.getLogger(__name__)
logging.getLogger("httpx").setLevel(logging.WARNING)

PARSED, SERVED, PARTS = full(1_000_000), full(20_000), 4
SEED = int(os.environ.get("MICROLOAN_FUZZ_SEED", "0"))
LITERALS = [literal.encode() for literal in (*VALUES, *STRINGS, *CODES, *MOMENTS)]
FRAGMENTS = [b"{", b"}", b"[", b"]", b'"', b":", b",", b"\\u", b"\\", b"\x00", b"\xff", b"\xe4\xb8"]
READERS: list[tuple[dict[str, object], Callable[[bytes], object]]] = [
    (
        {**request_of(0), "applied_at": "2024-07-01T00:00:00Z"},
        lambda body: read_request(body, NOW, AGO),
    ),
    (QUOTE_EXAMPLE, lambda body: read_quote(body, NOW, AGO)),
    (OVERRIDE_EXAMPLE, lambda body: read_json(body, OverrideRequest)),
    (APPROVAL_EXAMPLE, lambda body: read_json(body, ApprovalRequest)),
    (OUTCOME_EXAMPLE, lambda body: read_json(body, OutcomeRequest)),
    (ERASURE_EXAMPLE, lambda body: read_json(body, ErasureRequest)),
]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def spoilt(chosen: random.Random, valid: dict[str, object]) -> bytes:
    """A body near a valid one: fields exchanged for hostile ones, then bytes changed."""
    members = {name: json.dumps(value).encode() for name, value in valid.items()}
    for _ in range(chosen.randint(0, 3)):
        members[chosen.choice(list(members))] = chosen.choice(LITERALS)
    if chosen.random() < 0.2:
        del members[chosen.choice(list(members))]
    if chosen.random() < 0.1:
        members[chosen.choice(["extra", "AMOUNT", "outcome", "\\u0061mount"])] = b"1"
    body = b"{" + b",".join(b'"%s":%s' % (k.encode(), v) for k, v in members.items()) + b"}"
    for _ in range(chosen.choice([0, 0, 1, 1, 2, 8])):
        body = _changed(chosen, body)
    return body


def _changed(chosen: random.Random, body: bytes) -> bytes:
    at = chosen.randrange(len(body) + 1)
    until = min(len(body), at + chosen.choice([0, 1, 1, 4, 40]))
    broken = chosen.choice(FRAGMENTS), chosen.choice(LITERALS), chosen.randbytes(2)
    put = chosen.choice([b"", body[at:until], *broken])
    return body[:at] + put + body[until:] or b" "


def said(read: Callable[[bytes], object], body: bytes) -> str:
    """The code of the problem a body is, or that it is valid; anything else is an error of ours."""
    try:
        value = read(body)
    except Problem as problem:
        return problem.code
    assert msgspec.json.decode(msgspec.json.encode(value)) is not None
    return "valid"


@pytest.mark.parametrize("part", range(PARTS))
async def test_no_body_is_an_error_of_ours(part: int) -> None:
    chosen, found = random.Random(SEED + part), Counter[str]()
    started = time.process_time()
    for _ in range(PARSED // PARTS):
        valid, read = READERS[min(chosen.randrange(12), 5)] if chosen.random() < 0.5 else READERS[0]
        found[said(read, spoilt(chosen, valid))] += 1
    took = time.process_time() - started
    _log.info("part %d: %d bodies in %.0f s of CPU: %s", part, PARSED // PARTS, took, dict(found))
    assert set(found) == {"valid", "malformed-json", "validation-failed"}


async def test_no_body_is_answered_with_5xx(open_desk: Callable[..., Desk]) -> None:
    desk, chosen = open_desk(), random.Random(SEED)
    found: Counter[int] = Counter()
    async with desk.client() as client:
        for number in range(SERVED):
            body = chosen.choice(BODIES) if number % 50 == 0 else spoilt(chosen, request_of(number))
            answer = await post(client, body, key=f"key-{number:016d}")
            assert answer.status_code in (200, 201, 400, 409, 422), (body, answer.text)
            found[answer.status_code] += 1
    _log.info("%d bodies answered: %s", SERVED, dict(found))
