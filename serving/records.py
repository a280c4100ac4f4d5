"""The read side of the store: the records of one business, of a bucket, or a whole table.

The store is immutable Parquet files and one ``manifest.json`` that names them, written by
``pipelines.intake.store``. A ``Records`` object answers from one manifest until ``refresh`` finds
a newer one, so what it reads is always one whole state of the store.
"""

import hashlib
import io
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.errors import MicroloanError, UnknownName
from features.tables import TABLES, Table

FORMAT = 1
MANIFEST = "manifest.json"
BUSINESS_TABLES = tuple(
    name for name, table in TABLES.items() if table.entity == "business_id" and not table.personal
)


class StoreError(MicroloanError):
    """A store that is not there, is damaged, or was written under other contracts."""


class Part(msgspec.Struct, frozen=True):
    """One immutable file: the records of one table in one bucket."""

    file: str
    rows: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the store holds: the contract of each table, and its parts by bucket."""

    format: int
    buckets: int
    contracts: dict[str, str]
    tables: dict[str, dict[int, Part]]

    @property
    def files(self) -> set[str]:
        """Paths of all parts, relative to the store."""
        return {part.file for parts in self.tables.values() for part in parts.values()}


def bucket_of(entity: str, buckets: int) -> int:
    """Bucket in which the records of ``entity`` live; the same on every machine and version."""
    return zlib.crc32(entity.encode()) % buckets


def share_of(entity: str, buckets: int, shares: int) -> int:
    """Which of ``shares`` equal parts of all entities ``entity`` is in.

    A part is a run of whole buckets, but for those at its ends: few files hold its records.
    """
    further, bucket = divmod(zlib.crc32(entity.encode()), buckets)
    return int((bucket + further * buckets / 2**32) * shares / buckets)


def contract_of(table: Table) -> str:
    """Short fingerprint of a table's columns and types, to notice files of another contract."""
    columns = "\n".join(f"{name} {dtype}" for name, dtype in table.dtypes.items())
    return hashlib.sha256(columns.encode()).hexdigest()[:16]


def read_manifest(content: bytes, folder: Path) -> Manifest:
    """Parse a manifest and hold it against the contracts of this code.

    Raises:
        StoreError: not a manifest, of another format, or of other contracts.
    """
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except msgspec.DecodeError as error:
        raise StoreError(
            f"{folder / MANIFEST} is damaged ({error}). Restore it, or ingest anew."
        ) from None
    stale = [name for name, contract in manifest.contracts.items() if contract != _contract(name)]
    if manifest.format != FORMAT or stale:
        what = (
            f"under another contract of {', '.join(stale)}"
            if stale
            else f"in format {manifest.format}"
        )
        raise StoreError(
            f"The store {folder} was written {what}. Ingest the feeds into a new folder."
        )
    return manifest


def _contract(name: str) -> str | None:
    return contract_of(TABLES[name]) if name in TABLES else None


@dataclass(frozen=True)
class _File:
    """A part whose bytes were verified once, with the entity range of each of its row groups."""

    path: Path
    metadata: Any
    ranges: tuple[tuple[str, str], ...]

    def of(self, entity: str) -> pl.DataFrame | None:
        """Rows of one entity, from the one or two row groups that can have any, or None."""
        groups = [i for i, (low, high) in enumerate(self.ranges) if low <= entity <= high]
        if not groups:
            return None
        rows = self._read(groups)
        ids = rows.column("business_id")
        count = pc.sum(pc.equal(ids, entity)).as_py()
        return _frame(rows.slice(pc.index(ids, entity).as_py(), count)) if count else None

    def of_some(self, entities: Sequence[str]) -> pl.DataFrame | None:
        """Rows of some entities, which are in order, from the row groups that can have any."""
        groups = [
            i
            for i, (low, high) in enumerate(self.ranges)
            if bisect_left(entities, low) < bisect_right(entities, high)
        ]
        if not groups:
            return None
        rows = self._read(groups)
        ids = rows.column("business_id")
        wanted = pl.Series(entities).to_arrow().cast(ids.type)  # pyarrow's own way imports pandas
        own = rows.filter(pc.is_in(ids, value_set=wanted))
        return _frame(own) if own.num_rows else None

    def _read(self, groups: Sequence[int]) -> Any:
        # Threads cannot share a ParquetFile; opening one with known metadata is cheap.
        with pq.ParquetFile(self.path, metadata=self.metadata) as file:
            return file.read_row_groups(groups, use_threads=False)


def _frame(rows: Any) -> pl.DataFrame:
    """An Arrow table with rows as a frame."""
    # As one struct: four times faster than `from_arrow`, which works on each column in a pool.
    return pl.Series(rows.combine_chunks().to_batches()[0]).struct.unnest()


