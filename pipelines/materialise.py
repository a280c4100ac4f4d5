"""Make what the sources tell of every business ahead of the requests, for the days to come.

A business is made anew when its records changed or its span has ended; spans end in turn, those of
one share of the businesses a day, so that no day makes everybody. All are made when nobody knows
whose records changed, or when the features did. A refresh is one transaction on the file that
is read. A rebuild fills a file of its own, bucket by bucket, and goes on where it was killed; then
the file ``current`` names it. ``serving.online`` is the read side.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import apsw
import msgspec
import polars as pl

from features.errors import MicroloanError
from features.spans import moments_of, spans
from pipelines.alone import alone
from pipelines.intake.news import news_since
from serving import durable
from serving.decision.sources import dates_as_of
from serving.online import CURRENT, SCHEMA, contract, current
from serving.records import Records, bucket_of, share_of

DAYS = 7
TOGETHER = 3_000  # businesses computed in one go: about those of a bucket
MOST_REFRESHED = 0.5  # a larger share is rebuilt
FILLED = "CREATE TABLE IF NOT EXISTS filled (bucket INTEGER PRIMARY KEY) STRICT;"
PUT = "INSERT OR REPLACE INTO standing VALUES (?, ?, ?)"
TELL = "INSERT OR REPLACE INTO about VALUES (?, ?)"
ENDED = "SELECT business_id FROM standing WHERE last_day < ?"
LAST = "SELECT max(last_day) FROM standing"
COUNT = "SELECT count(*) FROM standing"

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Materialised:
    """What was made: businesses in all and made anew, for which days, from which records."""

    businesses: int
    made: int
    rebuilt: bool
    first: date
    days: int
    snapshot: str
    path: str


@dataclass(frozen=True)
class _Making:
    """From which records, for which days, and who is told of progress."""

    records: Records
    first: date
    days: int
    progress: Progress | None

    def rows(self, tables: Mapping[str, pl.DataFrame]) -> Iterator[tuple[str, int, bytes]]:
        """Rows of the table ``standing`` for all businesses of ``tables``."""
        businesses = _businesses(tables)
        made = spans(businesses, tables, self.first, list(map(self._longest, businesses)))
        days = [map(msgspec.msgpack.encode, _clean(aging)) for aging in made.daily]
        first = self.first.toordinal()
        dates = self._dates(businesses, tables)
        told = zip(businesses, _clean(made.lasting), dates, made.lengths, strict=True)
        for business, lasting, newest, length in told:
            daily = [next(day) for day in days[:length]]
            content = msgspec.msgpack.encode((first, lasting, newest, daily))
            yield business, first + length - 1, content

    def about(self) -> dict[str, str]:
        """What is told of a file that holds all of this."""
        return {
            "contract": contract(),
            "snapshot": self.records.snapshot,
            "first": self.first.isoformat(),
        }

    def step(self, done: int, total: int) -> None:
        if self.progress:
            self.progress(done, total)

    def made(self, file: apsw.Connection, path: Path, made: int, *, rebuilt: bool) -> Materialised:
        businesses = file.execute(COUNT).get
        snapshot = self.records.snapshot
        return Materialised(businesses, made, rebuilt, self.first, self.days, snapshot, str(path))

    def _longest(self, business: str) -> int:
        """Days to the next on which the business's turn comes, whatever happens in between."""
        turn = share_of(business, self.records.buckets, self.days)
        return self.days - (self.first.toordinal() + turn) % self.days

    def _dates(
        self, businesses: pl.Series, tables: Mapping[str, pl.DataFrame]
    ) -> Iterator[tuple[int | None, ...]]:
        """Newest day of each dated table as an ordinal, a tuple per business."""
        since_1970 = dates_as_of(moments_of(businesses, self.first), tables).cast(pl.Int32)
        return since_1970.select(pl.all() + date(1970, 1, 1).toordinal()).iter_rows()


def materialise(
    store: Path,
    online: Path,
    *,
    first: date,
    days: int = DAYS,
    progress: Progress | None = None,
) -> Materialised:
    """Bring the online store in the folder ``online`` up to the records of ``store``.

    Args:
        store: the records.
        online: made if it is not there.
        first: first day that is wanted; a span that reaches it stays as it is.
        days: longest span of what is made now, and in how many days everybody's turn comes.
        progress: told (done, in all) in buckets, or in steps of a refresh.

    Raises:
        AnotherWriter: another process writes the online store.
        MicroloanError: there is no store of records.
    """
    if days < 1:
        raise MicroloanError(f"days is {days}; a span has at least 1.")
    making = _Making(Records.open(store), first, days, progress)
    with alone(online, "materialising into"):
        changed = _changed(store, online, making)
        if changed is None:
            return _rebuild(online, making)
        return _refresh(online / current(online), sorted(changed), making)


