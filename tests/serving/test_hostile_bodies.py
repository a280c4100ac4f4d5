"""Bodies that must be refused, with the field and the rule named and nothing echoed."""

import json

import pytest

from serving.journal.entries import decision_id_of
from tests.serving.conftest import Desk, post, request_of

pytestmark = pytest.mark.anyio


def _with(field: str, literal: str) -> bytes:
    """A valid request in which one field's value is replaced by raw JSON text."""
    body = {name: json.dumps(value) for name, value in request_of(0).items()} | {field: literal}
    return ("{" + ",".join(f'"{name}":{value}' for name, value in body.items()) + "}").encode()


VALUES = [
    "NaN", "Infinity", "-Infinity", "1e999", "-0", "0", "-1", "1.5", "1.0", "1e5", "true", "null",
    '"20000"', "[]", "{}", "9" * 400, "9" * 10_000, "1e308", "5e-324", "1000000001", "0x10", "01",
    "+1", ".5", "1_000", "١٢",
]  # fmt: skip
STRINGS = [
    "null", "1", '""', '" A"', '"a b"', '"' + "x" * 65 + '"', '"\\u0000"', '"\\ud800"',
    '"\\u202e"', '"Ａ-1"', '"a\\nb"', '"../../etc/passwd"', '"\x00"', '["A"]',
]  # fmt: skip
CODES = [
    '"91330502MA2B4H3X0X"', '"91330502ma00000000"', '"1"', '"' + "9" * 18 + '"', "null",
    '"９１３３０５０２ＭＡ００００００１"', '"91330502MA000000\\u200b1"',
]  # fmt: skip
MOMENTS = [
    '"2024-07-01"', '"2024-07-01T00:00:00"', '"yesterday"', "1720000000", '"2999-01-01T00:00:00Z"',
    '"1999-12-31T23:59:59Z"', '"0001-01-01T00:00:00+14:00"', '"9999-12-31T23:59:59-14:00"',
    '"2024-13-01T00:00:00Z"',
]  # fmt: skip
VALID = json.dumps(request_of(0)).encode()
WHOLE = [
    b"", b" ", b"null", b"[]", b"1", b'"x"', b"{}", b"{", VALID[:-1], VALID + b"x", VALID + VALID,
    b"\xef\xbb\xbf" + VALID, b"\xff\xfe" + VALID, VALID.decode().encode("utf-16"),
    b'{"\xff":1}', b"[" * 60_000, b'{"a":' * 10_000, VALID[:-1] + b',"amount":1}',
    VALID[:-1] + b',"extra":1}', VALID[:-1] + b',"outcome":"approve"}',
    VALID[:-1] + b',"revision":1}', VALID[:-1] + b',"AMOUNT":1}', VALID.replace(b'"', b"'"),
    VALID[:-1] + b",}", b"/**/" + VALID, b"\x00" * 1000,
    _with("amount", "-1").replace(b"A-000000", b"A-\x9c"),
]  # fmt: skip
BODIES = [
    *[_with("amount", value) for value in VALUES],
    *[_with("term_months", value) for value in ("0", "121", "12.5", '"12"', "NaN")],
    *[_with("application_id", value) for value in STRINGS],
    *[_with("business_id", value) for value in CODES],
    *[_with("purpose", value) for value in ('"STOCK"', '"property"', "null", "1")],
    *[_with("repayment", value) for value in ('"Bullet"', "null", "[]")],
    *[_with("applied_at", value) for value in MOMENTS],
    *WHOLE,
]


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
async def test_a_hostile_body_is_refused_and_decides_nothing(desk: Desk, body: bytes) -> None:
    async with desk.client() as client:
        answer = await post(client, body)
    assert answer.status_code in (400, 422), answer.text
    document = answer.json()
    assert document["code"] in ("malformed-json", "validation-failed")
    assert document["decided"] is False
    assert desk.service.journal.by_decision(decision_id_of("bank", "A-000000", 0)) is None


