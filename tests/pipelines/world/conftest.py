"""One small province for all tests of the world."""

import polars as pl
import pytest

from features.tables import FEEDS
from pipelines.world import ProvinceSummary, make_province

BUSINESSES = 5_000


@pytest.fixture(scope="session")
def province(tmp_path_factory: pytest.TempPathFactory) -> ProvinceSummary:
    """A province of one whole partition."""
    return make_province(tmp_path_factory.mktemp("province"), businesses=BUSINESSES, futures=16)


@pytest.fixture(scope="session")
def feeds(delivered: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Its feeds without the rows that break their contract."""
    return {
        name: pl.DataFrame(FEEDS[name].schema.filter(rows)[0]) for name, rows in delivered.items()
    }


@pytest.fixture(scope="session")
def delivered(province: ProvinceSummary) -> dict[str, pl.DataFrame]:
    """Its feeds, without the rows delivered twice."""
    return {
        name: pl.read_parquet(province.folder / "feeds" / name / "*.parquet").unique()
        for name in FEEDS
    }


@pytest.fixture(scope="session")
def truth(province: ProvinceSummary) -> dict[str, pl.DataFrame]:
    """Its truth, by file."""
    return {path.stem: pl.read_parquet(path) for path in (province.folder / "truth").iterdir()}
