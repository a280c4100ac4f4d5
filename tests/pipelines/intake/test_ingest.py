"""Deliveries go in whole or not at all, every row is counted, and the order does not matter."""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import MicroloanError
from features.tables import FEEDS, LINKED_BILLS
from pipelines.intake.feed import Counts
from pipelines.intake.ingest import IngestSummary, TooManyBroken, ingest
from pipelines.intake.quarantine import read_quarantine
from pipelines.intake.store import writing
from serving.records import MANIFEST, Records, bucket_of
from tests.pipelines.feeds import credit_code, deliver, feeds, write

FEED = feeds(businesses=5, months=4)


def take(folder: Path, delivery: Path, **options: Any) -> IngestSummary:
    """Ingest into the store and quarantine of a folder."""
    return ingest(delivery, folder / "store", folder / "quarantine", **options)


def manifest(folder: Path) -> bytes:
    """The bytes that name everything in the store."""
    return (folder / "store" / MANIFEST).read_bytes()


def test_what_is_delivered_can_be_read(tmp_path: Path) -> None:
    summary = take(tmp_path, deliver(tmp_path / "feeds", FEED))

    records = Records.open(tmp_path / "store")
    for name, rows in FEED.items():
        order = FEEDS[name].schema.primary_key()
        assert records.table(name).sort(order).equals(rows.sort(order))
        assert summary.tables[name] == Counts(rows.height, rows.height, 0, 0)
    assert summary.snapshot == records.snapshot


def test_linked_bills_follow_from_meters_and_bills(tmp_path: Path) -> None:
    take(tmp_path, deliver(tmp_path / "feeds", FEED))

    linked = Records.open(tmp_path / "store").table("linked_bills")
    owners = FEED["meters"].select("meter_id", "business_id", "service")
    expected = FEED["utility_bills"].join(owners, on="meter_id")
    columns = expected.columns
    assert linked.select(columns).sort(columns).equals(expected.sort(columns))
    LINKED_BILLS.schema.validate(linked)


def test_a_second_run_changes_nothing_and_counts_every_row_as_a_duplicate(tmp_path: Path) -> None:
    delivery = deliver(tmp_path / "feeds", FEED)
    first = take(tmp_path, delivery)
    before = manifest(tmp_path)

    second = take(tmp_path, delivery)

    assert manifest(tmp_path) == before
    assert (first.changed, second.changed) == (True, False)
    assert second.total == Counts(first.total.delivered, 0, first.total.delivered, 0)


def parquet_backwards(folder: Path) -> None:
    for name, rows in FEED.items():
        write(folder / f"{name}.parquet", rows.reverse())


