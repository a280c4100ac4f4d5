"""Rows made ahead decide as the records do; without them the records decide all the same."""

import asyncio
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from pipelines.intake.ingest import ingest
from pipelines.materialise import materialise
from serving.web.keys import create_key
from tests.pipelines.feeds import credit_code, deliver, feeds
from tests.serving.conftest import NOW, Desk, post, request_of

pytestmark = pytest.mark.anyio

TODAY = date(2024, 7, 22)  # of the tests' clock
GRADES = feeds(businesses=60)["tax_grades"]


@pytest.fixture
def own_store(tmp_path: Path, store: Path) -> Path:
    """A store that the test may change."""
    return Path(shutil.copytree(store, tmp_path / "store"))


@pytest.fixture
def online(tmp_path: Path, own_store: Path) -> Path:
    materialise(own_store, tmp_path / "online", first=TODAY)
    return tmp_path / "online"


def deliver_grade(folder: Path, store: Path, number: int) -> None:
    grade = GRADES.filter(pl.col("business_id") == credit_code(number))
    delivery = deliver(folder / "late", {"tax_grades": grade.with_columns(known_on=TODAY)})
    ingest(delivery, store, folder / "quarantine")


async def answers(desk: Desk, *numbers: int) -> list[bytes]:
    async with desk.client() as client:
        return [
            (await post(client, request_of(number), f"key-00000000000000{number:02}")).content
            for number in numbers
        ]


async def test_the_answer_is_the_same_byte_for_byte(
    tmp_path: Path, open_desk: Callable[..., Desk], own_store: Path, online: Path
) -> None:
    desk = open_desk(store=own_store, online=online)
    made_ahead = await answers(desk, *range(12))
    assert desk.service.rows_from == {"online": 12, "records": 0, "request": 0}
    desk.service.close()
    for path in tmp_path.glob("journal.db*"):
        path.unlink()

    desk = open_desk(store=own_store)

    assert await answers(desk, *range(12)) == made_ahead
    assert desk.service.rows_from == {"online": 0, "records": 12, "request": 0}


async def test_while_the_records_are_newer_they_are_asked_themselves(
    tmp_path: Path, open_desk: Callable[..., Desk], own_store: Path, online: Path
) -> None:
    desk = open_desk(store=own_store, online=online)
    deliver_grade(tmp_path, own_store, 1)

    desk.service.refresh()
    await answers(desk, 0, 1)
    assert desk.service.rows_from == {"online": 0, "records": 2, "request": 0}

    materialise(own_store, online, first=TODAY)
    await answers(desk, 2, 3)
    assert desk.service.rows_from == {"online": 2, "records": 2, "request": 0}


async def test_a_store_that_is_made_anew_is_turned_to_without_a_refused_request(
    tmp_path: Path, open_desk: Callable[..., Desk], own_store: Path
) -> None:
    desk = open_desk(store=own_store, online=tmp_path / "online")
    making = asyncio.to_thread(materialise, own_store, tmp_path / "online", first=TODAY)

    _, early = await asyncio.gather(making, answers(desk, *range(8)))
    desk.service.refresh()
    late = await answers(desk, *range(8, 12))

    assert all(b'"outcome"' in answer for answer in (*early, *late))
    assert desk.service.rows_from == {"online": 4, "records": 8, "request": 0}


async def test_another_day_is_asked_of_the_records(
    open_desk: Callable[..., Desk], own_store: Path, online: Path
) -> None:
    desk = open_desk(store=own_store, online=online)
    async with desk.client() as client:
        await post(client, request_of(0, applied_at="2024-05-20T10:00:00+08:00"))
    assert desk.service.rows_from == {"online": 0, "records": 1, "request": 0}


async def test_where_rows_came_from_is_counted(
    open_desk: Callable[..., Desk], own_store: Path, online: Path
) -> None:
    desk = open_desk(store=own_store, online=online)
    await answers(desk, 0, 1, 2)
    auditor = create_key(desk.keys_path, "auditor", ["auditor"], now=NOW)
    async with desk.client(auditor) as client:
        told = (await client.get("/metrics")).text
    assert 'microloan_feature_rows_total{source="online"} 3.0' in told
    assert 'microloan_feature_rows_total{source="records"} 0.0' in told
