"""One table, whoever computes its buckets and however often they are stopped."""

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.build import build
from features.catalog import CATALOG
from pipelines.alone import AnotherWriter, alone
from pipelines.engines import NoEngine, engine
from pipelines.engines.local import here, in_processes
from pipelines.engines.parts import merged
from pipelines.engines.work import OtherInputs, Work, build_part
from pipelines.intake.ingest import ingest
from pipelines.tabulate import FeatureSummary, read_features, tabulate
from tests.features import worlds as w
from tests.pipelines.feeds import deliver, feeds
from tests.pipelines.stores import write_store

BUCKETS = 6


class Stopped(Exception):
    """The run ends here."""


class Watched:
    """An engine that notes which buckets it was asked for, and stops after some."""

    def __init__(self, stop_after: int = BUCKETS + 1) -> None:
        self.stop_after = stop_after
        self.asked: list[int] = []

    def __call__(self, work: Work, buckets: Sequence[int]) -> Iterator[object]:
        self.asked = list(buckets)
        for done, bucket in enumerate(buckets, start=1):
            yield build_part(work, bucket)
            if done == self.stop_after:
                raise Stopped


def taken_in(folder: Path, businesses: int) -> Path:
    """A store of the feeds of so many businesses."""
    delivery = deliver(folder / f"delivery-{businesses}", feeds(businesses, 6))
    ingest(delivery, folder / "store", folder / "quarantine", buckets=BUCKETS)
    return folder / "store"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty businesses in six buckets."""
    return taken_in(tmp_path_factory.mktemp("tabulate"), 20)


@pytest.fixture(scope="module")
def whole(store: Path) -> FeatureSummary:
    """The table as one process makes it in one go."""
    return tabulate(store, store.parent / "whole" / "applications.parquet", CATALOG)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(world=w.worlds(), asking=w.applications(), buckets=st.integers(1, 4))
def test_a_table_made_bucket_by_bucket_is_the_build_of_all_at_once(
    world: w.World, asking: list[w.Row], buckets: int
) -> None:
    tables = w.frames({**world, "applications": asking})
    at_once = build(tables["applications"], tables, CATALOG).sort("application_id")
    with TemporaryDirectory() as folder:
        out = Path(folder) / "features" / "applications.parquet"
        tabulate(write_store(Path(folder) / "store", tables, buckets), out, CATALOG)
        assert read_features(out, CATALOG)[0].equals(at_once)


def test_processes_make_the_same_bytes_as_one(store: Path, whole: FeatureSummary) -> None:
    out = store.parent / "processes" / "applications.parquet"
    assert tabulate(store, out, CATALOG, engine=in_processes(2)) == replace(whole, path=str(out))


@pytest.mark.parametrize("rows", [1, 3, 7, 1000])
def test_parts_merge_into_one_order_however_many_rows_are_held(tmp_path: Path, rows: int) -> None:
    ids = [f"A{number:03d}" for number in range(20)]
    for part, names in enumerate((ids[::3], [], ids[1::3], ids[2::3])):
        frame = pl.DataFrame({"application_id": names}, schema={"application_id": pl.String})
        frame.write_ipc(tmp_path / f"{part:05d}.arrow")
    work = Work(tmp_path, "", (), "", "", tmp_path)
    frames = list(merged(work, 4, rows))
    assert pl.concat(frames).to_series().to_list() == ids
    assert max(frame.height for frame in frames) <= rows


def test_a_stopped_run_is_taken_up_at_its_last_finished_bucket(
    store: Path, whole: FeatureSummary, tmp_path: Path
) -> None:
    out = tmp_path / "applications.parquet"
    with pytest.raises(Stopped):
        tabulate(store, out, CATALOG, engine=Watched(stop_after=4))
    again, told = Watched(), list[tuple[int, int]]()
    found = tabulate(
        store, out, CATALOG, engine=again, progress=lambda done, all_: told.append((done, all_))
    )
    assert again.asked == [4, 5]
    assert told == [(5, BUCKETS), (6, BUCKETS)]
    assert found.table_sha256 == whole.table_sha256
    assert not (tmp_path / "parts").exists()


def test_parts_of_another_state_of_the_store_are_never_used(tmp_path: Path) -> None:
    store, out = taken_in(tmp_path, 10), tmp_path / "features" / "applications.parquet"
    with pytest.raises(Stopped):
        tabulate(store, out, CATALOG, engine=Watched(stop_after=4))
    taken_in(tmp_path, 20)
    again = Watched()
    assert tabulate(store, out, CATALOG, engine=again).applications == 20
    assert again.asked == list(range(BUCKETS))


def test_parts_of_other_features_are_never_used(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "applications.parquet"
    with pytest.raises(Stopped):
        tabulate(store, out, CATALOG[:5], engine=Watched(stop_after=4))
    again = Watched()
    tabulate(store, out, CATALOG[:6], engine=again)
    assert again.asked == list(range(BUCKETS))


def test_a_stopped_run_leaves_the_table_of_before(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "applications.parquet"
    tabulate(store, out, CATALOG[:5])
    before = read_features(out, CATALOG[:5])
    with pytest.raises(Stopped):
        tabulate(store, out, CATALOG[:6], engine=Watched(stop_after=1))
    after = read_features(out, CATALOG[:5])
    assert after[0].equals(before[0])
    assert after[1] == before[1]


CHILD = """
import os, signal, sys
from pathlib import Path
from features.catalog import CATALOG
from pipelines.engines.local import in_processes
from pipelines.tabulate import tabulate

