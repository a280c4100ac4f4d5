"""A row made ahead is the row the records give, after a rebuild, a refresh, or a kill."""

import shutil
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
from pipelines.alone import AnotherWriter
from pipelines.intake.ingest import ingest
from pipelines.materialise import Materialised, materialise
from serving.decision.decide import Application
from serving.decision.rows import evidence, finished
from serving.online import Online, current
from serving.records import Records, share_of
from tests.pipelines.feeds import credit_code, deliver, feeds

FIRMS = 8
FIRST = date(2024, 8, 1)  # after the last record is known
YESTERDAY = FIRST - timedelta(days=1)
DAYS = 4
BUCKETS = 3
NAMES = [credit_code(number) for number in range(FIRMS)]
FEEDS = feeds(businesses=FIRMS, months=5)


class World:
    """A store of records and an online store beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store, self.online = folder / "store", folder / "online"
        self.deliveries = len(list(folder.glob("delivery-*")))

    def deliver(self, tables: Mapping[str, pl.DataFrame]) -> None:
        self.deliveries += 1
        delivery = deliver(self.folder / f"delivery-{self.deliveries}", tables)
        ingest(delivery, self.store, self.folder / "quarantine", buckets=BUCKETS)

    def materialise(self, first: date = FIRST, **settings: Any) -> Materialised:
        return materialise(self.store, self.online, first=first, **{"days": DAYS, **settings})

    def told(self, first: date = FIRST) -> dict[str, list[int]]:
        """Days ahead of ``first`` that are told of each business, each as the records give it."""
        online, records = Online(self.online), Records.open(self.store)
        found: dict[str, list[int]] = {business: [] for business in NAMES}
        for business, days in found.items():
            tables = records.business(business)
            for ahead in range(-1, DAYS + 1):
                day = first + timedelta(days=ahead)
                told = online.told(business, day)
                if told is not None:
                    application = asked(business, day)
                    assert told.snapshot == records.snapshot
                    row = finished(application, told.features), told.sources
                    assert repr(row) == repr(evidence(application, tables))
                    days.append(ahead)
        return found


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


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a world whose feeds were delivered."""
    made = World(tmp_path_factory.mktemp("ingested"))
    made.deliver(FEEDS)
    return made.folder


@pytest.fixture
def world(tmp_path: Path, ingested: Path) -> World:
    shutil.copytree(ingested, tmp_path, dirs_exist_ok=True)
    return World(tmp_path)


def days_to_its_turn(business: str) -> int:
    return DAYS - (FIRST.toordinal() + share_of(business, BUCKETS, DAYS)) % DAYS


IN_TURN = {business: list(range(days_to_its_turn(business))) for business in NAMES}


def test_every_business_has_the_row_that_its_records_give_until_its_turn(world: World) -> None:
    made = world.materialise()
    assert (made.businesses, made.made, made.rebuilt) == (FIRMS, FIRMS, True)
    assert world.told() == IN_TURN
    assert {len(days) for days in IN_TURN.values()} == {*range(1, DAYS + 1)}


def test_everybodys_turn_comes_once_in_so_many_days_and_nobody_is_ever_without_a_row(
    world: World,
) -> None:
    world.materialise()
    made = []
    for ahead in range(1, DAYS + 1):
        today = FIRST + timedelta(days=ahead)
        done = world.materialise(today)
        assert not done.rebuilt
        made.append(done.made)
        assert all(0 in days for days in world.told(today).values())
    assert sum(made) == FIRMS
    assert made == [list(map(len, IN_TURN.values())).count(ahead) for ahead in range(1, DAYS + 1)]


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 2**32), first=st.dates(date(2024, 2, 1), date(2024, 6, 20)))
def test_a_refresh_after_a_delivery_equals_a_rebuild(
    tmp_path_factory: pytest.TempPathFactory, seed: int, first: date
) -> None:
    """Rows of a few businesses come late, known before, on and after the days that were made."""
    random = Random(seed)
    late_for = random.sample(NAMES, 3)
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

    assert not refreshed.rebuilt or refreshed.made == FIRMS
    assert all(0 in days for days in world.told(next_day).values())


def test_only_businesses_with_new_records_are_made_anew(world: World) -> None:
    world.materialise()
    changed = FEEDS["tax_grades"].filter(pl.col("business_id") == credit_code(3))
    world.deliver({"tax_grades": changed.with_columns(known_on=YESTERDAY)})

    made = world.materialise()

    assert (made.made, made.rebuilt) == (1, False)
    assert world.told() == IN_TURN


def test_what_becomes_known_after_all_spans_makes_nobody_anew(world: World) -> None:
    world.materialise()
    later = FEEDS["tax_grades"][:2].with_columns(known_on=FIRST + timedelta(days=DAYS))
    world.deliver({"tax_grades": later})

    made = world.materialise()

    assert (made.made, made.rebuilt) == (0, False)
    assert world.told() == IN_TURN


def test_what_becomes_known_within_a_span_ends_it(world: World) -> None:
    world.materialise()
    business = next(name for name, days in IN_TURN.items() if len(days) > 2)
    later = FEEDS["tax_grades"].filter(pl.col("business_id") == business)
    world.deliver({"tax_grades": later.with_columns(known_on=FIRST + timedelta(days=2))})

    made = world.materialise()

    assert (made.made, made.rebuilt) == (1, False)
    assert world.told() == {**IN_TURN, business: [0, 1]}


def test_a_bill_of_a_meter_is_news_of_the_business_it_is_linked_to(world: World) -> None:
    world.materialise()
    meter = FEEDS["meters"].filter(pl.col("business_id") == credit_code(5))["meter_id"][0]
    bill = FEEDS["utility_bills"].filter(pl.col("meter_id") == meter)[:1]
    world.deliver({"utility_bills": bill.with_columns(known_on=YESTERDAY, amount_fen=7)})

    made = world.materialise()

    assert (made.made, made.rebuilt) == (1, False)
    world.told()


def test_nothing_is_made_while_nothing_is_new_and_the_spans_last(world: World) -> None:
    world.materialise()
    assert world.materialise().made == 0


def test_everybody_is_made_anew_when_the_spans_have_ended(world: World) -> None:
    world.materialise()
    made = world.materialise(FIRST + timedelta(days=DAYS))
    assert (made.made, made.rebuilt) == (FIRMS, True)
    assert world.told(FIRST + timedelta(days=DAYS)) == IN_TURN


def test_everybody_is_made_anew_when_nobody_knows_whose_records_changed(world: World) -> None:
    world.materialise()
    world.deliver({"tax_grades": FEEDS["tax_grades"][:1].with_columns(year=2020, known_on=FIRST)})
    for path in (world.store / "news").iterdir():
        path.unlink()
    assert world.materialise().rebuilt
    world.told()


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
    world.told()


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
    world.told()


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

    with pytest.raises(AnotherWriter, match="Another process is materialising"):
        world.materialise(progress=again)


def test_a_span_of_no_day_is_refused(world: World) -> None:
    with pytest.raises(MicroloanError, match="days is 0"):
        world.materialise(days=0)
