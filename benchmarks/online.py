"""The online store: point reads among many businesses, and a refresh against a rebuild.

Point reads are from a store of as many rows as asked for, each with the content of one of 2,500
businesses. A refresh follows a delivery that restates the newest invoice, return and bill of 1 % of
the businesses, and another one comes on the next morning, when nothing is new and a seventh of the
businesses have their turn; both are held against a rebuild of the same store of records.

    python benchmarks/online.py --rows 1000000 --businesses 20000 --json
"""

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import apsw
import polars as pl
from cyclopts import App
from records import bucket
from rich.console import Console
from rich.progress import track
from rich.table import Table as Shown

from features.tables import TABLES
from pipelines.intake.store import commit, sort_key, write_part, writing
from pipelines.materialise import PUT, materialise
from serving.online import Online
from serving.records import Part, bucket_of

MONTHS = 48
FIRST = date(2026, 8, 6)  # the morning after the last record is known
PER_CHUNK = 2_500
PER_BUCKET = 3_000  # businesses whose records are about as many as ingest puts into a bucket
READS = 20_000
RESTATED = ("invoices", "tax_returns", "linked_bills")

app = App(help="Measure the online store.")
people = Console(stderr=True)


@app.default
def main(
    *,
    rows: int = 1_000_000,
    businesses: int = 20_000,
    share: float = 0.01,
    seed: int = 0,
    json: bool = False,
) -> None:
    """Fill a store and read from it; rebuild and refresh another.

    Parameters
    ----------
    rows
        Businesses of the store that is read from.
    businesses
        Businesses of the store that is refreshed.
    share
        Share of them with new records.
    """
    with tempfile.TemporaryDirectory() as folder:
        figures = {
            "refresh": _refresh(Path(folder) / "refresh", businesses, share, seed),
            "reads": _reads(Path(folder) / "reads", rows, seed),
        }
    _show(figures, as_json=json)


def _refresh(folder: Path, businesses: int, share: float, seed: int) -> dict[str, float]:
    store, online = folder / "store", folder / "online"
    tables = _tables(businesses, seed)
    _put(store, tables, None)
    rebuilt = _measured(lambda: materialise(store, online, first=FIRST))
    ids = tables["registrations"]["business_id"].unique().sort()
    changed = ids.sample(round(share * len(ids)), seed=seed)
    news = pl.DataFrame(
        {"business_id": changed, "since": pl.repeat(FIRST, len(changed), eager=True)}
    )
    _put(store, _restated(tables, changed), news)
    refreshed = _measured(lambda: materialise(store, online, first=FIRST))
    turn = _measured(lambda: materialise(store, online, first=FIRST + timedelta(days=1)))
    return {
        "businesses": businesses,
        "changed": len(changed),
        "rebuild_cpu_s": rebuilt[0],
        "rebuild_s": rebuilt[1],
        "refresh_cpu_s": refreshed[0],
        "refresh_s": refreshed[1],
        "share_of_cpu": refreshed[0] / rebuilt[0],
        "share_of_wall": refreshed[1] / rebuilt[1],
        "next_morning_cpu_s": turn[0],
        "next_morning_share_of_cpu": turn[0] / rebuilt[0],
    }


def _reads(folder: Path, rows: int, seed: int) -> dict[str, float]:
    store, online = folder / "store", folder / "online"
    _put(store, _tables(PER_CHUNK, seed), None)
    path = Path(materialise(store, online, first=FIRST).path)
    ids = _multiplied(path, rows)
    opened, random = Online(online), Random(seed)
    seconds, cpu = [], []
    for _ in track(range(READS), "reads", console=people):
        business = random.choice(ids)
        began, used = time.perf_counter(), time.thread_time()
        told = opened.told(business, FIRST)
        cpu.append(time.thread_time() - used)
        seconds.append(time.perf_counter() - began)
        assert told is not None
    seconds.sort()
    cpu.sort()
    return {
        "rows": len(ids),
        "file_mb": path.stat().st_size / 1e6,
        "p50_ms": 1000 * seconds[READS // 2],
        "p99_ms": 1000 * seconds[READS * 99 // 100],
        "p99_cpu_ms": 1000 * cpu[READS * 99 // 100],
        "worst_ms": 1000 * seconds[-1],
    }


def _tables(businesses: int, seed: int) -> dict[str, pl.DataFrame]:
    chunks = [
        bucket(first, min(PER_CHUNK, businesses - first), MONTHS, seed)
        for first in track(range(0, businesses, PER_CHUNK), "records", console=people)
    ]
    return {name: pl.concat([chunk[name] for chunk in chunks]) for name in chunks[0]}


def _put(store: Path, tables: dict[str, pl.DataFrame], news: pl.DataFrame | None) -> None:
    """Commit ``tables`` as the whole content of the store."""
    ids = pl.concat([rows["business_id"].unique() for rows in tables.values()]).unique()
    buckets = max(8, -(-len(ids) // PER_BUCKET))
    places = pl.DataFrame({"business_id": ids}).with_columns(
        pl.Series("bucket", [bucket_of(each, buckets) for each in ids], dtype=pl.Int64)
    )
    with writing(store) as before:
        parts = {name: dict(_parts(store, name, tables[name], places)) for name in tables}
        commit(store, before, buckets, parts, news)


def _parts(
    store: Path, name: str, rows: pl.DataFrame, places: pl.DataFrame
) -> Iterator[tuple[int, Part]]:
    placed = rows.join(places, on="business_id").partition_by("bucket", as_dict=True)
    for (number,), own in placed.items():
        table = TABLES[name]
        yield number, write_part(store, table, number, own.drop("bucket").sort(sort_key(table)))


def _restated(tables: dict[str, pl.DataFrame], changed: pl.Series) -> dict[str, pl.DataFrame]:
    """The tables after the newest record of some businesses in each department was restated."""
    after = dict(tables)
    for name in RESTATED:
        own = tables[name].filter(pl.col("business_id").is_in(changed.implode()))
        newest = own.group_by("business_id", maintain_order=True).last().select(own.columns)
        after[name] = pl.concat([tables[name], newest.with_columns(known_on=FIRST)])
    return after


def _multiplied(path: Path, rows: int) -> list[str]:
    """The ids of ``rows`` businesses, whose rows are those of ``path`` again and again."""
    file = apsw.Connection(str(path))
    made = list(file.execute("SELECT * FROM standing"))
    ids = [business for business, _, _ in made]
    with file:
        for number in track(range(len(ids), rows), "rows", console=people):
            _, last_day, content = made[number % len(made)]
            ids.append(f"9133MADE{number:010d}")
            file.execute(PUT, (ids[-1], last_day, content))
    file.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    file.close()
    os.sync()  # or reads would wait for the disk
    return ids


def _measured(work: Callable[[], Any]) -> tuple[float, float]:
    """CPU and wall seconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - cpu, time.perf_counter() - wall


def _show(figures: dict[str, dict[str, float]], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(figures, indent=2))
        return
    for title, found in figures.items():
        table = Shown("figure", "value", title=title)
        for name, value in found.items():
            table.add_row(name, f"{value:,.4g}")
        Console().print(table)


if __name__ == "__main__":
    app()
