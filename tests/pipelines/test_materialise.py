"""A row made ahead is the row the records give, after a rebuild, a refresh, or a kill."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import apsw
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import MicroloanError
from pipelines import materialise as module
from pipelines.intake.ingest import ingest
from pipelines.materialise import AnotherWriter, Materialised, materialise
from serving.decision.decide import Application
from serving.decision.rows import evidence, finished
from serving.online import Online, current
from serving.records import Records
from tests.pipelines.feeds import credit_code, deliver, feeds

FIRMS = 8
FIRST = date(2024, 8, 1)  # after the last record is known
YESTERDAY = FIRST - timedelta(days=1)
DAYS = 4
FEEDS = feeds(businesses=FIRMS, months=5)


class World:
    """A store of records and an online store beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store, self.online = folder / "store", folder / "online"
        self.deliveries = 0

    def deliver(self, tables: Mapping[str, pl.DataFrame]) -> None:
        self.deliveries += 1
        delivery = deliver(self.folder / f"delivery-{self.deliveries}", tables)
        ingest(delivery, self.store, self.folder / "quarantine", buckets=3)

    def materialise(self, first: date = FIRST, **settings: Any) -> Materialised:
        return materialise(self.store, self.online, first=first, **{"days": DAYS, **settings})

    def misses(self, first: date = FIRST) -> list[tuple[str, date]]:
        """Business and day not made ahead; whatever is must be what the records give."""
        online, records = Online(self.online), Records.open(self.store)
        missed = []
        for business in map(credit_code, range(FIRMS)):
            tables = records.business(business)
            for day in (first + timedelta(days=ahead) for ahead in range(-1, DAYS + 1)):
                told = online.told(business, day)
                if told is None:
                    missed.append((business, day))
                    continue
                application = asked(business, day)
                assert told.snapshot == records.snapshot
                row = finished(application, told.features), told.sources
                assert repr(row) == repr(evidence(application, tables))
        return missed


def asked(business: str, day: date) -> Application:
    return Application(
        application_id="A-1",
        business_id=business,
        revision=0,
        amount=20_000,
        term_months=12,
        purpose="stock",
        repayment="bullet",
        applied_at=datetime(day.year, day.month, day.day, 4, tzinfo=UTC),
    )


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.deliver(FEEDS)
    return made


def about(first: date, *days: int) -> list[date]:
    return [first + timedelta(days=each) for each in days]


def test_every_business_has_the_row_that_its_records_give_on_every_day(world: World) -> None:
    made = world.materialise()

    missed = world.misses()

    assert (made.businesses, made.made, made.rebuilt) == (FIRMS, FIRMS, True)
    assert {day for _, day in missed} == {*about(FIRST, -1, DAYS)}


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 2**32), first=st.dates(date(2024, 2, 1), date(2024, 6, 20)))
def test_a_refresh_after_a_delivery_equals_a_rebuild(
    tmp_path_factory: pytest.TempPathFactory, seed: int, first: date
) -> None:
    """Rows of a few businesses come late, known before, on and after the days that were made."""
    random = Random(seed)
    late_for = random.sample([credit_code(number) for number in range(FIRMS)], 3)
    early, late = {}, {}
    for name, rows in FEEDS.items():
        if "business_id" not in rows.columns:
            early[name] = rows
            continue
        drawn = pl.Series([random.random() < 0.5 for _ in range(rows.height)], dtype=pl.Boolean)
        is_late = drawn & rows["business_id"].is_in(late_for)
        early[name], late[name] = rows.filter(~is_late), rows.filter(is_late)
    world = World(tmp_path_factory.mktemp("world"))
    world.deliver(early)
    world.materialise(first)
    world.deliver({name: rows for name, rows in late.items() if rows.height})
    next_day = first + timedelta(days=random.randint(0, 2))

    refreshed = world.materialise(next_day)

    missed = world.misses(next_day)
    assert not refreshed.rebuilt or refreshed.made == FIRMS
    assert [business for business, day in missed if day == next_day] == []


def test_only_businesses_with_new_records_are_made_anew(world: World) -> None:
    world.materialise()
    changed = FEEDS["tax_grades"].filter(pl.col("business_id") == credit_code(3))
    world.deliver({"tax_grades": changed.with_columns(known_on=YESTERDAY)})

    made = world.materialise()

    assert (made.made, made.rebuilt) == (1, False)
    assert {day for _, day in world.misses()} == {*about(FIRST, -1, DAYS)}


def test_what_becomes_known_after_all_spans_makes_nobody_anew(world: World) -> None:
    world.materialise()
    later = FEEDS["tax_grades"][:2].with_columns(known_on=FIRST + timedelta(days=DAYS))
    world.deliver({"tax_grades": later})

    made = world.materialise()

    assert (made.made, made.rebuilt) == (0, False)
    assert {day for _, day in world.misses()} == {*about(FIRST, -1, DAYS)}


