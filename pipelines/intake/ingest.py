"""A delivered folder goes into the store as one commit; broken rows go to quarantine, by name."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import polars as pl

from features.errors import MicroloanError
from features.tables import TABLES
from pipelines.intake.delivery import DeliveredFile, survey
from pipelines.intake.derive import derive
from pipelines.intake.feed import Counts, Feed, Intake
from pipelines.intake.news import differences, joined
from pipelines.intake.store import commit, read_part, writing
from pipelines.linking.weights import SHIPPED, read_weights
from serving.records import Manifest, Part

RECORDS_IN_BUCKET = 750_000
LEAST_BUCKETS = 8


@dataclass(frozen=True)
class IngestSummary:
    """What one delivery did to the store.

    ``quarantine`` has, by table, the file of its broken rows where there are any; ``changed`` is
    false when the store already held everything; ``snapshot`` names the state of the store.
    """

    tables: Mapping[str, Counts]
    files: Mapping[str, Counts]
    quarantine: Mapping[str, Path]
    changed: bool
    snapshot: str

    @property
    def total(self) -> Counts:
        """All tables together."""
        return sum(self.tables.values(), Counts())


class TooManyBroken(MicroloanError):
    """A feed of which a larger share is broken than the caller tolerates."""


def ingest(
    delivery: Path,
    store: Path,
    quarantine: Path,
    *,
    buckets: int | None = None,
    tolerate: float = 1.0,
    weights: Path = SHIPPED,
    progress: Callable[[int, int], None] | None = None,
) -> IngestSummary:
    """Take the feeds in the folder ``delivery`` into the store, all of them or none.

    Args:
        delivery: holds ``<table>.csv|parquet`` or ``<table>/*.csv|parquet`` of any feeds.
        store: the store's folder; made if it is not there.
        quarantine: folder for ``<table>-<hash of its files>.jsonl``, a line per broken row.
        buckets: of a new store; by default so many that one holds about 750,000 records.
        tolerate: largest share of a table's rows that may be broken for the delivery to be taken.
        weights: what the linking of meters believes of spellings.
        progress: told (done, in all) in rows; a row counts when read and again when merged.

    Raises:
        MicroloanError: a name that is no feed's, a file that fails as a whole, another process at
            the same store, or too many broken rows. The store stays as it was.
    """
    files = survey(delivery)
    with writing(store) as before:
        buckets = _buckets_of(store, before, buckets, files)
        feeds = _take(files, store, before, buckets, progress)
        published = {feed.table.name: feed.quarantine.publish(quarantine) for feed in feeds}
        _check_shares(feeds, tolerate, quarantine)
        delivered = {feed.table.name: feed.parts for feed in feeds}
        tables: dict[str, Mapping[int, Part]] = {**_tables(before), **delivered}
        tables |= derive(store, _tables(before), tables, buckets, read_weights(weights))
        news = _news(store, before, feeds, tables) if before else None
        snapshot, changed = commit(store, before, buckets, tables, news)
    return IngestSummary(
        tables={feed.table.name: feed.counts for feed in feeds},
        files={name: counts for feed in feeds for name, counts in feed.files.items()},
        quarantine={name: path for name, path in published.items() if path},
        changed=changed,
        snapshot=snapshot,
    )


def _tables(manifest: Manifest | None) -> dict[str, dict[int, Part]]:
    return dict(manifest.tables) if manifest else {}


def _buckets_of(
    store: Path, before: Manifest | None, wanted: int | None, files: Sequence[DeliveredFile]
) -> int:
    """Buckets are fixed with the first commit, from the size of the first delivery."""
    if before is None:
        needed = -(-sum(file.rows for file in files) // RECORDS_IN_BUCKET)
        return wanted or max(LEAST_BUCKETS, needed)
    if wanted not in (None, before.buckets):
        raise MicroloanError(
            f"The store {store} has {before.buckets} buckets, which is fixed; {wanted} were asked"
            " for. Leave the number out, or ingest into a new folder."
        )
    return before.buckets


def _take(
    files: Sequence[DeliveredFile],
    store: Path,
    before: Manifest | None,
    buckets: int,
    progress: Callable[[int, int], None] | None,
) -> list[Intake]:
    done, total = 0, 2 * sum(file.rows for file in files)

    def step(rows: int) -> None:
        nonlocal done
        done += rows
        if progress:
            progress(done, total)

    feeds = (
        Feed(list(each), store, buckets) for _, each in groupby(files, lambda file: file.table.name)
    )
    return [feed.take(_tables(before).get(feed.table.name, {}), step) for feed in feeds]


def _check_shares(feeds: Sequence[Intake], tolerate: float, quarantine: Path) -> None:
    for feed in feeds:
        counts = feed.counts
        if counts.quarantined > tolerate * counts.delivered:
            raise TooManyBroken(
                f"{feed.table.name}: {counts.quarantined:,} of {counts.delivered:,} rows are"
                f" broken, more than {tolerate:.1%}. Nothing was ingested. Hint: their rules"
                f" and values are in {quarantine / feed.quarantine.name}."
            )


def _news(
    store: Path,
    before: Manifest,
    feeds: Sequence[Intake],
    tables: Mapping[str, Mapping[int, Part]],
) -> pl.DataFrame:
    """How records differ from those before: new rows of the feeds, and what ingest makes anew."""
    found = [feed.news for feed in feeds]
    made = (t for t in TABLES.values() if t.entity == "business_id" and not t.delivered)
    for table in made:
        old, new = (parts.get(table.name, {}) for parts in (_tables(before), tables))
        for bucket in old.keys() | new.keys():
            parts = old.get(bucket), new.get(bucket)
            if parts[0] != parts[1]:
                found.append(differences(*(read_part(store, table, part) for part in parts)))
    return joined(found)
