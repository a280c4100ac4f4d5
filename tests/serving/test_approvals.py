"""What was approved comes off what may still be lent, until the loan book knows of it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving.desk.audit import recompute
from serving.journal.reading import entries
from tests.serving.conftest import GATE_KEYS, Desk, post, request_of
from tests.serving.test_overrides import REASON, TEXT, send

pytestmark = pytest.mark.anyio


async def ask(client: httpx.AsyncClient, at: int, **changes: Any) -> dict[str, Any]:
    body = request_of(0, application_id=f"S-{at}", **changes)
    answer = (await post(client, body, key=f"key-of-number-{at:06d}")).json()
    assert isinstance(answer, dict)
    return answer


async def report(client: httpx.AsyncClient, decision: dict[str, Any], state: str) -> None:
    body = {"decision_id": decision["decision_id"], "as_of": "2024-07-22", "state": state}
    answer = await send(client, "/v1/outcomes", body, key=f"{state}-{decision['decision_id']}")
    assert answer.status_code == 201


async def test_the_same_loan_asked_for_eight_times_is_lent_up_to_the_limit_and_no_further(
    desk: Desk, bundles: Path
) -> None:
    async with desk.client() as client:
        answers = [await ask(client, at) for at in range(8)]
    limit = answers[0]["limit"]
    approved = [answer for answer in answers if answer["outcome"] == "approve"]
    assert 0 < sum(answer["offers"][0]["amount"] for answer in approved) <= limit
    last = answers[-1]
    assert last["outcome"] == "refer"
    assert "approved_before" in {rule["rule"] for rule in last["rules"]}
    assert [status["code"] for status in last["statuses"]] == ["C04"]
    assert last["approved_before"] == [answer["decision_id"] for answer in approved]
    desk.service.close()
    recorded = list(entries(desk.journal_at))
    assert not any(made.differs for made in recompute(recorded, bundles, GATE_KEYS))


async def test_a_loan_that_is_not_taken_up_or_repaid_gives_its_room_back(desk: Desk) -> None:
    async with desk.client() as client:
        first = await ask(client, 0)
        await report(client, first, "performing")
        still = await ask(client, 1)
        await report(client, first, "repaid")
        freed = await ask(client, 2)
    assert still["approved_before"] == [first["decision_id"]]
    assert first["decision_id"] not in freed["approved_before"]
    assert freed["limit"] > still["limit"]


async def test_an_officers_approval_counts_and_a_decline_does_not(desk: Desk) -> None:
    async with desk.client() as client:
        first = await ask(client, 0)
        where = f"/v1/decisions/{first['decision_id']}/overrides"
        await send(client, where, {**REASON, "text": TEXT})
        declined = await ask(client, 1)
        await send(client, where, {**REASON, "outcome": "approve", "text": TEXT}, key="k" * 20)
        approved = await ask(client, 2)
    assert declined["approved_before"] == []
    assert approved["approved_before"] == [first["decision_id"], declined["decision_id"]]


async def test_approvals_count_for_the_days_of_the_policy_and_for_their_business(
    desk: Desk,
) -> None:
    async with desk.client() as client:
        await ask(client, 0)
        other = (await post(client, request_of(1), key="another-business")).json()
        desk.now += timedelta(days=90, seconds=1)
        late = await ask(client, 1)
    assert (other["approved_before"], late["approved_before"]) == ([], [])
