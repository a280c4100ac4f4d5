"""What a caller sees: decisions, problems, headers, rights."""

import re
from collections.abc import Callable
from datetime import timedelta

import msgspec
import pytest
from starlette.routing import Route

from serving.desk.replay import Record, replay
from serving.journal.entries import decision_id_of
from serving.web.app import Guarded, create_app
from serving.web.keys import SCOPES, Keys, create_key, revoke_key
from serving.wire.problems import Problem
from serving.wire.schemas import read_request
from tests.pipelines.feeds import credit_code
from tests.serving.conftest import NOW, Desk, post, request_of

pytestmark = pytest.mark.anyio


async def test_a_sound_applicant_within_the_limit_is_approved(desk: Desk) -> None:
    async with desk.client() as client:
        response = await post(client, request_of(0))
    body = response.json()
    assert response.status_code == 201
    assert response.headers["location"] == f"/v1/decisions/{body['decision_id']}"
    assert (body["outcome"], body["rules"]) == ("approve", [])
    assert body["limit"] >= 20_000
    assert body["features_as_of"]["tax_returns"] == "2024-07-16"


async def test_a_decision_is_read_back_byte_for_byte_and_with_what_was_asked(desk: Desk) -> None:
    async with desk.client() as client:
        made = await post(client, request_of(0))
        read = await client.get(made.headers["location"])
    assert (read.status_code, read.content[: len(made.content) - 1]) == (200, made.content[:-1])
    told = read.json()
    assert request_of(0).items() <= told["application"].items()
    assert (told["by"], told["branch"]) == ("officer", "")
    assert set(told) - set(made.json()) == {"application", "by", "branch"}


async def test_an_unknown_business_is_referred_and_each_department_is_named(desk: Desk) -> None:
    stranger = request_of(0, business_id=credit_code(999))
    async with desk.client() as client:
        body = (await post(client, stranger)).json()
    assert body["outcome"] == "refer"
    unseen = {reason["department"] for reason in body["reasons"] if reason["code"] == "R32"}
    assert {"registry", "tax", "utility"} <= unseen


async def test_a_frozen_store_refers_once_its_records_are_too_old(desk: Desk) -> None:
    desk.now = NOW + timedelta(days=200)
    async with desk.client() as client:
        body = (await post(client, request_of(0))).json()
    assert body["outcome"] == "refer"
    assert {"tax_returns_stale", "linked_bills_stale"} <= {rule["rule"] for rule in body["rules"]}


async def test_a_past_application_is_decided_on_what_was_known_then(desk: Desk) -> None:
    asked = request_of(0, applied_at="2024-05-20T10:00:00+08:00")
    async with desk.client() as client:
        body = (await post(client, asked)).json()
    assert body["features_as_of"]["tax_returns"] == "2024-05-16"


async def test_every_record_can_be_replayed_to_the_same_bytes(desk: Desk) -> None:
    async with desk.client() as client:
        for number in range(8):
            await post(client, request_of(number), key=f"key-000000000000000{number}")
    for number in range(8):
        stored = desk.service.journal.by_decision(decision_id_of("bank", f"A-{number:06d}", 0))
        assert stored is not None
        decision, answered = replay(stored.record, desk.service.champion.bundle)
        assert answered == stored.response
        assert decision == msgspec.json.decode(stored.record, type=Record).decision


async def test_the_answer_says_less_than_the_record(desk: Desk) -> None:
    async with desk.client() as client:
        body = (await post(client, request_of(0))).json()
    stored = desk.service.journal.by_decision(body["decision_id"])
    assert stored is not None
    kept = msgspec.json.decode(stored.record, type=Record).decision
    assert body["probability_of_default"] == round(kept.probability_of_default, 4)
    assert body["probability_of_default"] != kept.probability_of_default


EXPECTED_HEADERS = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-request-id": "request-1",
}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/health/live"),
        ("GET", "/v1/decisions/none"),
        ("GET", "/nowhere"),
        ("DELETE", "/v1/decisions"),
        ("GET", "/docs"),
        ("POST", "/v1/decisions"),
    ],
)
async def test_every_response_carries_the_strict_headers(
    desk: Desk, method: str, path: str
) -> None:
    async with desk.client() as client:
        response = await client.request(method, path)
    assert EXPECTED_HEADERS.items() <= dict(response.headers).items()
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert "server" not in response.headers


