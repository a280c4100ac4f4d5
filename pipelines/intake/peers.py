"""Comparing all businesses of the store with each other, four times a year, as known on that day.

A comparison of a day is reckoned from what was known on its morning, so it stands once reckoned: a
delivery touches none before the first day of which it tells something new. Two passes keep memory
to a bucket and to a day: what each bucket tells is set aside by day, what a day makes of it by
bucket.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path

import polars as pl

from features.standing import SOURCES, measured, standings
from features.tables import PEERS, REGISTRATIONS, TABLES
from pipelines.intake.staging import Staged
from pipelines.intake.store import STAGING, read_part, sort_key, write_part
from serving.records import Part

Parts = Mapping[str, Mapping[int, Part]]
MEASURED = tuple(name for name in SOURCES if name != REGISTRATIONS.name)
MONTHS_READ = 36  # of history: no measure looks further back


def compare(store: Path, before: Parts, tables: Parts, buckets: int) -> Mapping[int, Part]:
    """The parts of ``peers``: every comparison is made anew that can differ from ``before``.

    Args:
        store: the store, whose right to write is held.
        before: parts by table and bucket as committed.
        tables: the same as they are to be committed.
        buckets: number of buckets.
    """
    stood = before.get(PEERS.name, {})
    since = _first_change(store, before, tables) if PEERS.name in before else date.min
    days = [day for day in _days(store, tables) if since and day >= since]
    if not days:
        return stood
    compared = Staged(PEERS.name, PEERS.entity, buckets, store / STAGING)
    for known in _measured_by_day(store, tables, days, buckets):
        compared.add(standings(known))
    return _merged(store, stood, compared, days[0], buckets)


def _first_change(store: Path, before: Parts, tables: Parts) -> date | None:
    """The first day of which something else is known now; None where all is as it was.

    A day that had not come yet when the store was last written to was not compared.
    """
    days: list[date] = []
    for name in SOURCES:
        then, now = before.get(name, {}), tables.get(name, {})
        for bucket in then.keys() | now.keys():
            if then.get(bucket) != now.get(bucket):
                both = [read_part(store, TABLES[name], each.get(bucket)) for each in (then, now)]
                rows = pl.concat(both)
                days.extend(rows.filter(rows.is_unique())["known_on"].unique())
    return min([*days, *_known_on(store, before)[-1:]]) if days else None


def _days(store: Path, tables: Parts) -> list[date]:
    """One after every quarter in which something was known, from the first to the newest.

    Before the first record of what is measured nobody can be compared, however old the register.
    """
    known = pl.Series(_known_on(store, tables), dtype=pl.Date)
    told = _known_on(store, tables, MEASURED)
    days = known.to_frame("known_on").select(_compared_on(pl.col("known_on")).unique().sort())
    return [day for day in days.to_series() if told and told[0] <= day <= known[-1]]


def _known_on(store: Path, tables: Parts, sources: Sequence[str] = SOURCES) -> list[date]:
    """All days on which a record of ``sources`` was known first, oldest first."""
    parts = [part for name in sources for part in tables.get(name, {}).values()]
    if not parts:
        return []
    known = pl.concat(pl.scan_parquet(store / part.file).select("known_on") for part in parts)
    return known.unique().sort("known_on").collect()["known_on"].to_list()


def _compared_on(known_on: pl.Expr) -> pl.Expr:
    """The next first of February, May, August or November: a quarter's returns are in by then."""
    quarter = known_on.dt.offset_by("-1d").dt.offset_by("-1mo").dt.truncate("1q")
    return quarter.dt.offset_by("4mo")


def _measured_by_day(
    store: Path, tables: Parts, days: list[date], buckets: int
) -> Iterable[pl.DataFrame]:
    """What is known of all businesses on each of ``days``; a few days may come at once."""
    aside = Staged("measured", "day", len(days), store / STAGING)
    for bucket in range(buckets):
        records = {
            name: read_part(store, TABLES[name], tables.get(name, {}).get(bucket))
            for name in SOURCES
        }
        for day in days:
            then = {name: _then(rows, day) for name, rows in records.items()}
            businesses = then[REGISTRATIONS.name]["business_id"].unique().sort()
            known = measured(businesses, then, day)
            aside.add(known.with_columns(pl.col("known_on").cast(pl.String).alias("day")))
    for index in range(len(days)):
        known_by_all = aside.bucket(index)
        if known_by_all is not None:
            yield known_by_all.drop("day")


def _then(rows: pl.DataFrame, day: date) -> pl.DataFrame:
    """The records that a comparison of the day can need: ``build`` cuts time, this saves it."""
    needed = pl.col("known_on") <= day
    if "period" in rows.columns:
        needed &= pl.col("period") >= pl.lit(day).dt.offset_by(f"-{MONTHS_READ}mo")
    return rows.filter(needed)


def _merged(
    store: Path, stood: Mapping[int, Part], compared: Staged, first: date, buckets: int
) -> dict[int, Part]:
    """The comparisons before ``first`` as they stood, and the new ones."""
    parts = {}
    for bucket in range(buckets):
        earlier = read_part(store, PEERS, stood.get(bucket)).filter(pl.col("known_on") < first)
        new = compared.bucket(bucket)
        rows = earlier if new is None else pl.concat([earlier, new])
        if rows.height:
            parts[bucket] = write_part(store, PEERS, bucket, rows.sort(sort_key(PEERS)))
    return parts