def killed(work, buckets):
    for done, one in enumerate(in_processes(2)(work, buckets), start=1):
        yield one
        if done == 2:
            os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    tabulate(Path(sys.argv[1]), Path(sys.argv[2]), CATALOG, engine=killed)
"""


@pytest.mark.slow
def test_kill_9_leaves_parts_to_go_on_from_and_no_worker_behind(
    store: Path, whole: FeatureSummary, tmp_path: Path
) -> None:
    out = tmp_path / "features" / "applications.parquet"
    (tmp_path / "child.py").write_text(CHILD)
    command = [sys.executable, tmp_path / "child.py", store, out]
    # reading its output to the end waits for every process that holds it, the workers too
    child = subprocess.run(command, capture_output=True, timeout=100, check=False)
    assert child.returncode == -signal.SIGKILL, child.stderr.decode()

    found = {path: path.stat().st_mtime_ns for path in (out.parent / "parts").glob("*.arrow")}
    assert len(found) >= 2
    with pytest.raises(Stopped):
        tabulate(store, out, CATALOG, engine=Watched(stop_after=1))
    assert {path: path.stat().st_mtime_ns for path in found} == found
    assert tabulate(store, out, CATALOG).table_sha256 == whole.table_sha256


def test_only_one_process_computes_into_a_folder(store: Path, tmp_path: Path) -> None:
    with alone(tmp_path, "computing into"), pytest.raises(AnotherWriter, match="is computing"):
        tabulate(store, tmp_path / "applications.parquet", CATALOG)


@pytest.mark.parametrize("field", ["store_snapshot", "feature_fingerprint", "code"])
def test_a_worker_with_other_inputs_refuses(store: Path, tmp_path: Path, field: str) -> None:
    def elsewhere(work: Work, buckets: Sequence[int]) -> Iterator[object]:
        return here(replace(work, **{field: "0" * 64}), buckets)

    with pytest.raises(OtherInputs, match=r"000000000000.* Hint: "):
        tabulate(store, tmp_path / "applications.parquet", CATALOG[:3], engine=elsewhere)


@pytest.mark.parametrize(("kind", "package"), [("dask", "distributed"), ("spark", "pyspark.sql")])
def test_an_engine_that_is_not_installed_names_the_command_that_installs_it(
    kind: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(NoEngine, match=rf"make cluster.*microloan\[{kind}\]"):
        engine(kind)  # type: ignore[arg-type]


def test_an_engine_that_cannot_be_had_as_asked_says_why() -> None:
    with pytest.raises(NoEngine, match="--cluster tcp://x needs --engine"):
        engine("local", "tcp://x")
    with pytest.raises(NoEngine, match="--workers is 0"):
        engine("local", workers=0)