def _changed(store: Path, online: Path, making: _Making) -> set[str] | None:
    """Businesses to make anew; None for everybody."""
    if not current(online):
        return None
    with closing(_open(online / current(online))) as file:
        about: dict[str, str] = dict(file.execute("SELECT name, value FROM about"))
        if about["contract"] != contract() or date.fromisoformat(about["first"]) > making.first:
            return None
        news = news_since(store, about["snapshot"], making.records.snapshot)
        if news is None:
            return None
        last = date.fromordinal(max(file.execute(LAST).get or 0, making.first.toordinal()))
        heard = news.filter(pl.col("since") <= last)["business_id"]
        ended = file.execute(ENDED, (making.first.toordinal(),))
        changed = {*heard, *(business for (business,) in ended)}
        return changed if len(changed) <= MOST_REFRESHED * file.execute(COUNT).get else None


def _refresh(path: Path, changed: Sequence[str], making: _Making) -> Materialised:
    """Replace the rows of some businesses, all in one transaction."""
    buckets = making.records.buckets
    ordered = sorted(changed, key=lambda business: bucket_of(business, buckets))
    with closing(_open(path)) as file:
        with file:
            for at in range(0, len(ordered), TOGETHER):
                some = ordered[at : at + TOGETHER]
                file.executemany(PUT, making.rows(making.records.businesses(some)))
                making.step(at + len(some), len(ordered))
            file.executemany(TELL, making.about().items())
        return making.made(file, path, len(ordered), rebuilt=False)


def _rebuild(online: Path, making: _Making) -> Materialised:
    """Fill a file with everybody, a transaction per bucket, then make it the current one."""
    path = _target(online, making)
    _prune(online, keep=(path.name, current(online)))
    buckets = making.records.buckets
    with closing(_open(path)) as file:
        file.execute(SCHEMA + FILLED)
        filled = {bucket for (bucket,) in file.execute("SELECT bucket FROM filled")}
        for bucket in range(buckets):
            if bucket not in filled:
                with file:
                    file.executemany(PUT, making.rows(making.records.bucket(bucket)))
                    file.execute("INSERT INTO filled VALUES (?)", (bucket,))
            making.step(bucket + 1, buckets)
        with file:
            file.execute("DROP TABLE filled; CREATE INDEX ending ON standing (last_day);")
            file.executemany(TELL, making.about().items())
        file.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        made = making.made(file, path, file.execute(COUNT).get, rebuilt=True)
    durable.sync(path)
    durable.write(online / CURRENT, path.name.encode())
    return made


def _target(online: Path, making: _Making) -> Path:
    """The file of this rebuild: the same one if it was killed, never the one that is read."""
    named = f"{making.about()} {making.days}"
    names = (f"{hashlib.sha256((named + again).encode()).hexdigest()[:16]}.db" for again in " +")
    return online / next(name for name in names if name != current(online))


def _prune(online: Path, keep: Sequence[str]) -> None:
    """Remove files of rebuilds that nobody goes on with, and what was read before the current."""
    for path in online.glob("*.db*"):
        if path.name.partition(".db")[0] + ".db" not in keep:
            path.unlink()


def _businesses(tables: Mapping[str, pl.DataFrame]) -> pl.Series:
    ids = [table["business_id"].unique() for table in tables.values()]
    return pl.concat([pl.Series("business_id", dtype=pl.String), *ids]).unique().sort()


def _clean(told: pl.DataFrame) -> Iterator[tuple[float | str | None, ...]]:
    """Rows as decisions read them: what is no finite number is unknown."""
    finite = pl.when(pl.col(pl.Float64).is_finite()).then(pl.col(pl.Float64))
    return told.with_columns(finite).iter_rows()


def _open(path: Path) -> apsw.Connection:
    """A writing connection; what a power cut takes, the next run makes again."""
    file = apsw.Connection(str(path))
    file.pragma("journal_mode", "wal")
    file.pragma("synchronous", 1)  # NORMAL
    return file
