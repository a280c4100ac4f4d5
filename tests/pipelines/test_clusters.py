"""Dask and Spark, two workers each on this machine, make the bytes that one process makes."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.catalog import CATALOG
from pipelines.engines import Engine, engine
from pipelines.engines.work import OtherInputs, Work
from pipelines.intake.ingest import ingest
from pipelines.tabulate import tabulate
from pipelines.world import make_province
from tests.features import worlds as w
from tests.pipelines.stores import write_store

pytestmark = pytest.mark.slow

few_worlds = settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def dask() -> Iterator[Engine]:
    """The scheduler of two workers, reached by its address."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster:
        yield engine("dask", cluster.scheduler_address)


@pytest.fixture(scope="module")
def spark() -> Iterator[Engine]:
    """A session of two workers, which the engine finds there."""
    pytest.importorskip("pyspark.sql")
    from pipelines.engines.spark_cluster import session

    with session("local[2]"):
        yield engine("spark")


@pytest.fixture(params=["dask", "spark"])
def cluster(request: pytest.FixtureRequest) -> Engine:
    found: Engine = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def province(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of a small province."""
    folder = tmp_path_factory.mktemp("province")
    make_province(folder, businesses=400, months=36, seed=5)
    ingest(folder / "feeds", folder / "store", folder / "quarantine", buckets=6)
    return folder / "store"


def test_a_province_is_the_same_bytes_on_a_cluster(
    cluster: Engine, province: Path, tmp_path: Path
) -> None:
    one = tabulate(province, tmp_path / "one" / "applications.parquet", CATALOG)
    told: list[int] = []
    spread = tabulate(
        province,
        tmp_path / "spread" / "applications.parquet",
        CATALOG,
        engine=cluster,
        progress=lambda done, all_: told.append(done),
    )
    assert spread.table_sha256 == one.table_sha256
    assert told[-1] == 6


@few_worlds
@given(world=w.worlds(), asking=w.applications(), buckets=st.integers(1, 4))
def test_a_random_world_is_the_same_bytes_on_a_cluster(
    cluster: Engine, world: w.World, asking: list[w.Row], buckets: int
) -> None:
    tables = w.frames({**world, "applications": asking})
    with TemporaryDirectory() as folder:
        store = write_store(Path(folder) / "store", tables, buckets)
        one, spread = (
            tabulate(store, Path(folder) / name / "applications.parquet", CATALOG, engine=how)
            for name, how in (("one", engine("local")), ("spread", cluster))
        )
    assert spread.table_sha256 == one.table_sha256


def test_a_mistake_on_a_worker_is_told_as_here(
    cluster: Engine, province: Path, tmp_path: Path
) -> None:
    def elsewhere(work: Work, buckets: Sequence[int]) -> Iterator[object]:
        return cluster(replace(work, store_snapshot="0" * 64), buckets)

    with pytest.raises(OtherInputs, match=r"000000000000 were asked for. Hint: "):
        tabulate(province, tmp_path / "applications.parquet", CATALOG, engine=elsewhere)
