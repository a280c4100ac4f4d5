"""One application is decided once, whatever the retries, the keys and the races."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from serving.journal.reading import entries
from tests.serving.conftest import Desk, post, request_of

pytestmark = pytest.mark.anyio


async def test_fifty_identical_requests_at_once_are_decided_once(desk: Desk) -> None:
    async with desk.client() as client:
        answers = await asyncio.gather(*(post(client, request_of(0)) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    replayed = [answer for answer in answers if "idempotency-replayed" in answer.headers]
    assert len(replayed) == 49
    assert len({answer.headers["receipt"] for answer in answers}) == 1


async def test_a_request_that_is_still_running_is_refused_with_a_wait(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk(patience_s=0.0)
    async with desk.client() as client:
        answers = await asyncio.gather(*(post(client, request_of(0)) for _ in range(20)))
        later = await post(client, request_of(0))
    codes = Counter(answer.status_code for answer in answers)
    assert codes[201] >= 1
    assert set(codes) <= {201, 409}
    assert {a.json()["code"] for a in answers if a.status_code == 409} <= {"request-in-progress"}
    made = next(answer for answer in answers if answer.status_code == 201)
    assert later.content == made.content


@pytest.mark.parametrize(
    "change",
    [
        {"amount": 20_001},
        {"term_months": 13},
        {"purpose": "other"},
        {"repayment": "instalment"},
        {"applied_at": "2024-07-01T00:00:00Z"},
        {"application_id": "A-000001"},
        {"business_id": request_of(1)["business_id"]},
    ],
)
async def test_a_key_reused_for_other_content_is_refused(
    desk: Desk, change: dict[str, Any]
) -> None:
    async with desk.client() as client:
        await post(client, request_of(0))
        answer = await post(client, request_of(0, **change))
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-key-reused")


SPELLINGS = """
{"application_id":"A-1","business_id":"%s","amount":20000,"term_months":12,"purpose":"stock"}
{ "purpose":"stock", "term_months" : 12,"amount":20000,"business_id":"%s","application_id":"A-1" }
{"application_id":"\\u0041-1","business_id":"%s","amount":20000,"term_months":12,"purpose":"stock"}
{"application_id":"A-1","business_id":"%s","amount":20000,"term_months":12,"purpose":"st\\u006fck"}
{"application_id":"A-1","business_id":"%s","amount":20000,"term_months":12,"purpose":"stock",\
"repayment":"bullet","applied_at":null}
"""


async def test_another_spelling_of_the_same_request_gets_the_same_answer(desk: Desk) -> None:
    spellings = SPELLINGS.replace("%s", str(request_of(0)["business_id"])).split("\n")[1:-1]
    async with desk.client() as client:
        answers = [await post(client, spelling.encode()) for spelling in spellings]
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1


async def test_one_moment_in_two_time_zones_is_one_request(desk: Desk) -> None:
    async with desk.client() as client:
        first = await post(client, request_of(0, applied_at="2024-07-01T08:00:00+08:00"))
        again = await post(client, request_of(0, applied_at="2024-07-01T00:00:00Z"))
    assert again.content == first.content


async def test_another_key_for_a_decided_application_replays_or_conflicts(desk: Desk) -> None:
    async with desk.client() as client:
        first = await post(client, request_of(0), key="first-key-00000001")
        same = await post(client, request_of(0), key="other-key-00000002")
        changed = await post(client, request_of(0, amount=10_000), key="other-key-00000003")
    assert (same.status_code, same.content) == (200, first.content)
    assert same.headers["idempotency-replayed"] == "true"
    assert changed.json()["code"] == "application-already-decided"
    assert first.headers["location"] in changed.headers["link"]
    assert changed.json()["decision_id"] == first.json()["decision_id"]


async def test_twenty_keys_for_one_application_make_one_decision(desk: Desk) -> None:
    requests = [request_of(0, amount=20_000 + number % 2) for number in range(20)]
    async with desk.client() as client:
        answers = await asyncio.gather(
            *(post(client, body, key=f"key-{n:016d}") for n, body in enumerate(requests))
        )
    made = [answer for answer in answers if answer.status_code == 201]
    assert len(made) == 1
    conflicts = [a.json()["code"] for a in answers if a.status_code == 409]
    assert set(conflicts) == {"application-already-decided"}
    assert {a.content for a in answers if a.status_code == 200} == {made[0].content}
    assert len(conflicts) == 10


async def test_a_restart_changes_neither_answers_nor_locks(
    open_desk: Callable[..., Desk],
) -> None:
    before = open_desk()
    async with before.client() as client:
        made = await post(client, request_of(0))
    after = open_desk()
    async with after.client() as client:
        again = await post(client, request_of(0))
        other = await post(client, request_of(0, amount=1), key="other-key-00000001")
    assert (again.status_code, again.content) == (201, made.content)
    assert other.status_code == 409


async def test_refused_requests_leave_the_key_free(desk: Desk) -> None:
    async with desk.client() as client:
        refused = await post(client, request_of(0, amount=0))
        made = await post(client, request_of(0))
    assert (refused.status_code, made.status_code) == (422, 201)


@pytest.mark.parametrize(
    "key", ["", "short", "x" * 129, "with space 00000000", "kéy-000000000000000"]
)
async def test_a_key_must_be_16_to_128_visible_characters(desk: Desk, key: str) -> None:
    headers = {"idempotency-key": key.encode(), "content-type": "application/json"}
    async with desk.client() as client:
        answer = await client.post("/v1/decisions", headers=headers, json=request_of(0))  # type: ignore[arg-type]
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency-key-required")


async def test_a_quoted_key_is_the_same_key(desk: Desk) -> None:
    async with desk.client() as client:
        made = await post(client, request_of(0), key="key-0000000000000001")
        again = await post(client, request_of(0), key='"key-0000000000000001"')
    assert (again.status_code, again.content) == (201, made.content)


async def test_keys_are_never_stored_in_the_clear(desk: Desk) -> None:
    async with desk.client() as client:
        await post(client, request_of(0), key="a-very-secret-key-1")
    desk.service.close()
    folder = desk.keys_path.parent
    written = b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())
    assert b"a-very-secret-key-1" not in written
    assert desk.key.encode() not in written
    assert desk.key.rsplit("_", 1)[1].encode() not in written
    assert len(list(entries(desk.journal_at))) == 1
