"""One feed of a delivery: read, checked, merged with the store, and every row counted."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from features.tables import Table
from pipelines.intake.check import BrokenRow, broken_rules, check
from pipelines.intake.delivery import ROW, DeliveredFile, delivery_hash, read
from pipelines.intake.merge import Merged, contested_keys, merge
from pipelines.intake.news import joined, news_of
from pipelines.intake.quarantine import Quarantine
from pipelines.intake.staging import Staged
from pipelines.intake.store import STAGING, read_part, sort_key, write_part
from serving.records import Part

FILE = "file"


@dataclass(frozen=True)
class Counts:
    """What became of delivered rows: each was accepted, a duplicate, or quarantined."""

    delivered: int = 0
    accepted: int = 0
    duplicate: int = 0
    quarantined: int = 0

    @property
    def add_up(self) -> bool:
        """Whether every delivered row is in exactly one of the others."""
        return self.delivered == self.accepted + self.duplicate + self.quarantined

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.delivered + other.delivered,
            self.accepted + other.accepted,
            self.duplicate + other.duplicate,
            self.quarantined + other.quarantined,
        )


@dataclass(frozen=True)
class Intake:
    """A feed that was taken in: its parts of the store, its broken rows, its counts by file.

    ``news`` tells of its accepted rows, business by business; none where rows name none.
    """

    table: Table
    parts: Mapping[int, Part]
    quarantine: Quarantine
    files: Mapping[str, Counts]
    news: pl.DataFrame

    @property
    def counts(self) -> Counts:
        """All files together."""
        return sum(self.files.values(), Counts())


class Feed:
    """The files of one table in one delivery, on their way into the store."""

    def __init__(self, files: Sequence[DeliveredFile], store: Path, buckets: int) -> None:
        self.table = files[0].table
        self._files = files
        self._store = store
        self._buckets = buckets
        staging = store / STAGING
        self._staged = Staged(self.table.name, self.table.entity, buckets, staging)
        self._quarantine = Quarantine(f"{self.table.name}-{delivery_hash(files)}", staging)
        self._counts: list[Counter[str]] = [Counter() for _ in files]
        self._news: list[pl.DataFrame] = []

    def take(self, stored: Mapping[int, Part], step: Callable[[int], None]) -> Intake:
        """Read, check and merge all rows; writes new parts, which nothing names before the commit.

        Args:
            stored: the current parts of the table, by bucket.
            step: told the number of rows just read, and again of those just merged.
        """
        self._read(step)
        parts = dict(stored) | self._merge(stored, step)
        counts = (Counts(**counter) for counter in self._counts)
        files = dict(zip((file.name for file in self._files), counts, strict=True))
        if not all(each.add_up for each in files.values()):
            raise AssertionError(f"rows of {self.table.name} were lost or counted twice: {files}")
        return Intake(self.table, parts, self._quarantine, files, joined(self._news))

    def _read(self, step: Callable[[int], None]) -> None:
        for number, file in enumerate(self._files):
            for batch in read(file):
                checked = check(self.table, batch)
                self._staged.add(checked.rows.with_columns(pl.lit(number, pl.UInt32).alias(FILE)))
                self._quarantine.add(file.name, checked.broken)
                self._counts[number].update(delivered=batch.height, quarantined=len(checked.broken))
                step(batch.height)

    def _merge(self, stored: Mapping[int, Part], step: Callable[[int], None]) -> dict[int, Part]:
        contested = self._contested_keys(stored)
        changed = {}
        for bucket in range(self._buckets):
            checked = self._staged.bucket(bucket)
            if checked is None:
                continue
            accepted = read_part(self._store, self.table, stored.get(bucket))
            merged = merge(self.table, accepted, checked, contested)
            self._account(merged)
            if merged.accepted.height:
                rows = merged.accepted.select(list(self.table.dtypes))
                if accepted.height:
                    rows = pl.concat([accepted, rows]).sort(sort_key(self.table))
                changed[bucket] = write_part(self._store, self.table, bucket, rows)
                if self.table.entity == "business_id":
                    self._news.append(news_of(merged.accepted))
            step(checked.height)
        self._staged.clear()
        return changed

    def _contested_keys(self, stored: Mapping[int, Part]) -> pl.DataFrame:
        """Keys that several businesses claim; none where the business is part of the key."""
        names = [*self.table.schema.primary_key(), self.table.entity]
        if len(set(names)) < len(names):
            return self.table.empty()
        parts = (pl.scan_parquet(self._store / part.file, glob=False) for part in stored.values())
        claims = [*self._staged.columns(names), *(part.select(names) for part in parts)]
        return contested_keys(self.table, pl.concat(claims)) if claims else self.table.empty()

    def _account(self, merged: Merged) -> None:
        outcomes = {
            "accepted": merged.accepted,
            "duplicate": merged.duplicates,
            "quarantined": merged.conflicts,
        }
        for outcome, rows in outcomes.items():
            for number, count in rows[FILE].value_counts().iter_rows():
                self._counts[number][outcome] += count
        for row in merged.conflicts.iter_rows(named=True):
            record = {name: row[name] for name in self.table.dtypes}
            broken = BrokenRow(
                row[ROW], broken_rules(self.table, record, failed=["primary_key"]), record
            )
            self._quarantine.add(self._files[row[FILE]].name, [broken])