async def test_problems_are_documents_with_a_code_and_what_is_known(desk: Desk) -> None:
    async with desk.client() as client:
        response = await client.get("/v1/decisions/none")
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert (body["status"], body["code"], body["decided"]) == (404, "not-found", False)
    assert body["retry"] == {"safe": False, "same_key": False, "after_s": None}


def _routes(desk: Desk) -> list[Route]:
    envelope = create_app(
        desk.service, Keys(desk.keys_path), clock=lambda: NOW, request_id=lambda: "1"
    )
    return list(envelope._app.routes)  # type: ignore[attr-defined]


OPEN = {
    *("/", "/console/", "/console/{name}", "/docs", "/openapi.json", "/problems/{code}"),
    *("/health/live", "/health/ready"),
}


async def test_every_route_declares_who_may_use_it(desk: Desk) -> None:
    for route in _routes(desk):
        assert isinstance(route.app, Guarded), route.path
        assert (route.app.scopes is None) == (route.path in OPEN), route.path


@pytest.mark.parametrize("kind", ["none", "bad", "expired", "revoked", "twice", *SCOPES])
async def test_a_route_answers_only_whom_it_declares(desk: Desk, kind: str) -> None:
    key = _key_of(desk, kind)
    headers = [("authorization", f"Bearer {key}")] * (2 if kind == "twice" else 1)
    async with desk.client() as client:
        del client.headers["authorization"]
        for route in _routes(desk):
            method = "POST" if "POST" in (route.methods or ()) else "GET"
            path = re.sub("{[a-z_]+}", "not-found", route.path.replace("{name}", "console.js"))
            scopes = route.app.scopes  # type: ignore[attr-defined]
            response = await client.request(method, path, headers=headers)
            if scopes is None:
                assert response.status_code == (307 if path == "/" else 200)
            elif kind not in SCOPES:
                assert response.status_code == 401, path
            elif kind not in scopes:
                assert response.status_code == 403, path
            else:
                assert response.status_code not in (401, 403), path


def _key_of(desk: Desk, kind: str) -> str:
    path = desk.keys_path
    if kind in SCOPES:
        return create_key(path, kind, [kind], now=NOW)
    if kind == "expired":
        return create_key(path, kind, SCOPES, now=NOW - timedelta(days=400))
    if kind == "revoked":
        key = create_key(path, kind, SCOPES, now=NOW)
        revoke_key(path, key.split("_")[1])
        return key
    return {"none": "", "bad": desk.key[:-1] + "!", "twice": desk.key}[kind]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/model/health/ready",
        "/v1/decisions/health/live",
        "/health/ready/../../v1/model",
        "/health/live%2f..%2fv1%2fmodel",
        "//v1/model",
        "/V1/MODEL",
        "/v1/model/",
    ],
)
async def test_no_wording_of_a_path_gets_past_the_key(desk: Desk, path: str) -> None:
    async with desk.client(key="mlk_none") as client:
        response = await client.get(path, headers={"host": "x/?health", "x-forwarded-for": "::1"})
    assert response.status_code in (401, 404)


async def test_a_decision_of_another_organisation_does_not_exist(desk: Desk) -> None:
    foreign = create_key(desk.keys_path, "other", ["officer"], now=NOW, organisation="other bank")
    async with desk.client() as ours, desk.client(foreign) as theirs:
        made = await post(ours, request_of(0))
        read = await theirs.get(made.headers["location"])
        unknown = await theirs.get("/v1/decisions/dec_000000000000000000000000")
        own = await post(theirs, request_of(0, amount=10_000))
        found = await theirs.get("/v1/decisions")
    assert read.status_code == unknown.status_code == 404
    assert read.json() | {"instance": ""} == unknown.json() | {"instance": ""}
    assert own.status_code == 201, "another bank's name of an application is its own"
    assert [each["decision_id"] for each in found.json()["decisions"]] == [
        own.json()["decision_id"]
    ]


