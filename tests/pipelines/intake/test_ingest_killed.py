"""An ingest that dies at any point leaves the old store or the new one, and can run again."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.intake.ingest import ingest
from serving.records import MANIFEST, Records
from tests.pipelines.feeds import deliver, feeds

TABLES = ("meters", "utility_bills", "tax_grades")


class Killed(BaseException):
    """The process ends here: nothing may be tidied up afterwards."""


def count_steps(
    patch: Callable[[object, str, Any], None], last: int, end: Callable[[], None]
) -> list[str]:
    """Log every step that reaches the disk for good; call ``end`` instead of step ``last``."""
    log: list[str] = []

    def counted(name: str, step: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            log.append(name)
            if len(log) >= last:
                end()
            return step(*args, **kwargs)

        return call

    patch(os, "fsync", counted("fsync", os.fsync))
    patch(Path, "replace", counted("replace", Path.replace))
    patch(Path, "unlink", counted("unlink", Path.unlink))
    patch(shutil, "rmtree", counted("rmtree", shutil.rmtree))
    return log


@pytest.fixture(scope="module")
def deliveries(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three deliveries, each holding the one before."""
    folder = tmp_path_factory.mktemp("deliveries")
    made = [feeds(businesses, 2) for businesses in (2, 4, 6)]
    broken = made[2]["tax_grades"].with_columns(year=pl.lit(1900, pl.Int64))
    made[2]["tax_grades"] = pl.concat([made[2]["tax_grades"], broken[:1]])
    chosen = [{name: tables[name] for name in TABLES} for tables in made]
    return [deliver(folder / str(number), tables) for number, tables in enumerate(chosen)]


@pytest.fixture
def store(tmp_path: Path, deliveries: list[Path]) -> Path:
    """A store of two commits, so that the next one has files to remove."""
    for delivery in deliveries[:2]:
        ingest(delivery, tmp_path / "store", tmp_path / "quarantine", buckets=1)
    return tmp_path / "store"


def contents(store: Path) -> dict[str, pl.DataFrame]:
    """Every table, read and verified against its hash."""
    records = Records.open(store)
    return {name: records.table(name) for name in (*TABLES, "linked_bills")}


def assert_equal(one: dict[str, pl.DataFrame], other: dict[str, pl.DataFrame]) -> None:
    assert all(one[name].equals(other[name]) for name in one)


@pytest.fixture(scope="module")
def undisturbed(deliveries: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store as it is when nothing goes wrong."""
    folder = tmp_path_factory.mktemp("undisturbed")
    for delivery in deliveries:
        ingest(delivery, folder / "store", folder / "quarantine", buckets=1)
    return folder / "store"


def test_dying_at_any_step_leaves_the_old_or_the_new_store_and_a_second_run_mends_all(
    store: Path,
    deliveries: list[Path],
    undisturbed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old, new = contents(store), contents(undisturbed)
    old_bytes, new_bytes = (store / MANIFEST).read_bytes(), (undisturbed / MANIFEST).read_bytes()

    def die() -> None:
        raise Killed

    steps, survived, states = 0, False, set()
    while not survived:
        steps += 1
        copy = tmp_path / f"killed-{steps}"
        shutil.copytree(store, copy)
        with monkeypatch.context() as patch:
            count_steps(patch.setattr, steps, die)
            try:
                ingest(deliveries[2], copy, tmp_path / "q")
                survived = True
            except Killed:
                pass
        found = (copy / MANIFEST).read_bytes()
        states.add(found)
        assert_equal(contents(copy), new if found == new_bytes else old)

        ingest(deliveries[2], copy, tmp_path / "q")
        assert (copy / MANIFEST).read_bytes() == new_bytes
        assert_equal(contents(copy), new)
    assert states == {old_bytes, new_bytes}
    assert steps > 20


CHILD = """
import os, signal, sys
from pathlib import Path
from pipelines.intake.ingest import ingest
from tests.pipelines.intake.test_ingest_killed import count_steps
count_steps(setattr, int(sys.argv[4]), lambda: os.kill(os.getpid(), signal.SIGKILL))
ingest(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
"""


@pytest.mark.slow
def test_kill_9_leaves_a_whole_store_and_no_lock(
    store: Path, deliveries: list[Path], undisturbed: Path, tmp_path: Path
) -> None:
    """What the test above plays with exceptions, with processes that really die."""
    old, new = contents(store), contents(undisturbed)
    copies = {step: Path(shutil.copytree(store, tmp_path / f"copy-{step}")) for step in (9, 18)}
    children = [
        subprocess.Popen(
            [sys.executable, "-c", CHILD, deliveries[2], copy, tmp_path / "q", str(step)]
        )
        for step, copy in copies.items()
    ]
    assert [child.wait() for child in children] == [-signal.SIGKILL] * 2

    for copy in copies.values():
        unchanged = (copy / MANIFEST).read_bytes() == (store / MANIFEST).read_bytes()
        assert_equal(contents(copy), old if unchanged else new)
        ingest(deliveries[2], copy, tmp_path / "q")
        assert_equal(contents(copy), new)
