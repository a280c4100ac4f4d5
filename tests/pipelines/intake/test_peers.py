"""Businesses are compared when feeds come in, and a comparison once made stands."""

from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from features.standing import SOURCES, measured, standings
from pipelines.intake.ingest import ingest
from pipelines.intake.store import commit, current, writing
from serving.records import Records
from tests.pipelines.feeds import credit_code, deliver, feeds

BUSINESSES = 100  # of three trades, so that each has enough to compare
FEED = feeds(businesses=BUSINESSES, months=20)


def take(folder: Path, name: str, tables: dict[str, pl.DataFrame]) -> Records:
    """The store of a folder after one more delivery."""
    delivery = deliver(folder / name, tables)
    ingest(delivery, folder / "store", folder / "quarantine", buckets=3)
    return Records.open(folder / "store")


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Records:
    return take(tmp_path_factory.mktemp("peers"), "feeds", FEED)


def test_comparisons_are_made_on_the_morning_after_a_quarters_returns(records: Records) -> None:
    days = records.table("peers")["known_on"].unique().sort().to_list()
    assert {(day.month, day.day) for day in days} <= {(2, 1), (5, 1), (8, 1), (11, 1)}
    known = pl.concat(records.table(name).select("known_on") for name in SOURCES).to_series()
    newest = known.max()
    assert isinstance(newest, date)
    assert days[-1] <= newest < days[-1] + timedelta(days=92)


def test_a_comparison_is_what_was_known_of_all_on_its_morning(records: Records) -> None:
    compared = records.table("peers")
    assert compared["sales_growth_median"].is_not_null().any()
    for day in compared["known_on"].unique():
        then = {name: records.table(name).filter(pl.col("known_on") <= day) for name in SOURCES}
        businesses = then["registrations"]["business_id"].unique()
        expected = standings(measured(businesses, then, day)).sort("business_id")
        found = compared.filter(pl.col("known_on") == day).sort("business_id")
        assert found.equals(expected, null_equal=True)


def test_the_comparisons_of_a_business_are_read_with_its_records(records: Records) -> None:
    code = credit_code(7)
    own = records.business(code)["peers"]
    assert own.equals(records.table("peers").filter(pl.col("business_id") == code))
    assert own.height


def test_deliveries_in_turn_give_the_comparisons_of_one(tmp_path: Path, records: Records) -> None:
    """Also where the second one brings what was known long ago."""
    early = {
        name: rows.filter(pl.col("known_on") < date(2025, 1, 1)) for name, rows in FEED.items()
    }
    some = credit_code(3)
    late = early["tax_returns"].filter(pl.col("business_id") == some)
    early["tax_returns"] = early["tax_returns"].filter(pl.col("business_id") != some)
    for number, tables in enumerate((early, FEED, {"tax_returns": late})):
        found = take(tmp_path, f"delivery-{number}", tables)
    assert found.table("peers").equals(records.table("peers"), null_equal=True)
    assert found.snapshot == records.snapshot


def test_a_comparison_is_made_once_its_day_has_come(tmp_path: Path) -> None:
    november = date(2024, 11, 1)
    for number, until in enumerate((date(2024, 10, 31), november)):
        known = {name: rows.filter(pl.col("known_on") <= until) for name, rows in FEED.items()}
        days = take(tmp_path, f"delivery-{number}", known).table("peers")["known_on"]
        assert (november in set(days)) == (number == 1)


def test_earlier_comparisons_are_not_made_again(tmp_path: Path) -> None:
    early = {
        name: rows.filter(pl.col("known_on") < date(2025, 1, 1)) for name, rows in FEED.items()
    }
    before = take(tmp_path, "first", early).table("peers")
    assert before.height
    after = take(tmp_path, "second", FEED).table("peers")
    assert after.height > before.height
    stood = pl.col("known_on") <= before["known_on"].max()
    assert after.filter(stood).equals(before, null_equal=True)


def test_what_tells_nothing_of_a_business_leaves_the_comparisons_alone(tmp_path: Path) -> None:
    without = {name: rows for name, rows in FEED.items() if name != "repayments"}
    take(tmp_path, "first", without)
    before = current(tmp_path / "store")
    take(tmp_path, "second", {"repayments": FEED["repayments"]})
    after = current(tmp_path / "store")
    assert before
    assert after
    assert before.tables["peers"] == after.tables["peers"]


def test_a_store_from_before_has_no_comparisons_until_the_next_delivery(tmp_path: Path) -> None:
    take(tmp_path, "first", FEED)
    with writing(tmp_path / "store") as manifest:
        assert manifest
        tables = {name: parts for name, parts in manifest.tables.items() if name != "peers"}
        commit(tmp_path / "store", manifest, manifest.buckets, tables)
    records = Records.open(tmp_path / "store")
    assert records.business(credit_code(7))["peers"].is_empty()
    grown = take(tmp_path, "second", {"tax_grades": feeds(BUSINESSES + 1, 20)["tax_grades"]})
    assert grown.table("peers")["business_id"].n_unique() == BUSINESSES
