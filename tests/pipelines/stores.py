"""Stores written straight from tables, without feeds and their checks."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from features.tables import TABLES
from pipelines.intake.store import commit, sort_key, write_part, writing
from serving.records import bucket_of


def write_store(folder: Path, tables: Mapping[str, pl.DataFrame], buckets: int) -> Path:
    """Commit ``tables``; a table without a row is one that was delivered empty."""
    with writing(folder) as before:
        parts = {}
        for name, rows in tables.items():
            table = TABLES[name]
            bucket = [bucket_of(entity, buckets) for entity in rows[table.entity]]
            placed = rows.with_columns(pl.Series("bucket", bucket, dtype=pl.Int64))
            order = [column for column in sort_key(table) if column in rows.columns]
            parts[name] = {
                index: write_part(
                    folder,
                    table,
                    index,
                    placed.filter(pl.col("bucket") == index).drop("bucket").sort(order),
                )
                for index in range(buckets)
            }
        commit(folder, before, buckets, parts)
    return folder