def csv_in_shuffled_parts(folder: Path) -> None:
    for name, rows in FEED.items():
        shuffled = rows.sample(fraction=1, shuffle=True, seed=1)
        write(folder / name / "b.csv", shuffled[: rows.height // 2])
        write(folder / name / "a.csv", shuffled[rows.height // 2 :])


def text_only_parquet(folder: Path) -> None:
    for name, rows in FEED.items():
        moments = pl.selectors.datetime().dt.to_string("%Y-%m-%d %H:%M:%S%:z")
        write(folder / f"{name}.parquet", rows.with_columns(moments).cast(pl.String))


@pytest.mark.parametrize("other", [parquet_backwards, csv_in_shuffled_parts, text_only_parquet])
def test_the_same_rows_in_any_order_and_format_give_the_same_store(
    tmp_path: Path, other: Callable[[Path], None]
) -> None:
    take(tmp_path / "one", deliver(tmp_path / "feeds", FEED))
    other(tmp_path / "others")

    take(tmp_path / "two", tmp_path / "others")

    assert manifest(tmp_path / "one") == manifest(tmp_path / "two")


def test_a_feed_in_two_deliveries_gives_the_same_store_as_in_one(tmp_path: Path) -> None:
    take(tmp_path / "one", deliver(tmp_path / "feeds", FEED))
    for number, part in enumerate((slice(None, None, 2), slice(1, None, 2))):
        halves = {name: rows[part] for name, rows in FEED.items()}
        take(tmp_path / "two", deliver(tmp_path / f"half-{number}", halves))

    assert manifest(tmp_path / "one") == manifest(tmp_path / "two")


def test_a_restatement_is_a_row_of_its_own(tmp_path: Path) -> None:
    returns = FEED["tax_returns"]
    amended = returns[:1].with_columns(
        amendment=pl.lit(1, pl.Int64), sales_fen=pl.lit(7, pl.Int64), known_on=date(2025, 1, 5)
    )
    take(tmp_path, deliver(tmp_path / "first", {"tax_returns": returns}))
    take(tmp_path, deliver(tmp_path / "second", {"tax_returns": amended}))

    business = Records.open(tmp_path / "store").business(returns["business_id"][0])
    versions = business["tax_returns"].filter(pl.col("period") == returns["period"][0])
    assert versions["sales_fen"].to_list() == [returns["sales_fen"][0], 7]


def test_one_application_of_several_businesses_is_refused_wherever_they_lie(tmp_path: Path) -> None:
    owners = [credit_code(number) for number in (0, 1, 4, 6)]
    assert len({bucket_of(owner, 8) for owner in owners}) == 4
    rows = FEED["applications"][:1]
    claims = [rows.with_columns(business_id=pl.lit(owner)) for owner in owners]
    take(tmp_path, deliver(tmp_path / "first", {"applications": claims[0]}))

    late = take(tmp_path, deliver(tmp_path / "second", {"applications": claims[1]}))
    both = take(tmp_path, deliver(tmp_path / "third", {"applications": pl.concat(claims[2:])}))

    assert late.total == Counts(delivered=1, quarantined=1)
    assert both.total == Counts(delivered=2, quarantined=2)
    assert Records.open(tmp_path / "store").table("applications").equals(claims[0])


SPOILED: dict[str, Callable[[list[str]], list[str]]] = {
    "business_id|credit_code": lambda row: [row[0][:-1] + "?", *row[1:]],
    "business_id|nullability": lambda row: ["", *row[1:]],
    "tax|is_in": lambda row: [row[0], "poll", *row[2:]],
    "period|resolution": lambda row: [*row[:2], row[2][:-1] + "2", *row[3:]],
    "period|type": lambda row: [*row[:2], row[2][:-2] + "00", *row[3:]],
    "months|is_in": lambda row: [*row[:3], "2", *row[4:]],
    "amendment|max": lambda row: [*row[:4], "100", *row[5:]],
    "filed_before_known": lambda row: [*row[:7], "2031-01-01", *row[8:]],
    "figures_only_when_filed": lambda row: [*row[:8], "", *row[9:]],
    "tax_due_fen|min": lambda row: [*row[:9], "-5", *row[10:]],
    "tax_paid_fen|type": lambda row: [*row[:10], "12.5", *row[11:]],
    "row|fields": lambda row: [*row, "?"],
}


@pytest.mark.parametrize("seed", [1, 2])
def test_one_row_in_a_hundred_broken_in_twelve_ways_is_told_row_by_row(
    tmp_path: Path, seed: int
) -> None:
    write(tmp_path / "feeds" / "tax_returns.csv", feeds(120, 10)["tax_returns"])
    path = tmp_path / "feeds" / "tax_returns.csv"
    header, *lines = path.read_text().splitlines()
    spoiled = dict(zip(random.Random(seed).sample(range(len(lines)), 12), SPOILED, strict=True))
    for number, rule in spoiled.items():
        lines[number] = ",".join(SPOILED[rule](lines[number].split(",")))
    path.write_text("\n".join([header, *lines, ""]))

    summary = take(tmp_path, tmp_path / "feeds")

    found = read_quarantine(summary.quarantine["tax_returns"])
    told = {each.row: [broken.rule for broken in each.broken] for each in found}
    assert told == {number + 1: [rule] for number, rule in spoiled.items()}
    assert summary.total == Counts(1200, 1188, 0, 12)
    stored = Records.open(tmp_path / "store").table("tax_returns")
    assert stored.height == 1188


def test_conflicting_rows_are_quarantined_under_the_primary_key(tmp_path: Path) -> None:
    grades = FEED["tax_grades"]
    twin = grades[:1].with_columns(grade=pl.lit("D", grades.schema["grade"]))

    summary = take(tmp_path, deliver(tmp_path / "feeds", {"tax_grades": pl.concat([grades, twin])}))

    found = read_quarantine(summary.quarantine["tax_grades"])
    assert [(each.row, [broken.rule for broken in each.broken]) for each in found] == [
        (1, ["primary_key"]),
        (6, ["primary_key"]),
    ]
    assert found[0].broken[0].column == "business_id, year, known_on"
    assert found[1].record["grade"] == "D"


def test_a_second_run_writes_the_same_quarantine(tmp_path: Path) -> None:
    grades = FEED["tax_grades"].with_columns(year=pl.lit(1900, pl.Int64))
    delivery = deliver(tmp_path / "feeds", {"tax_grades": grades})
    (first,) = take(tmp_path, delivery).quarantine.values()
    content = first.read_bytes()

    (second,) = take(tmp_path, delivery).quarantine.values()

    assert (second, second.read_bytes()) == (first, content)


def test_a_file_that_fails_leaves_the_store_and_the_quarantine_as_they_were(tmp_path: Path) -> None:
    take(tmp_path, deliver(tmp_path / "first", {"meters": FEED["meters"]}))
    before = manifest(tmp_path)
    second = deliver(tmp_path / "second", FEED)
    write(second / "meters" / "extra.parquet", FEED["meters"].with_columns(year=1900))

    with pytest.raises(MicroloanError, match="'year'"):
        take(tmp_path, second)

    assert manifest(tmp_path) == before
    assert not (tmp_path / "quarantine").exists()


def test_more_broken_rows_than_tolerated_stop_the_delivery_but_are_told(tmp_path: Path) -> None:
    grades = FEED["tax_grades"]
    broken = grades[:1].with_columns(year=pl.lit(1900, pl.Int64))
    delivery = deliver(tmp_path / "feeds", {"tax_grades": pl.concat([broken, grades[1:]])})

    with pytest.raises(TooManyBroken, match="1 of 5 rows"):
        take(tmp_path, delivery, tolerate=0.1)

    assert not (tmp_path / "store" / MANIFEST).exists()
    assert len(list((tmp_path / "quarantine").iterdir())) == 1
    assert take(tmp_path, delivery, tolerate=0.2).total.quarantined == 1


def test_a_second_ingest_is_refused_while_one_runs(tmp_path: Path) -> None:
    delivery = deliver(tmp_path / "feeds", FEED)
    with writing(tmp_path / "store"), pytest.raises(MicroloanError, match="Another process"):
        take(tmp_path, delivery)


def test_the_number_of_buckets_is_fixed_with_the_first_commit(tmp_path: Path) -> None:
    delivery = deliver(tmp_path / "feeds", FEED)
    take(tmp_path, delivery, buckets=3)

    assert Records.open(tmp_path / "store").buckets == 3
    assert not take(tmp_path, delivery).changed
    with pytest.raises(MicroloanError, match="3 buckets"):
        take(tmp_path, delivery, buckets=4)


def test_progress_ends_with_all_rows_done(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    take(tmp_path, deliver(tmp_path / "feeds", FEED), progress=lambda *step: steps.append(step))

    done = [step[0] for step in steps]
    assert done == sorted(done)
    assert steps[-1][0] == steps[-1][1]


GradeRow = tuple[int, int, str, int]
ROWS = st.tuples(
    st.integers(0, 1), st.sampled_from([2022, 2023, 1900]), st.sampled_from("AB"), st.integers(1, 2)
)
DELIVERIES = st.lists(
    st.lists(st.lists(ROWS, max_size=4), min_size=1, max_size=2), min_size=1, max_size=3
)


def reckon(accepted: dict[Any, GradeRow], files: Sequence[Iterable[GradeRow]]) -> Counts:
    """The rules of ingest, row by row: updates ``accepted`` and counts."""
    outcome: Counter[str] = Counter()
    rows = [row for file in files for row in file]
    good = [row for row in rows if row[1] != 1900]
    contents: dict[Any, set[GradeRow]] = {}
    for row in good:
        contents.setdefault((row[0], row[1], row[3]), set()).add(row)
    taken = dict(accepted)
    for row in good:
        key = (row[0], row[1], row[3])
        if key in accepted:
            outcome["duplicate" if accepted[key] == row else "quarantined"] += 1
        elif len(contents[key]) > 1:
            outcome["quarantined"] += 1
        else:
            outcome["duplicate" if key in taken else "accepted"] += 1
            taken[key] = row
    accepted.update(taken)
    outcome["quarantined"] += len(rows) - len(good)
    return Counts(delivered=len(rows), **outcome)


@settings(max_examples=15, deadline=None)
@given(DELIVERIES)
def test_every_row_is_counted_once_and_the_store_holds_what_was_accepted(
    deliveries: list[list[list[GradeRow]]],
) -> None:
    accepted: dict[Any, GradeRow] = {}
    with TemporaryDirectory() as folder:
        for number, files in enumerate(deliveries):
            delivery = Path(folder) / f"delivery-{number}"
            for part, rows in enumerate(files):
                cells = [(credit_code(f), y, g, date(2024, 4, d)) for f, y, g, d in rows]
                frame = pl.DataFrame(cells, schema=FEEDS["tax_grades"].dtypes, orient="row")
                write(delivery / "tax_grades" / f"{part}.csv", frame)

            summary = take(Path(folder), delivery)

            assert summary.total == reckon(accepted, files)
            assert all(counts.add_up for counts in summary.files.values())
            assert [counts.delivered for counts in summary.files.values()] == list(map(len, files))
        stored = Records.open(Path(folder) / "store").table("tax_grades")
        expected = {(credit_code(f), y, g, date(2024, 4, d)) for f, y, g, d in accepted.values()}
        assert set(stored.iter_rows()) == expected
        assert stored.height == len(expected)
