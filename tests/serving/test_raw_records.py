"""Records sent with a request are decided on as those of the store would be."""

from typing import Any

import httpx
import msgspec
import pytest

from serving.desk.replay import Record, replay
from serving.wire.raw_records import SENT
from tests.pipelines.feeds import credit_code
from tests.serving.conftest import Desk, post, request_of

pytestmark = pytest.mark.anyio


def sent(desk: Desk, number: int) -> dict[str, list[dict[str, Any]]]:
    """What the store holds of a business, as a caller would send it."""
    known = desk.service.records.business(credit_code(number))
    hidden = {table.name: {"business_id", *table.sensitive} for table in SENT}
    return {
        name: msgspec.to_builtins(rows.drop(hidden[name], strict=False).to_dicts())
        for name, rows in known.items()
        if name in hidden
    }


def record_of(desk: Desk, decision: dict[str, Any]) -> Record:
    stored = desk.service.journal.by_decision(decision["decision_id"])
    assert stored
    return msgspec.json.decode(stored.record, type=Record)


async def not_taken_up(client: httpx.AsyncClient, decision: dict[str, Any]) -> None:
    if decision["outcome"] == "approve":
        told = {"decision_id": decision["decision_id"], "as_of": "2024-07-22"}
        headers = {"idempotency-key": f"not-taken-up-{decision['application_id']}"}
        body = told | {"state": "not_taken_up"}
        assert (await client.post("/v1/outcomes", json=body, headers=headers)).status_code == 201


@pytest.mark.parametrize("number", [0, 7, 23, 41])
async def test_the_same_records_decide_the_same_wherever_they_come_from(
    desk: Desk, number: int
) -> None:
    async with desk.client() as client:
        kept = await post(client, request_of(number))
        name = {"application_id": f"B-{number}", "records": sent(desk, number)}
        await not_taken_up(client, kept.json())  # an open approval would come off the limit
        given = await post(client, request_of(number, **name), key="key-0000000000000002")
    assert (kept.status_code, given.status_code) == (201, 201), given.text
    own = {"decision_id", "application_id", "features_from"}
    assert (kept.json()["features_from"], given.json()["features_from"]) == ("store", "request")
    for field in kept.json().keys() - own:
        assert given.json()[field] == kept.json()[field], field
    one, other = record_of(desk, kept.json()), record_of(desk, given.json())
    assert one.row == other.row, "to the last bit"
    assert one.sources == other.sources


async def test_a_record_known_after_the_application_changes_nothing(desk: Desk) -> None:
    records = sent(desk, 3)
    later = {"year": 2020, "grade": "D", "known_on": "2024-07-23"}
    async with desk.client() as client:
        plain = await client.post("/v1/quotes", json=quote_of(3, records))
        records["tax_grades"].append(later)
        bombed = await client.post("/v1/quotes", json=quote_of(3, records))
        records["tax_grades"][-1] = later | {"known_on": "2024-07-20"}
        seen = await client.post("/v1/quotes", json=quote_of(3, records))
    assert plain.status_code == bombed.status_code == seen.status_code == 200, plain.text
    assert plain.content == bombed.content
    assert seen.json()["probability_of_default"] != 0


async def test_a_decision_on_records_that_were_sent_is_replayed_byte_for_byte(desk: Desk) -> None:
    async with desk.client() as client:
        made = await post(client, request_of(5, records=sent(desk, 5)))
    stored = desk.service.journal.by_decision(made.json()["decision_id"])
    assert stored
    assert replay(stored.record, desk.service.champion.bundle)[1] == made.content


async def test_without_a_record_every_department_is_missing(desk: Desk) -> None:
    async with desk.client() as client:
        answer = await client.post("/v1/quotes", json=quote_of(3, {}))
    assert answer.json()["outcome"] == "refer"
    assert set(answer.json()["features_as_of"].values()) == {None}


@pytest.mark.parametrize(
    ("table", "row", "pointer", "code"),
    [
        ("tax_grades", {"year": 2023, "grade": "Z", "known_on": "2024-04-01"}, "/0/grade",
         "not-allowed"),
        ("tax_grades", {"year": "2023", "grade": "A", "known_on": "2024-04-01"}, "/0/year", "type"),
        ("tax_grades", {"year": 2023, "grade": "A"}, "/0/known_on", "required"),
        ("tax_grades", {"year": 2023, "grade": "A", "known_on": "1 April"}, "/0/known_on", "date"),
        ("tax_grades", {"year": 9, "grade": "A", "known_on": "2024-04-01"}, "/0", "year|min"),
        ("nonsense", {}, "", "unknown-field"),
    ],
)  # fmt: skip
async def test_a_broken_row_is_named_by_its_place_and_its_rule(
    desk: Desk, table: str, row: dict[str, Any], pointer: str, code: str
) -> None:
    where = f"/records/{table}{pointer}" if pointer else "/records"
    async with desk.client() as client:
        answer = await client.post("/v1/quotes", json=quote_of(3, {table: [row]}))
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"pointer": where, "code": code}]


async def test_what_no_feature_may_see_cannot_be_sent(desk: Desk) -> None:
    records = sent(desk, 3)
    records["registrations"][0]["owner_sex"] = "female"
    async with desk.client() as client:
        answer = await client.post("/v1/quotes", json=quote_of(3, records))
    assert answer.json()["errors"][0]["code"] == "unknown-field"


async def test_a_table_that_is_sent_empty_says_that_nothing_happened(desk: Desk) -> None:
    async with desk.client() as client:
        unknown = await post(client, request_of(3, records={}))
        nothing = request_of(3, application_id="B-3", records={"repayments": []})
        known = await post(client, nothing, key="key-0000000000000002")
    assert record_of(desk, unknown.json()).row["balance_owed"] is None
    assert record_of(desk, known.json()).row["balance_owed"] == 0


async def test_two_rows_of_one_key_and_version_are_refused(desk: Desk) -> None:
    row = {"year": 2023, "grade": "A", "known_on": "2024-04-01"}
    async with desk.client() as client:
        answer = await client.post("/v1/quotes", json=quote_of(3, {"tax_grades": [row, row]}))
    assert {each["pointer"] for each in answer.json()["errors"]} == {
        "/records/tax_grades/0",
        "/records/tax_grades/1",
    }


def quote_of(number: int, records: dict[str, Any]) -> dict[str, Any]:
    asked = request_of(number, records=records)
    del asked["application_id"]
    return asked