def test_what_becomes_known_within_a_span_ends_it(world: World) -> None:
    world.materialise()
    later = FEEDS["tax_grades"][:1].with_columns(known_on=FIRST + timedelta(days=2))
    world.deliver({"tax_grades": later})

    made = world.materialise()

    assert (made.made, made.rebuilt) == (1, False)
    missed = [day for business, day in world.misses() if business == later["business_id"][0]]
    assert missed == about(FIRST, -1, *range(2, DAYS + 1))


def test_a_bill_of_a_meter_is_news_of_the_business_it_is_linked_to(world: World) -> None:
    world.materialise()
    meter = FEEDS["meters"].filter(pl.col("business_id") == credit_code(5))["meter_id"][0]
    bill = FEEDS["utility_bills"].filter(pl.col("meter_id") == meter)[:1]
    world.deliver({"utility_bills": bill.with_columns(known_on=YESTERDAY, amount_fen=7)})

    made = world.materialise()

    assert (made.made, made.rebuilt) == (1, False)
    world.misses()


def test_nothing_is_made_while_nothing_is_new_and_the_spans_last(world: World) -> None:
    world.materialise()
    assert world.materialise(FIRST + timedelta(days=DAYS - 1)).made == 0


def test_everybody_is_made_anew_when_the_spans_have_ended(world: World) -> None:
    world.materialise()
    made = world.materialise(FIRST + timedelta(days=DAYS))
    assert (made.made, made.rebuilt) == (FIRMS, True)
    world.misses(FIRST + timedelta(days=DAYS))


def test_everybody_is_made_anew_when_nobody_knows_whose_records_changed(world: World) -> None:
    world.materialise()
    world.deliver({"tax_grades": FEEDS["tax_grades"][:1].with_columns(year=2020, known_on=FIRST)})
    for path in (world.store / "news").iterdir():
        path.unlink()
    assert world.materialise().rebuilt
    world.misses()


def test_everybody_is_made_anew_when_the_features_changed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.materialise()
    monkeypatch.setattr(module, "contract", lambda: "1 other features")
    assert world.materialise().rebuilt
    assert Online(world.online).told(credit_code(0), FIRST) is None


class Killed(BaseException):
    """The process ends here."""


def test_a_killed_rebuild_goes_on_at_the_bucket_it_had_reached(world: World) -> None:
    def killed(done: int, _total: int) -> None:
        if done == 2:
            raise Killed

    with pytest.raises(Killed):
        world.materialise(progress=killed)
    assert current(world.online) == ""
    assert Online(world.online).told(credit_code(0), FIRST) is None
    (unfinished,) = world.online.glob("*.db")
    filled = apsw.Connection(str(unfinished)).execute("SELECT count(*) FROM filled").get

    made = world.materialise()

    assert filled == 2
    assert (made.businesses, made.path) == (FIRMS, str(unfinished))
    world.misses()


def test_a_killed_refresh_leaves_what_was_there(world: World) -> None:
    world.materialise()
    before = Online(world.online).snapshot
    late = FEEDS["tax_grades"][:3].with_columns(pl.lit(YESTERDAY).alias("known_on"))
    world.deliver({"tax_grades": late})

    def killed(_done: int, _total: int) -> None:
        raise Killed

    with pytest.raises(Killed):
        world.materialise(progress=killed)
    assert Online(world.online).snapshot == before
    assert world.materialise().made == 3
    world.misses()


def test_a_reader_sees_a_refresh_at_once_and_turns_to_a_rebuild(world: World) -> None:
    world.materialise()
    online = Online(world.online)
    late = FEEDS["tax_grades"][:1].with_columns(pl.lit(YESTERDAY).alias("known_on"))
    world.deliver({"tax_grades": late})
    business = late["business_id"][0]

    refreshed = world.materialise()
    assert online.told(business, FIRST).snapshot == refreshed.snapshot  # type: ignore[union-attr]
    assert not online.refresh()

    tomorrow = FIRST + timedelta(days=DAYS)
    world.materialise(tomorrow)
    assert online.told(business, tomorrow) is None
    assert online.refresh()
    assert online.told(business, tomorrow) is not None


def test_a_damaged_file_is_left_alone_and_nothing_is_told(world: World) -> None:
    Path(world.materialise().path).write_bytes(b"\0" * 4096)
    assert Online(world.online).told(credit_code(0), FIRST) is None


def test_two_processes_do_not_write_at_once(world: World) -> None:
    def again(_done: int, _total: int) -> None:
        world.materialise()

    with pytest.raises(AnotherWriter, match="Another process materialises"):
        world.materialise(progress=again)


def test_a_span_of_no_day_is_refused(world: World) -> None:
    with pytest.raises(MicroloanError, match="days is 0"):
        world.materialise(days=0)