@dataclass(frozen=True)
class _Snapshot:
    """One state of the store; never changes, so threads may share it."""

    folder: Path
    stamp: tuple[int, int, int]
    sha256: str
    manifest: Manifest
    _files: dict[str, _File] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path) -> "_Snapshot":
        path = folder / MANIFEST
        try:
            stamp = _stamp(path)
            content = path.read_bytes()
        except FileNotFoundError:
            raise StoreError(
                f"There is no store at {folder}. Hint: run `microloan ingest` first."
            ) from None
        return cls(
            folder, stamp, hashlib.sha256(content).hexdigest(), read_manifest(content, folder)
        )

    @cached_property
    def empty(self) -> dict[str, pl.DataFrame]:
        """The tables of a business without a record.

        Without a complete table that was never delivered: empty, it would say nothing happened.
        """
        told = (name for name in BUSINESS_TABLES if self.parts(name) or not TABLES[name].complete)
        return {name: TABLES[name].empty() for name in told}

    def parts(self, name: str) -> Mapping[int, Part]:
        return self.manifest.tables.get(name, {})

    def some(self, name: str, by_bucket: Mapping[int, Sequence[str]]) -> Iterator[pl.DataFrame]:
        """Rows of a table of some entities, in order in each bucket."""
        for bucket, entities in by_bucket.items():
            part = self.parts(name).get(bucket)
            rows = self.file(part).of_some(entities) if part else None
            if rows is not None:
                yield rows

    def read(self, part: Part) -> pl.DataFrame:
        return pl.read_parquet(io.BytesIO(self.verified(part)))

    def verified(self, part: Part) -> bytes:
        try:
            content = (self.folder / part.file).read_bytes()
        except FileNotFoundError:
            raise StoreError(
                f"{part.file} is gone from the store {self.folder}: it was written to twice since"
                " it was opened. Call refresh() and read again."
            ) from None
        if hashlib.sha256(content).hexdigest() != part.sha256:
            raise StoreError(
                f"{self.folder / part.file} is not the file that was committed. Restore it."
            )
        return content

    def file(self, part: Part) -> _File:
        if part.file not in self._files:
            metadata = pq.read_metadata(io.BytesIO(self.verified(part)))
            column = metadata.schema.names.index("business_id")
            statistics = (
                metadata.row_group(group).column(column).statistics
                for group in range(metadata.num_row_groups)
            )
            ranges = tuple((each.min, each.max) for each in statistics)
            self._files[part.file] = _File(self.folder / part.file, metadata, ranges)
        return self._files[part.file]


def _stamp(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_ino, status.st_size


class Records:
    """Records of businesses, read from one state of the store. Threads may share one object."""

    def __init__(self, snapshot: _Snapshot) -> None:
        self._snapshot = snapshot

    @classmethod
    def open(cls, folder: Path) -> "Records":
        """Open the store at ``folder``.

        Raises:
            StoreError: there is none, or it was written under other contracts.
        """
        return cls(_Snapshot.of(folder))

    @property
    def snapshot(self) -> str:
        """SHA-256 of the manifest: names everything that can be read here."""
        return self._snapshot.sha256

    @property
    def buckets(self) -> int:
        """Number of buckets; a business lives in one of them."""
        return self._snapshot.manifest.buckets

    def refresh(self) -> bool:
        """Turn to the newest state of the store; says whether there was a newer one.

        Costs one ``stat`` when nothing changed, so a service may call it before every request.
        """
        if _stamp(self._snapshot.folder / MANIFEST) == self._snapshot.stamp:
            return False
        before, self._snapshot = self._snapshot, _Snapshot.of(self._snapshot.folder)
        return self._snapshot.sha256 != before.sha256

    def warm(self) -> None:
        """Verify and index every file now, so that no request pays for being the first."""
        for name in BUSINESS_TABLES:
            for part in self._snapshot.parts(name).values():
                self._snapshot.file(part)

    def business(self, business_id: str) -> dict[str, pl.DataFrame]:
        """All records of one business, by table; a table without any is an empty frame.

        A complete table that was never delivered to the store is not there.
        """
        snapshot = self._snapshot
        bucket = bucket_of(business_id, snapshot.manifest.buckets)
        found = dict(snapshot.empty)
        for name in snapshot.empty:
            if part := snapshot.parts(name).get(bucket):
                rows = snapshot.file(part).of(business_id)
                found[name] = found[name] if rows is None else rows
        return found

    def businesses(self, ids: Iterable[str]) -> dict[str, pl.DataFrame]:
        """All records of some businesses, by table, in no order."""
        snapshot = self._snapshot
        by_bucket: dict[int, list[str]] = {}
        for business_id in sorted(ids):
            bucket = bucket_of(business_id, snapshot.manifest.buckets)
            by_bucket.setdefault(bucket, []).append(business_id)
        return {
            name: pl.concat([empty, *snapshot.some(name, by_bucket)])
            for name, empty in snapshot.empty.items()
        }

    def bucket(self, index: int) -> dict[str, pl.DataFrame]:
        """Records of all businesses of one bucket, by table, in order of business, key, version."""
        snapshot = self._snapshot
        if not 0 <= index < snapshot.manifest.buckets:
            raise StoreError(
                f"There is no bucket {index}: the store has 0 to {snapshot.manifest.buckets - 1}."
            )
        parts = {name: snapshot.parts(name).get(index) for name in snapshot.empty}
        return {
            name: snapshot.read(part) if part else snapshot.empty[name]
            for name, part in parts.items()
        }

    def table(self, name: str) -> pl.DataFrame:
        """One whole table, bucket after bucket."""
        if name not in TABLES:
            raise UnknownName("table", name, TABLES)
        snapshot = self._snapshot
        parts = sorted(snapshot.parts(name).items())
        return pl.concat([TABLES[name].empty(), *(snapshot.read(part) for _, part in parts)])
