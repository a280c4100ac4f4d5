"""Rows set aside by bucket while a feed is read, so that memory holds one bucket at a time."""

from pathlib import Path

import polars as pl

from serving.records import bucket_of

ROWS_IN_SPILL = 500_000
_BUCKET = "bucket"


class Staged:
    """Rows of one table, spilled to disk batch by batch and read back bucket by bucket."""

    def __init__(self, name: str, entity: str, buckets: int, folder: Path) -> None:
        self._name = name
        self._entity = entity
        self._buckets = buckets
        self._folder = folder
        self._held: list[pl.DataFrame] = []
        self._spills: list[tuple[Path, dict[int, tuple[int, int]]]] = []

    def add(self, rows: pl.DataFrame) -> None:
        """Add rows; small ones are held until there are enough to be worth a file."""
        self._held.append(rows)
        if sum(each.height for each in self._held) >= ROWS_IN_SPILL:
            self._spill()

    def bucket(self, index: int) -> pl.DataFrame | None:
        """The rows of one bucket in the order in which they were added; None if there are none."""
        slices = [
            pl.scan_ipc(path).slice(*places[index])
            for path, places in self._all_spilled()
            if index in places
        ]
        return pl.concat(slices).collect() if slices else None

    def columns(self, names: list[str]) -> list[pl.LazyFrame]:
        """Some columns of all rows."""
        return [pl.scan_ipc(path).select(names) for path, _ in self._all_spilled()]

    def clear(self) -> None:
        """Give the disk space back."""
        for path, _ in self._spills:
            path.unlink()
        self._spills = []

    def _all_spilled(self) -> list[tuple[Path, dict[int, tuple[int, int]]]]:
        self._spill()
        return self._spills

    def _spill(self) -> None:
        """Write what is held, sorted by bucket; within a bucket the order is kept."""
        rows, self._held = pl.concat(self._held) if self._held else pl.DataFrame(), []
        if rows.is_empty():
            return
        ordered = rows.with_columns(_buckets(rows[self._entity], self._buckets))
        ordered = ordered.sort(_BUCKET, maintain_order=True)
        path = self._folder / f"{self._name}-{len(self._spills):05d}.arrow"
        ordered.drop(_BUCKET).write_ipc(path, compression="uncompressed")
        runs = ordered[_BUCKET].rle().struct.unnest()
        starts = runs["len"].cum_sum() - runs["len"]
        places = zip(starts, runs["len"], strict=True)
        self._spills.append((path, dict(zip(runs["value"], places, strict=True))))


def _buckets(entities: pl.Series, buckets: int) -> pl.Series:
    """The bucket of each row; each distinct entity is hashed once."""
    distinct = entities.unique()
    places = [bucket_of(entity, buckets) for entity in distinct]
    return entities.replace_strict(distinct, places, return_dtype=pl.UInt32).alias(_BUCKET)
