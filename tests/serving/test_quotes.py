"""A quote is what a decision would be, and leaves no trace."""

import json

import httpx
import msgspec
import pytest

from serving.decision.decide import Decision
from serving.desk.quotes import quote
from serving.wire.schemas import Assessment, DecisionRequest, QuoteRequest, answer
from tests.serving.conftest import NOW, SOURCES, Desk, post, request_of
from tests.serving.test_way_to_yes import ASKED, ROWS

pytestmark = pytest.mark.anyio


def asked_of(number: int = 0, **changes: object) -> dict[str, object]:
    body = request_of(number, **changes)
    del body["application_id"]
    return body


async def ask(client: httpx.AsyncClient, body: object) -> httpx.Response:
    return await client.post("/v1/quotes", json=body)


PROMISED = ("product", "amount", "term_months", "repayment", "rate_bp", "instalment")
SAID = {field.name for field in msgspec.structs.fields(Assessment)} - {"decided_at"}


@pytest.mark.parametrize("amount", [20_000, 150_000, 900_000])
async def test_a_quote_is_what_the_decision_then_is(desk: Desk, amount: int) -> None:
    async with desk.client() as client:
        quoted = await ask(client, asked_of(3, amount=amount))
        decided = await post(client, request_of(3, amount=amount))
    assert quoted.status_code == 200
    assert {name: quoted.json()[name] for name in SAID} == {
        name: decided.json()[name] for name in SAID
    }


async def test_a_quote_leaves_no_entry_and_counts_as_no_trial(desk: Desk) -> None:
    async with desk.client() as client:
        for amount in range(20_000, 80_000, 10_000):
            await ask(client, asked_of(0, amount=amount))
        decided = (await post(client, request_of(0))).json()
    assert decided["trials"] == []
    assert desk.service.journal.size == 1


async def test_every_way_to_yes_of_an_answer_submitted_gets_what_it_promised(desk: Desk) -> None:
    kept = 0
    async with desk.client() as client:
        for number in range(20):
            refused = await post(client, request_of(number, amount=400_000), f"k-{number:016}")
            for way in refused.json()["ways_to_yes"]:
                terms = {name: way[name] for name in ("amount", "term_months", "repayment")}
                body = asked_of(number, **terms, guaranteed=way["guaranteed"])
                again = (await ask(client, {**body, "actions": way["actions"]})).json()
                assert again["outcome"] == "approve"
                promised = {name: way[name] for name in PROMISED}
                offered = [{name: o[name] for name in PROMISED} for o in again["offers"]]
                assert promised in offered
                kept += 1
    assert kept >= 5


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"actions": ["change_age"]}, "/actions"),
        ({"features": {"business_age_months": 99}}, ""),
        ({"business_id": "91330502MA00012370"}, "/business_id"),
        ({"amount": 0}, "/amount"),
    ],
)
async def test_only_the_request_and_actions_of_the_policy_may_move(
    desk: Desk, changes: dict[str, object], pointer: str
) -> None:
    async with desk.client() as client:
        refused = await ask(client, {**asked_of(0), **changes})
    assert refused.status_code == 422
    assert [error["pointer"] for error in refused.json()["errors"]] == [pointer]


def said(decision: Decision) -> dict[str, object]:
    return {
        name: value for name, value in json.loads(answer(decision, "store")).items() if name in SAID
    }


def test_an_action_moves_its_feature_and_nothing_that_is_unknown(bundle: object) -> None:
    row = {**ROWS[0], "tax_arrears": 900.0}
    paid = quote(bundle, ASKED, row, SOURCES, NOW, actions=["pay_tax_arrears"])  # type: ignore[arg-type]
    clear = quote(bundle, ASKED, {**row, "tax_arrears": 0.0}, SOURCES, NOW)  # type: ignore[arg-type]
    assert said(paid) == said(clear)
    unknown = {**row, "tax_arrears": None}
    assert said(
        quote(bundle, ASKED, unknown, SOURCES, NOW, actions=["pay_tax_arrears"])  # type: ignore[arg-type]
    ) == said(quote(bundle, ASKED, unknown, SOURCES, NOW))  # type: ignore[arg-type]


def test_a_quote_asks_for_what_a_decision_asks_for() -> None:
    quoted = {field.name for field in msgspec.structs.fields(QuoteRequest)}
    decided = {field.name for field in msgspec.structs.fields(DecisionRequest)}
    assert quoted - decided == {"actions"}
    assert decided - quoted == {"application_id"}
