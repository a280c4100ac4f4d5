"""A decision that does not come out as recorded is told, with the fields that differ."""

from pathlib import Path

import msgspec
import pytest

from models import Scorer
from serving.desk.audit import recompute
from serving.desk.replay import Record
from serving.journal.entries import Stored
from serving.journal.reading import entries
from tests.serving.conftest import GATE_KEYS, Desk, post, publish_in, request_of

pytestmark = pytest.mark.anyio


@pytest.fixture
async def recorded(desk: Desk) -> list[Stored]:
    """Four recorded decisions, one of them after a changed trial."""
    async with desk.client() as client:
        for number in range(3):
            await post(client, request_of(number), key=f"key-{number:016d}")
        trial = request_of(0, application_id="T-1", amount=10_000)
        await post(client, trial, key="key-of-the-trial-1")
    desk.service.close()
    return list(entries(desk.journal_at))


def _changed(stored: Stored, **fields: object) -> Stored:
    record = msgspec.json.decode(stored.record, type=Record)
    changed = msgspec.structs.replace(
        record, decision=msgspec.structs.replace(record.decision, **fields)
    )
    return msgspec.structs.replace(stored, record=msgspec.json.encode(changed))


async def test_recorded_decisions_come_out_byte_for_byte(
    recorded: list[Stored], bundles: Path
) -> None:
    assert not any(made.differs for made in recompute(recorded, bundles, GATE_KEYS))


async def test_the_fields_that_differ_are_named(recorded: list[Stored], bundles: Path) -> None:
    first, second, third, trial = recorded
    spoilt = [
        _changed(first, grade="E", limit=7),
        msgspec.structs.replace(
            second, response=second.response.replace(b'"score":', b'"score":1')
        ),
        msgspec.structs.replace(third, response=third.response + b" "),
        trial,
    ]
    made = list(recompute(spoilt, bundles, GATE_KEYS))
    assert [each.differing for each in made] == [
        ("grade", "limit"),
        ("score",),
        ("the bytes of the answer",),
        (),
    ]
    assert str(made[0]).endswith("(entry 1): other grade, limit")


async def test_a_replaced_champion_stays_findable(
    recorded: list[Stored], scorer: Scorer, tmp_path: Path
) -> None:
    other = tmp_path / "bundles"
    older = {msgspec.json.decode(stored.record)["bundle_id"] for stored in recorded}
    publish_in(other, scorer)
    newer = publish_in(other, scorer, version="2")
    assert newer.name not in older
    assert not any(made.differs for made in recompute(recorded, other, GATE_KEYS))
