"""Records are read as they were committed, from one whole state of the store."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from features.errors import UnknownName
from features.tables import TABLES
from pipelines.intake.ingest import ingest
from serving.records import BUSINESS_TABLES, Records, StoreError, bucket_of
from tests.pipelines.feeds import credit_code, deliver, feeds

BUSINESSES = 40


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of 40 businesses, large enough that some parts have several row groups."""
    folder = tmp_path_factory.mktemp("records")
    ingest(
        deliver(folder / "feeds", feeds(BUSINESSES, 60)), folder / "store", folder / "q", buckets=2
    )
    return folder / "store"


def grow(folder: Path, businesses: int) -> Path:
    """Ingest the feeds of so many businesses into the store of a folder; returns the store."""
    delivery = deliver(folder / f"feeds-{businesses}", feeds(businesses, 3))
    ingest(delivery, folder / "store", folder / "quarantine")
    return folder / "store"


def test_a_bucket_never_changes_its_place() -> None:
    """The numbers are part of the store's format: crc32 of the code, modulo the buckets."""
    assert [bucket_of(code, 8) for code in ("91330502MA0000007K", "A", "")] == [1, 3, 0]


def test_a_business_is_read_alone_as_in_its_bucket(store: Path) -> None:
    records = Records.open(store)
    for number in range(BUSINESSES):
        code = credit_code(number)
        bucket = records.bucket(bucket_of(code, records.buckets))
        for name, rows in records.business(code).items():
            assert_frame_equal(rows, bucket[name].filter(pl.col("business_id") == code))


@pytest.mark.parametrize("numbers", [(), (3,), (0, 7, 8, 21, 39, BUSINESSES + 1)])
def test_some_businesses_are_read_together_as_in_their_buckets(
    store: Path, numbers: tuple[int, ...]
) -> None:
    records = Records.open(store)
    codes = [credit_code(number) for number in numbers]
    every = [records.bucket(bucket) for bucket in range(records.buckets)]
    for name, rows in records.businesses(codes).items():
        both = pl.concat([bucket[name] for bucket in every])
        expected = both.filter(pl.col("business_id").is_in(codes))
        assert_frame_equal(rows, expected, check_row_order=False)


def test_tables_have_the_types_of_their_contracts(store: Path) -> None:
    records = Records.open(store)
    for found in (records.business(credit_code(1)), records.business("nobody"), records.bucket(0)):
        assert found.keys() == set(BUSINESS_TABLES)
        for name, rows in found.items():
            assert rows.schema == pl.Schema(TABLES[name].dtypes)


def test_a_complete_table_that_was_never_delivered_is_not_there(tmp_path: Path) -> None:
    """An empty one would say that nothing happened, where nobody has told anything."""
    delivered = {name: rows for name, rows in feeds(3, 3).items() if name != "repayments"}
    ingest(deliver(tmp_path / "feeds", delivered), tmp_path / "store", tmp_path / "quarantine")
    records = Records.open(tmp_path / "store")
    for found in (records.business(credit_code(1)), records.business("nobody"), records.bucket(0)):
        assert found.keys() == set(BUSINESS_TABLES) - {"repayments"}


def test_an_unknown_business_has_no_records(store: Path) -> None:
    for code in ("", "0", credit_code(BUSINESSES), "ZZZ"):
        assert all(rows.is_empty() for rows in Records.open(store).business(code).values())


def test_whole_tables_are_the_buckets_together(store: Path) -> None:
    records = Records.open(store)
    buckets = [records.bucket(index) for index in range(records.buckets)]

    for name in BUSINESS_TABLES:
        assert_frame_equal(records.table(name), pl.concat([bucket[name] for bucket in buckets]))
    assert records.table("meters").height == BUSINESSES


def test_threads_may_share_one_object(store: Path) -> None:
    records = Records.open(store)
    codes = [credit_code(number) for number in range(BUSINESSES)]
    alone = [records.business(code) for code in codes]

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(Records.open(store).business, codes))

    for one, other in zip(alone, together, strict=True):
        for name, rows in one.items():
            assert_frame_equal(rows, other[name])


def test_a_reader_keeps_its_state_until_it_refreshes(tmp_path: Path) -> None:
    records = Records.open(grow(tmp_path, 1))
    before = records.snapshot
    grow(tmp_path, 2)

    assert records.business(credit_code(0))["tax_returns"].height == 3
    assert records.business(credit_code(1))["tax_returns"].is_empty()
    assert records.refresh()
    assert records.snapshot != before
    assert records.business(credit_code(1))["tax_returns"].height == 3
    assert not records.refresh()


def test_a_reader_two_commits_behind_is_told_to_refresh(tmp_path: Path) -> None:
    records = Records.open(grow(tmp_path, 1))
    for businesses in (30, 60):
        grow(tmp_path, businesses)

    with pytest.raises(StoreError, match="refresh"):
        records.table("tax_returns")
    records.refresh()
    assert records.table("tax_returns").height == 60 * 3


def test_a_replaced_file_is_refused(tmp_path: Path) -> None:
    store = grow(tmp_path, 1)
    (path,) = (store / "tax_returns").glob("*.parquet")
    pl.read_parquet(path).with_columns(sales_fen=pl.lit(10**9)).write_parquet(path)

    with pytest.raises(StoreError, match="not the file that was committed"):
        Records.open(store).business(credit_code(0))
    with pytest.raises(StoreError, match="not the file that was committed"):
        Records.open(store).warm()


def test_a_folder_without_a_store_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="microloan ingest"):
        Records.open(tmp_path)


def test_unknown_tables_and_buckets_are_refused(store: Path) -> None:
    records = Records.open(store)
    with pytest.raises(UnknownName, match="tax_returns"):
        records.table("tax_return")
    with pytest.raises(StoreError, match="bucket 2"):
        records.bucket(2)