async def test_a_stopping_service_is_not_ready_and_takes_nothing(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk()
    desk.service.drain()
    async with desk.client() as client:
        ready, answer = await client.get("/health/ready"), await post(client, request_of(0))
    assert (ready.status_code, ready.text) == (503, "false")
    assert (answer.json()["code"], answer.json()["decided"]) == ("draining", False)
    assert "retry-after" in answer.headers


async def test_more_than_can_wait_is_refused_early(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(waiting=0)
    async with desk.client() as client:
        answer = await post(client, request_of(0))
    assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
    assert answer.headers["retry-after"] == "1"


async def test_what_would_wait_beyond_its_deadline_is_refused_when_it_comes(
    open_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = open_desk(deadline_s=2.0)
    async with desk.client() as client:
        assert (await post(client, request_of(0))).status_code == 201
        monkeypatch.setattr(desk.service.recorder._pace, "wait", lambda _running: 6.1)
        answer = await post(client, request_of(1), key="key-0000000000000002")
    assert (answer.json()["code"], answer.headers["retry-after"]) == ("overloaded", "7")


async def test_what_was_decided_is_answered_again_however_little_room_there_is(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk()
    async with desk.client() as client:
        first = await post(client, request_of(0))
    full = open_desk(waiting=0)
    async with full.client() as client:
        again = await post(client, request_of(0))
        other = await post(client, request_of(1), key="key-0000000000000002")
    assert (again.status_code, again.content) == (201, first.content)
    assert other.json()["decided"] is False


async def test_what_waited_beyond_its_deadline_is_dropped_before_it_is_decided(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk(deadline_s=-1.0)
    async with desk.client() as client:
        answer = await post(client, request_of(0))
        ids = desk.service.journal.by_decision(decision_id_of("bank", "A-000000", 0))
    assert (answer.json()["code"], ids) == ("overloaded", None)


async def test_a_store_or_bundle_that_breaks_leaves_the_service_deciding(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> bool:
        raise OSError("the disk is away")

    monkeypatch.setattr(desk.service.champion, "refresh", broken)
    monkeypatch.setattr(desk.service.records, "refresh", broken)
    desk.service.refresh()
    async with desk.client() as client:
        assert (await post(client, request_of(0))).status_code == 201


@pytest.mark.parametrize(
    ("day", "code"), [("0001-01-01", "too-small"), ("9999-12-31", "too-large")]
)
async def test_a_day_far_from_all_decisions_is_a_mistake_of_the_caller(
    desk: Desk, day: str, code: str
) -> None:
    async with desk.client() as client:
        answer = await client.get("/v1/decisions", params={"day": day})
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"pointer": "/day", "code": code}]


async def test_while_keys_cannot_be_checked_nobody_gets_in_and_it_is_said(desk: Desk) -> None:
    kept = desk.keys_path.read_bytes()
    async with desk.client() as client:
        desk.keys_path.unlink()
        without = await client.get("/v1/model")
        alive = await client.get("/health/live")
        desk.keys_path.write_bytes(kept)
        desk.keys_path.chmod(0o600)
        again = await client.get("/v1/model")
    assert (without.status_code, without.json()["code"]) == (503, "not-ready")
    assert (alive.status_code, again.status_code) == (200, 200)


async def test_every_problem_is_counted_wherever_it_arose(desk: Desk) -> None:
    operator = create_key(desk.keys_path, "operator", ["operator"], now=NOW)
    async with desk.client() as client, desk.client(operator) as watching:
        await client.get("/nowhere")
        await client.delete("/v1/decisions")
        text = (await watching.get("/metrics")).text
    for code in ("not-found", "method-not-allowed"):
        assert f'microloan_problems_total{{code="{code}"}} 1.0' in text


@pytest.mark.parametrize(("days", "seconds", "taken"), [(3, 0, True), (3, 1, False), (0, 0, True)])
def test_an_application_is_dated_back_by_three_days_at_most(
    days: int, seconds: int, taken: bool
) -> None:
    at = NOW - timedelta(days=days, seconds=seconds)
    body = msgspec.json.encode(request_of(0, applied_at=at.isoformat()))
    if taken:
        assert read_request(body, NOW).applied_at == at
        return
    with pytest.raises(Problem) as refused:
        read_request(body, NOW)
    assert [error.code for error in refused.value.errors] == ["too-long-ago"]
