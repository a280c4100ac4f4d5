"""What follows from delivered tables: whose account and bill each is, who stands where."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import polars as pl

from features.tables import (
    LINKED_BILLS,
    LINKS,
    METERS,
    PEERS,
    REGISTERED_NAMES,
    UTILITY_BILLS,
    Table,
)
from pipelines.intake.attribute import attribute
from pipelines.intake.peers import compare
from pipelines.intake.staging import Staged
from pipelines.intake.store import STAGING, read_part, sort_key, write_part
from pipelines.linking.link import link
from pipelines.linking.weights import Weights
from serving.records import Part

Tables = Mapping[str, Mapping[int, Part]]


def derive(
    store: Path, before: Tables, tables: Tables, buckets: int, weights: Weights
) -> dict[str, Mapping[int, Part]]:
    """The parts of ``links``, ``linked_bills`` and ``peers``; as ``before`` where nothing changed.

    All accounts are linked in one go, because every one of them is held against all names.
    """
    linked = _linked(store, before, tables, buckets, weights)
    return {**linked, PEERS.name: compare(store, before, {**tables, **linked}, buckets)}


def _linked(
    store: Path, before: Tables, tables: Tables, buckets: int, weights: Weights
) -> dict[str, Mapping[int, Part]]:
    if _same(before, tables, METERS, REGISTERED_NAMES):
        links = before.get(LINKS.name, {})
    else:
        meters, names = (whole(store, table, tables) for table in (METERS, REGISTERED_NAMES))
        links = _parts(store, LINKS, buckets, [link(meters, names, weights)])
    tables = {**tables, LINKS.name: links}
    if _same(before, tables, LINKS, UTILITY_BILLS):
        return {LINKS.name: links, LINKED_BILLS.name: before.get(LINKED_BILLS.name, {})}
    bills = tables.get(UTILITY_BILLS.name, {})
    attributed = (
        attribute(
            read_part(store, LINKS, links[bucket]), read_part(store, UTILITY_BILLS, bills[bucket])
        )
        for bucket in sorted(links.keys() & bills.keys())
    )
    return {
        LINKS.name: links,
        LINKED_BILLS.name: _parts(store, LINKED_BILLS, buckets, attributed),
    }


def whole(store: Path, table: Table, tables: Tables) -> pl.DataFrame:
    """All rows of a table."""
    parts = tables.get(table.name, {})
    return pl.concat([table.empty(), *(read_part(store, table, parts[b]) for b in sorted(parts))])


def _same(before: Tables, tables: Tables, *read: Table) -> bool:
    return all(before.get(table.name, {}) == tables.get(table.name, {}) for table in read)


def _parts(
    store: Path, table: Table, buckets: int, frames: Iterable[pl.DataFrame]
) -> dict[int, Part]:
    """Write rows bucket by bucket, whatever bucket they came from."""
    staged = Staged(table.name, table.entity, buckets, store / STAGING)
    for rows in frames:
        staged.add(rows)
    found = {bucket: staged.bucket(bucket) for bucket in range(buckets)}
    return {
        bucket: write_part(store, table, bucket, rows.sort(sort_key(table)))
        for bucket, rows in found.items()
        if rows is not None
    }
