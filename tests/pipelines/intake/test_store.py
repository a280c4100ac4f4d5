"""What readers see changes in one step, or not at all; equal rows are equal bytes."""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec
import polars as pl
import pytest

from features.tables import TAX_GRADES
from pipelines.alone import AnotherWriter
from pipelines.intake.store import commit, current, write_part, writing
from serving.records import MANIFEST, StoreError
from tests.pipelines.feeds import feeds

GRADES = feeds()["tax_grades"].sort("business_id")


def put(store: Path, buckets: Mapping[int, pl.DataFrame]) -> bool:
    """Commit a store of one table; says whether it changed."""
    with writing(store) as before:
        parts = {
            bucket: write_part(store, TAX_GRADES, bucket, rows) for bucket, rows in buckets.items()
        }
        return commit(store, before, 8, {TAX_GRADES.name: parts})[1]


def files(store: Path) -> set[str]:
    """Names of all parts on the disk."""
    return {path.relative_to(store).as_posix() for path in store.glob("*/*.parquet")}


def test_a_part_is_named_by_its_content(tmp_path: Path) -> None:
    put(tmp_path, {3: GRADES})

    (name,) = files(tmp_path)
    digest = hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
    assert name == f"tax_grades/00003-{digest[:16]}.parquet"


def test_the_same_commit_again_changes_no_byte(tmp_path: Path) -> None:
    assert put(tmp_path, {3: GRADES})
    before = (tmp_path / MANIFEST).stat()

    assert not put(tmp_path, {3: GRADES})
    assert (tmp_path / MANIFEST).stat().st_mtime_ns == before.st_mtime_ns


def test_files_of_the_manifest_before_are_kept_and_older_ones_removed(tmp_path: Path) -> None:
    states = [{0: GRADES[:1]}, {0: GRADES[:2]}, {0: GRADES[:3]}]
    seen = []
    for state in states:
        put(tmp_path, state)
        seen.append(files(tmp_path))

    assert [len(each) for each in seen] == [1, 2, 2]
    assert not seen[0] & seen[2]


def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    put(tmp_path, {0: GRADES[:1]})
    with suppress(KeyboardInterrupt), writing(tmp_path):
        left = write_part(tmp_path, TAX_GRADES, 0, GRADES)
        raise KeyboardInterrupt
    assert left.file in files(tmp_path)

    put(tmp_path, {0: GRADES[:2]})

    assert left.file not in files(tmp_path)


def test_a_second_writer_is_refused_at_once(tmp_path: Path) -> None:
    with (
        writing(tmp_path),
        pytest.raises(AnotherWriter, match="Another process"),
        writing(tmp_path),
    ):
        pass


def test_the_right_to_write_is_free_again_after_a_failure(tmp_path: Path) -> None:
    with suppress(KeyboardInterrupt), writing(tmp_path):
        raise KeyboardInterrupt

    assert put(tmp_path, {0: GRADES})


def test_a_store_of_another_contract_is_neither_read_nor_written(tmp_path: Path) -> None:
    put(tmp_path, {0: GRADES})
    manifest = current(tmp_path)
    assert manifest is not None
    other = msgspec.structs.replace(manifest, contracts={"tax_grades": "0" * 16})
    (tmp_path / MANIFEST).write_bytes(msgspec.json.encode(other))

    with pytest.raises(StoreError, match="another contract of tax_grades"), writing(tmp_path):
        pass


def test_a_damaged_manifest_is_refused(tmp_path: Path) -> None:
    put(tmp_path, {0: GRADES})
    (tmp_path / MANIFEST).write_bytes((tmp_path / MANIFEST).read_bytes()[:-9])

    with pytest.raises(StoreError, match="damaged"):
        current(tmp_path)
