"""What follows a decision: overrides with reasons, second persons, outcomes, searches, receipts."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from serving.journal.merkle import is_included
from serving.journal.reading import entries, verify
from serving.web.keys import create_key
from tests.serving.conftest import NOW, Desk, post, request_of

pytestmark = pytest.mark.anyio

REASON = {"outcome": "decline", "reason_code": "doubt_about_the_applicant"}
TEXT = "The shop was closed when I visited it on Monday."
LARGE = 400_000


def person(desk: Desk, name: str, scope: str = "officer", branch: str = "") -> httpx.AsyncClient:
    return desk.client(create_key(desk.keys_path, name, [scope], now=NOW, branch=branch))


async def send(
    client: httpx.AsyncClient, path: str, body: dict[str, Any], key: str = "key-of-the-follow-up"
) -> httpx.Response:
    headers = {"idempotency-key": key, "content-type": "application/json"}
    return await client.post(path, headers=headers, json=body)


async def test_an_override_is_shown_with_the_decision_and_changes_nothing_of_it(
    desk: Desk,
) -> None:
    async with desk.client() as client:
        made = await post(client, request_of(0))
        where = made.headers["location"]
        override = await send(client, f"{where}/overrides", {**REASON, "text": TEXT})
        read = await client.get(where)
        found = (await client.get("/v1/decisions")).json()["decisions"]
    assert (override.status_code, override.json()["status"]) == (201, "effective")
    assert override.json()["by"] == "officer"
    assert made.json().items() <= read.json().items()
    assert read.json()["overrides"] == [override.json()]
    assert read.content.startswith(made.content[:-1])
    assert [(each["outcome"], each["effective_outcome"]) for each in found] == [
        ("approve", "decline")
    ]


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({**REASON}, "/text", "required"),
        ({**REASON, "text": "short"}, "/text", "too-short"),
        ({**REASON, "text": " " * 30}, "/text", "pattern"),
        ({"outcome": "decline", "text": TEXT}, "/reason_code", "required"),
        ({**REASON, "text": TEXT, "reason_code": "because"}, "/reason_code", "not-allowed"),
        ({**REASON, "text": TEXT, "outcome": "maybe"}, "/outcome", "not-allowed"),
        ({**REASON, "text": TEXT, "status": "effective"}, "", "unknown-field"),
    ],
)
async def test_an_override_without_its_reason_is_refused(
    desk: Desk, body: dict[str, Any], pointer: str, code: str
) -> None:
    async with desk.client() as client:
        made = await post(client, request_of(0))
        answer = await send(client, f"{made.headers['location']}/overrides", body)
        read = await client.get(made.headers["location"])
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"pointer": pointer, "code": code}]
    assert "overrides" not in read.json()


async def test_above_the_amount_a_second_person_decides_whether_it_counts(desk: Desk) -> None:
    async with (
        desk.client() as officer,
        person(desk, "officer", "supervisor") as same_person,
        person(desk, "li", "supervisor") as supervisor,
    ):
        made = await post(officer, request_of(0, amount=LARGE))
        where = made.headers["location"]
        asked = {"outcome": "approve", "reason_code": "documents_seen", "text": TEXT}
        override = (await send(officer, f"{where}/overrides", asked)).json()
        assert override["status"] == "awaiting_approval"
        approvals = f"/v1/overrides/{override['override_id']}/approvals"
        said = {"approved": True, "text": "Seen and agreed with the papers."}
        another = await send(officer, f"{where}/overrides", asked, key="another-key-00001")
        by_officer = await send(officer, approvals, said)
        by_same = await send(same_person, approvals, said)
        before = (await officer.get("/v1/decisions")).json()["decisions"][0]
        approved = await send(supervisor, approvals, said)
        again = await send(supervisor, approvals, said)
        late = await send(
            supervisor, approvals, {**said, "approved": False}, key="another-key-2-00"
        )
        after = (await officer.get("/v1/decisions")).json()["decisions"][0]
        read = (await officer.get(where)).json()
    assert another.json()["code"] == "override-awaits-approval"
    assert by_officer.json()["code"] == "scope-not-allowed"
    assert by_same.json()["code"] == "second-person-needed"
    assert (before["effective_outcome"], before["awaits_approval"]) == (before["outcome"], True)
    assert (approved.status_code, approved.json()["status"]) == (201, "approved")
    assert again.content == approved.content
    assert late.json()["code"] == "override-awaits-nothing"
    assert (after["effective_outcome"], after["awaits_approval"]) == ("approve", False)
    assert read["overrides"] == [approved.json()]
    assert read["overrides"][0]["approval"]["by"] == "li"


async def test_a_refused_override_does_not_count(desk: Desk) -> None:
    async with desk.client() as officer, person(desk, "li", "supervisor") as supervisor:
        made = await post(officer, request_of(0, amount=LARGE))
        path = f"{made.headers['location']}/overrides"
        asked = {"outcome": "approve", "reason_code": "other", "text": TEXT}
        override = (await send(officer, path, asked)).json()
        approvals = f"/v1/overrides/{override['override_id']}/approvals"
        await send(supervisor, approvals, {"approved": False, "text": "Not enough to go by."})
        found = (await officer.get("/v1/decisions")).json()["decisions"][0]
        next_one = await send(officer, path, asked, key="another-key-00001")
    assert found["effective_outcome"] == made.json()["outcome"]
    assert next_one.json()["status"] == "awaiting_approval"


async def test_an_override_repeated_is_one_and_its_key_belongs_to_it(desk: Desk) -> None:
    async with desk.client() as client:
        made = await post(client, request_of(0))
        other = await post(client, request_of(1), key="key-0000000000000002")
        path = f"{made.headers['location']}/overrides"
        first = await send(client, path, {**REASON, "text": TEXT})
        again = await send(client, path, {**REASON, "text": TEXT})
        changed = await send(client, path, {**REASON, "text": TEXT + " Twice."})
        elsewhere = await send(
            client, f"{other.headers['location']}/overrides", {**REASON, "text": TEXT}
        )
        read = (await client.get(made.headers["location"])).json()
    assert (again.content, again.headers["idempotency-replayed"]) == (first.content, "true")
    assert changed.json()["code"] == elsewhere.json()["code"] == "idempotency-key-reused"
    assert len(read["overrides"]) == 1


async def test_what_became_of_a_loan_is_recorded_in_order(desk: Desk) -> None:
    async with desk.client() as client:
        made = await post(client, request_of(0))
        decision_id = made.json()["decision_id"]
        first = {"decision_id": decision_id, "as_of": "2024-07-22", "state": "performing"}
        later = first | {"state": "written_off", "days_past_due": 90, "worst_days_past_due": 90}
        answers = [
            await send(client, "/v1/outcomes", body, key=f"outcome-{n:08d}")
            for n, body in enumerate((first, later))
        ]
        early = await send(client, "/v1/outcomes", first | {"as_of": "2024-07-23"}, key="k" * 16)
        unknown = await send(
            client, "/v1/outcomes", first | {"decision_id": "dec_" + "0" * 24}, key="k" * 17
        )
        read = (await client.get(made.headers["location"])).json()
    assert [answer.status_code for answer in answers] == [201, 201]
    assert read["loan"] == [answer.json() for answer in answers]
    assert early.json()["errors"] == [{"pointer": "/as_of", "code": "in-the-future"}]
    assert unknown.status_code == 404


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"days_past_due": 100}, "/worst_days_past_due", "below-days-past-due"),
        ({"state": "repaid", "balance": 5}, "/balance", "nothing-owed"),
        ({"state": "not_taken_up", "days_past_due": 3, "worst_days_past_due": 3},
         "/days_past_due", "nothing-owed"),
        ({"as_of": "2024-07-21"}, "/as_of", "before-the-decision"),
    ],
)  # fmt: skip
async def test_what_cannot_have_become_of_a_loan_is_refused_with_its_field(
    desk: Desk, changes: dict[str, Any], pointer: str, code: str
) -> None:
    async with desk.client() as client:
        made = (await post(client, request_of(0))).json()
        told = {"decision_id": made["decision_id"], "as_of": "2024-07-22", "state": "performing"}
        answer = await send(client, "/v1/outcomes", told | changes)
        right = await send(client, "/v1/outcomes", told)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"pointer": pointer, "code": code}]
    assert right.status_code == 201  # the key of a refused request is free again


async def test_a_loan_that_was_not_approved_has_no_outcome(desk: Desk) -> None:
    async with desk.client() as client:
        made = await post(client, request_of(0))
        await send(client, f"{made.headers['location']}/overrides", {**REASON, "text": TEXT})
        told = {"decision_id": made.json()["decision_id"], "as_of": "2024-07-22"}
        answer = await send(client, "/v1/outcomes", told | {"state": "performing"})
    assert answer.json()["errors"] == [{"pointer": "/state", "code": "not-approved"}]


async def test_an_end_that_was_corrected_the_same_day_keeps_the_decision(desk: Desk) -> None:
    from datetime import timedelta

    async with desk.client() as client:
        made = (await post(client, request_of(0))).json()
        told = {"decision_id": made["decision_id"], "as_of": "2024-07-22"}
        for state in ("repaid", "performing"):
            await send(client, "/v1/outcomes", told | {"state": state}, key=f"report-{state}")
        desk.now += timedelta(days=6 * 365)
        operator = create_key(desk.keys_path, "late", ["operator"], now=desk.now)
        client.headers["authorization"] = f"Bearer {operator}"
        asked = {"decision_id": made["decision_id"], "text": "Asked for by the shop."}
        answer = await send(client, "/v1/erasures", asked)
    assert answer.json()["code"] == "retention-period"


async def test_a_branch_sees_its_own_decisions_only(desk: Desk) -> None:
    async with (
        person(desk, "wang", branch="huzhou") as huzhou,
        person(desk, "chen", branch="jiaxing") as jiaxing,
        person(desk, "zhao", "supervisor", branch="jiaxing") as boss,
        person(desk, "audit", "auditor") as auditor,
    ):
        made = await post(huzhou, request_of(0))
        where, decision_id = made.headers["location"], made.json()["decision_id"]
        await send(huzhou, f"{where}/overrides", {**REASON, "text": TEXT})
        unknown = await jiaxing.get("/v1/decisions/dec_000000000000000000000000")
        outcome = {"decision_id": decision_id, "as_of": "2024-07-22", "state": "repaid"}
        hidden = [
            await jiaxing.get(where),
            await jiaxing.get(f"{where}/receipt"),
            await send(jiaxing, f"{where}/overrides", {**REASON, "text": TEXT}),
            await send(jiaxing, "/v1/outcomes", outcome),
        ]
        override_id = (await huzhou.get(where)).json()["overrides"][0]["override_id"]
        said = {"approved": True, "text": "Seen and agreed."}
        hidden.append(await send(boss, f"/v1/overrides/{override_id}/approvals", said))
        same_key = await post(jiaxing, request_of(0))
        other_key = await post(jiaxing, request_of(0), key="another-key-00000001")
        lists = [(await c.get("/v1/decisions")).json()["decisions"] for c in (huzhou, jiaxing)]
        asked = (await jiaxing.get("/v1/decisions?branch=huzhou")).json()["decisions"]
        seen = (await auditor.get("/v1/decisions?branch=huzhou")).json()["decisions"]
    for answer in hidden:
        assert answer.status_code == 404
        assert answer.json() | {"instance": ""} == unknown.json() | {"instance": ""}
    for answer in (same_key, other_key):
        assert (answer.status_code, "link" in answer.headers) == (409, False)
    assert [len(found) for found in (*lists, asked, seen)] == [1, 0, 0, 1]
    assert seen[0]["branch"] == "huzhou"


async def test_decisions_are_found_by_what_is_asked_page_by_page(desk: Desk) -> None:
    async with desk.client() as client:
        ids = []
        for number in range(7):
            made = await post(client, request_of(number), key=f"key-{number:016d}")
            ids.append(made.json()["decision_id"])
        pages, cursor = [], ""
        while cursor is not None:
            page = (await client.get(f"/v1/decisions?limit=3{cursor}")).json()
            pages.append([each["decision_id"] for each in page["decisions"]])
            cursor = page["next"] and f"&cursor={page['next']}"

        async def found(query: str) -> list[str]:
            answer = await client.get(f"/v1/decisions?{query}")
            return [each["decision_id"] for each in answer.json()["decisions"]]

        own = await found(f"business_id={request_of(4)['business_id']}")
        today, tomorrow = await found("day=2024-07-22"), await found("day=2024-07-23")
        refused = [
            await client.get(f"/v1/decisions?{query}")
            for query in ("limit=201", "limit=1&limit=2", "outcome=maybe", "day=monday", "x=1")
        ]
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [found for page in pages for found in page] == ids[::-1]
    assert own == [ids[4]]
    assert (today, tomorrow) == (ids[::-1], [])
    assert {answer.status_code for answer in refused} == {422}


async def test_no_identifier_of_a_business_is_in_the_journal_in_the_clear(desk: Desk) -> None:
    async with desk.client() as client:
        made = await post(client, request_of(0))
        await send(client, f"{made.headers['location']}/overrides", {**REASON, "text": TEXT})
    desk.service.close()
    folder = desk.keys_path.parent
    written = b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())
    assert str(request_of(0)["business_id"]).encode() not in written
    assert TEXT.encode() not in written
    kinds = [stored.kind for stored in entries(desk.journal_at)]
    assert (kinds, verify(desk.journal_at)[0].size) == (["decision", "override"], 2)


async def test_a_receipt_proves_the_decision_under_a_signed_checkpoint(desk: Desk) -> None:
    import base64

    from serving.journal.checkpoints import Key, read

    async with desk.client() as client:
        answers = [
            await post(client, request_of(number), key=f"key-{number:016d}") for number in range(5)
        ]
        told = (await client.get(f"{answers[2].headers['location']}/receipt")).json()
    index, leaf = answers[2].headers["receipt"].split(":")
    hashed = base64.b64decode
    assert (told["leaf_index"] + 1, hashed(told["leaf"]).hex()) == (int(index), leaf)
    signed = read(told["checkpoint"], Key.parse(told["key"]))
    assert (signed.size, signed.root) == (5, hashed(told["root"]))
    path = [hashed(each) for each in told["path"]]
    assert is_included(bytes.fromhex(leaf), 2, signed.size, path, signed.root)
    assert not is_included(bytes.fromhex(leaf), 3, signed.size, path, signed.root)


async def test_from_the_third_changed_trial_an_officer_decides_and_sees_the_trials(
    desk: Desk,
) -> None:
    amounts = (20_000, 20_000, 19_000, 18_000, 17_000, 20_000)
    async with desk.client() as client, person(desk, "li", branch="huzhou") as other:
        answers = [
            (
                await post(
                    other if n % 2 else client,
                    request_of(0, application_id=f"T-{n}", amount=amount),
                    key=f"trial-key-{n:08d}",
                )
            ).json()
            for n, amount in enumerate(amounts)
        ]
    fired = [["automatic_trials" in str(rule) for rule in each["rules"]] for each in answers]
    assert [any(each) for each in fired] == [False, False, False, False, True, True]
    assert [len(each["trials"]) for each in answers] == [0, 0, 2, 3, 4, 3]
    assert answers[4]["outcome"] == "refer"
    assert answers[4]["trials"] == [each["decision_id"] for each in answers[:4]]


async def test_trials_end_after_thirty_days_and_are_of_one_business(desk: Desk) -> None:
    from datetime import timedelta

    async with desk.client() as client:
        for n, amount in enumerate((20_000, 19_000, 18_000)):
            body = request_of(0, application_id=f"T-{n}", amount=amount)
            await post(client, body, key=f"trial-key-{n:08d}")
        other = await post(client, request_of(1, amount=17_000), key="other-business-1")
        desk.now += timedelta(days=30, seconds=1)
        late = await post(client, request_of(0, application_id="T-9", amount=17_000), key="k" * 16)
    assert (other.json()["trials"], late.json()["trials"]) == ([], [])


async def test_what_is_known_of_a_business_is_told_by_department(desk: Desk) -> None:
    business_id = request_of(0)["business_id"]
    async with desk.client() as client:
        body = (await client.get(f"/v1/businesses/{business_id}")).json()
        unknown = await client.get("/v1/businesses/91330502MA00000000")
        made = (await post(client, request_of(0))).json()
    departments = {each["department"]: each["tables"] for each in body["departments"]}
    assert {"registry", "tax", "utility"} <= departments.keys()
    returns = next(each for each in departments["tax"] if each["table"] == "tax_returns")
    assert returns["last_known_on"] == made["features_as_of"]["tax_returns"]
    assert returns["records"] > 0
    assert "owner_sex" not in str(body)
    assert unknown.status_code == 404


async def test_metrics_count_what_was_answered(desk: Desk) -> None:
    async with desk.client() as client, person(desk, "ops", "operator") as operator:
        await post(client, request_of(0))
        await post(client, request_of(0))
        await client.get("/v1/decisions/none")
        text = (await operator.get("/metrics")).text
    assert 'microloan_recorded_total{kind="decision",outcome="approve"} 1.0' in text
    assert 'microloan_request_seconds_count{route="/v1/decisions"} 2.0' in text
    assert 'microloan_problems_total{code="not-found"} 1.0' in text
    assert "microloan_journal_entries 1.0" in text
    assert str(request_of(0)["business_id"]) not in text


async def test_two_services_share_no_counters(open_desk: Callable[..., Desk]) -> None:
    for _ in range(2):
        desk = open_desk()
        async with person(desk, "ops", "operator") as operator:
            assert "_recorded_total{" not in (await operator.get("/metrics")).text


async def test_a_decision_is_erased_only_when_its_retention_is_over(desk: Desk) -> None:
    from datetime import timedelta

    async with desk.client() as client, person(desk, "ops", "operator") as operator:
        made = await post(client, request_of(0))
        where, decision_id = made.headers["location"], made.json()["decision_id"]
        await send(client, f"{where}/overrides", {**REASON, "text": TEXT})
        asked = {"decision_id": decision_id, "text": "Asked for by the business."}
        early = await send(operator, "/v1/erasures", asked)
        desk.now += timedelta(days=5 * 365 + 2)
        officer, ops = (
            create_key(desk.keys_path, f"late {scope}", [scope], now=desk.now)
            for scope in ("officer", "operator")
        )
        client.headers["authorization"] = f"Bearer {officer}"
        operator.headers["authorization"] = f"Bearer {ops}"
        erased = await send(operator, "/v1/erasures", asked)
        again = await send(operator, "/v1/erasures", asked)
        gone = [
            await client.get(where),
            await post(client, request_of(0)),
            await send(client, f"{where}/overrides", {**REASON, "text": TEXT}),
        ]
        found = (await client.get("/v1/decisions")).json()["decisions"]
    assert early.json()["code"] == "retention-period"
    assert (erased.status_code, again.content) == (201, erased.content)
    assert [answer.json()["code"] for answer in gone] == ["erased"] * 3
    assert [each["decision_id"] for each in found] == [decision_id]
    assert verify(desk.journal_at)[0].size == 3


async def test_the_retention_of_a_loan_counts_from_its_reported_end(desk: Desk) -> None:
    from datetime import timedelta

    def later(scope: str, days: float) -> dict[str, str]:
        desk.now += timedelta(days=days, seconds=1)
        secret = create_key(desk.keys_path, f"{scope} {desk.now}", [scope], now=desk.now)
        return {"authorization": f"Bearer {secret}"}

    async with desk.client() as client:
        made = (await post(client, request_of(0))).json()
        loan = {"decision_id": made["decision_id"]}

        async def ended(state: str, days: float) -> None:
            client.headers.update(later("officer", days))
            told = {**loan, "as_of": f"{desk.now:%Y-%m-%d}", "state": state}
            answer = await send(client, "/v1/outcomes", told, f"key-of-outcome-{state}")
            assert answer.status_code == 201

        async def erased(days: float) -> httpx.Response:
            client.headers.update(later("operator", days))
            return await send(client, "/v1/erasures", {**loan, "text": "Asked for by the shop."})

        answers = [await erased(days=6 * 365)]
        await ended("renewed", days=1)
        answers.append(await erased(days=6 * 365))
        await ended("repaid", days=1)
        answers += [await erased(days=4 * 365), await erased(days=367)]
    assert made["outcome"] == "approve"
    assert [answer.status_code for answer in answers] == [409, 409, 409, 201]
    assert answers[0].json()["code"] == "retention-period"
