"""Planted faults: each is listed, ingest refuses those that break a contract and no other row."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from features.tables import FEEDS
from pipelines.intake.ingest import IngestSummary, ingest
from pipelines.world import ProvinceSummary
from pipelines.world.faults import DARK_DAYS, PLANTED, UNCHECKABLE, dark_spells, held_back
from pipelines.world.months import month_index

CAUGHT = tuple(fault for fault in PLANTED if fault.caught)


@pytest.fixture(scope="module")
def taken(province: ProvinceSummary, tmp_path_factory: pytest.TempPathFactory) -> IngestSummary:
    folder = tmp_path_factory.mktemp("store")
    return ingest(province.folder / "feeds", folder / "store", folder / "quarantine")


def rows(province: ProvinceSummary, table: str) -> pl.DataFrame:
    return pl.read_parquet(province.folder / "feeds" / table / "*.parquet")


def test_every_kind_of_fault_was_planted_and_told_whether_ingest_can_catch_it(
    truth: dict[str, pl.DataFrame],
) -> None:
    listed = truth["faults"]
    kinds = dict(listed.group_by("fault").agg(pl.col("caught_by_ingest").all()).iter_rows())
    assert {name for name, caught in kinds.items() if not caught} == set(UNCHECKABLE)
    assert {name for name, caught in kinds.items() if caught} == {
        "doubled row", *(fault.name for fault in CAUGHT),
    }  # fmt: skip


@pytest.mark.parametrize("fault", PLANTED, ids=lambda fault: f"{fault.table}: {fault.name}")
def test_faults_are_planted_at_their_rate(
    fault: object, province: ProvinceSummary, truth: dict[str, pl.DataFrame]
) -> None:
    assert fault in PLANTED
    listed = truth["faults"].filter(pl.col("fault") == fault.name, pl.col("table") == fault.table)
    expected = fault.rate * rows(province, fault.table).height
    assert 0.3 * expected - 5 < listed.height < 1.3 * expected + 5


@pytest.mark.parametrize("table", list(FEEDS))
def test_ingest_quarantines_what_was_planted_and_nothing_else(
    table: str,
    province: ProvinceSummary,
    taken: IngestSummary,
    truth: dict[str, pl.DataFrame],
) -> None:
    """A broken row that was also delivered twice is refused twice."""
    listed = truth["faults"].filter(pl.col("table") == table)
    broken = listed.filter(pl.col("fault").is_in([fault.name for fault in CAUGHT]))
    entity = FEEDS[table].entity
    marked = broken.select(pl.col("entity").alias(entity), pl.col("day").alias("known_on"))
    again = listed.filter(pl.col("fault") == "doubled row")
    twice = Counter(again.select("entity", "day").iter_rows())
    quarantined = taken.tables[table].quarantined
    assert marked.height <= quarantined <= marked.height + sum(twice[row] for row in marked.rows())
    assert taken.tables[table].duplicate + quarantined >= marked.height + again.height - quarantined


def test_ingest_counts_every_doubled_row_of_a_sound_table(
    taken: IngestSummary, truth: dict[str, pl.DataFrame]
) -> None:
    again = truth["faults"].filter(pl.col("fault") == "doubled row")
    for table in (
        "registrations",
        "registered_names",
        "meters",
        "applications",
        "repayments",
        "tax_grades",
    ):
        listed = again.filter(pl.col("table") == table).height
        assert taken.tables[table].duplicate == listed
        assert taken.tables[table].quarantined == 0


def test_nothing_of_a_department_is_known_in_its_dark_spells(province: ProvinceSummary) -> None:
    last = month_index("2025-12")
    spells = dark_spells(last + 1 - province.months, last, province.seed)
    for table, days in DARK_DAYS.items():
        known = rows(province, table)["known_on"].cast(pl.Int32)
        assert len(spells[table]) == 2
        for start, end in spells[table]:
            assert end - start == days
            assert known.is_between(start, end).sum() == 0
            assert (known == end + 1).sum() > 0


def test_dark_spells_that_touch_are_one() -> None:
    drawn = [dark_spells(24_000, 24_011, seed)["registration_events"] for seed in range(200)]
    assert {len(spells) for spells in drawn} == {1, 2}
    assert all(later[0] > before[1] + 1 for spells in drawn for before, later in pairwise(spells))


def test_of_two_versions_held_back_together_the_later_is_delivered() -> None:
    table = "utility_bills"
    early, later, after = (pl.date(2024, 1, day) for day in (5, 9, 21))
    names = ["meter_id", "period", "quantity", "known_on"]
    frame = (
        pl.select(
            pl.Series("meter_id", ["m", "m", "m", "n"]),
            pl.Series("quantity", [10, 20, 30, 40]),
            pl.concat_list(early, later, after, early).explode().alias("known_on"),
        )
        .with_columns(pl.date(2023, 12, 1).alias("period"))
        .select(names)
    )
    start = 19_723 + 1  # 2024-01-02
    held, lines = held_back(table, frame, {table: [(start, start + 18)]})
    assert held.sort("quantity")["quantity"].to_list() == [30, 40]
    assert held["known_on"].unique().to_list() == [frame["known_on"].max()]
    assert lines[0].height == 3


def test_a_truth_file_is_never_taken_for_a_feed(province: ProvinceSummary, tmp_path: Path) -> None:
    from features.errors import MicroloanError

    with pytest.raises(MicroloanError):
        ingest(province.folder / "truth", tmp_path / "store", tmp_path / "quarantine")