SECRET = "zzzconfidentialzzz"
PLACES = [
    _with("purpose", f'"{SECRET}"'),
    _with("application_id", f'"{SECRET} {SECRET}"'),
    _with("applied_at", f'"{SECRET}"'),
    VALID[:-1] + f',"{SECRET}":1}}'.encode(),
    VALID[:-1] + f',"{SECRET}":1,"{SECRET}":1}}'.encode(),
]


@pytest.mark.parametrize("body", PLACES)
async def test_no_problem_repeats_what_the_caller_sent(desk: Desk, body: bytes) -> None:
    async with desk.client() as client:
        answer = await post(client, body)
    assert answer.status_code == 422
    assert SECRET not in answer.text


@pytest.mark.parametrize(
    ("field", "literal", "code"),
    [
        ("amount", "0", "too-small"),
        ("amount", "1.5", "type"),
        ("amount", "1000000001", "too-large"),
        ("purpose", '"land"', "not-allowed"),
        ("business_id", '"91330502MA2B4H3X0X"', "check-digit"),
        ("applied_at", '"2024-07-01T00:00:00"', "time-zone-required"),
        ("applied_at", '"2023-02-01T00:00:00Z"', "too-long-ago"),
        ("applied_at", '"2024-07-23T00:00:00Z"', "in-the-future"),
        ("application_id", '"a b"', "pattern"),
    ],
)
async def test_a_problem_names_the_field_and_the_rule(
    desk: Desk, field: str, literal: str, code: str
) -> None:
    async with desk.client() as client:
        answer = await post(client, _with(field, literal))
    assert answer.json()["errors"] == [{"pointer": f"/{field}", "code": code}]


async def test_all_broken_fields_are_named_at_once(desk: Desk) -> None:
    body = request_of(0, amount=0, term_months="12", purpose="land", extra=1)
    body["applied_at"] = "2999-01-01T00:00:00Z"
    del body["business_id"]
    async with desk.client() as client:
        answer = await post(client, body)
    assert {(error["pointer"], error["code"]) for error in answer.json()["errors"]} == {
        ("/business_id", "required"),
        ("/amount", "too-small"),
        ("/term_months", "type"),
        ("/purpose", "not-allowed"),
        ("/applied_at", "in-the-future"),
        ("", "unknown-field"),
    }


async def test_a_missing_field_is_named(desk: Desk) -> None:
    body = request_of(0)
    del body["amount"]
    async with desk.client() as client:
        answer = await post(client, body)
    assert answer.json()["errors"] == [{"pointer": "/amount", "code": "required"}]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({"content-type": "multipart/form-data; boundary=x"}, 415),
        ({"content-type": "application/json", "content-encoding": "gzip"}, 415),
        ({"content-type": "application/json", "x-long": "x" * 17_000}, 431),
    ],
)
async def test_other_media_and_large_headers_are_refused(
    desk: Desk, headers: dict[str, str], status: int
) -> None:
    key = {"idempotency-key": "key-0000000000000001"}
    async with desk.client() as client:
        answer = await client.post("/v1/decisions", content=VALID, headers=headers | key)
    assert answer.status_code == status


@pytest.mark.parametrize("is_chunked", [False, True])
@pytest.mark.parametrize(
    ("path", "most"), [("/v1/decisions", 512), ("/v1/quotes", 512), ("/v1/outcomes", 64)]
)
async def test_a_body_above_its_most_is_refused(
    desk: Desk, path: str, most: int, is_chunked: bool
) -> None:
    async def chunks() -> object:
        for _ in range(most + 16):
            yield b" " * 1024

    content = chunks() if is_chunked else b" " * (most * 1024 + 1)
    headers = {"idempotency-key": "key-0000000000000001", "content-type": "application/json"}
    async with desk.client() as client:
        answer = await client.post(path, content=content, headers=headers)  # type: ignore[arg-type]
    assert (answer.status_code, answer.json()["code"]) == (413, "payload-too-large")
