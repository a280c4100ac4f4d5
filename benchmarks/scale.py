"""``microloan features`` as the number of businesses grows: what one costs, and how much is held.

Stores are made of the records of `records.py`, 2,500 businesses a bucket, and computed in fresh
processes, the smallest first and again last, since a busy machine drifts.

    python benchmarks/scale.py --businesses 100000 300000 --json
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter
from feature_build import peak_memory_mb
from records import bucket
from rich.console import Console
from rich.progress import track
from rich.table import Table

from features.catalog import CATALOG
from features.tables import TABLES
from pipelines.engines import Kind, engine
from pipelines.intake.store import commit, write_part, writing
from pipelines.tabulate import tabulate

PER_BUCKET = 2_500
FLAT = 1.2

app = App(help=__doc__)
console = Console(stderr=True)


@app.default
def compare(
    *,
    businesses: Annotated[tuple[int, ...], Parameter(consume_multiple=True)] = (100_000, 300_000),
    months: int = 48,
    engine: Kind = "local",
    workers: int = 1,
    seed: int = 0,
    as_json: Annotated[bool, Parameter("--json", negative="")] = False,
) -> None:
    """Compute the features of each size and print what a business costs."""
    sizes = [*sorted(businesses), min(businesses)]
    with tempfile.TemporaryDirectory() as folder:
        for size in set(sizes):
            write_store(Path(folder) / str(size), size, months, seed)
        rows = [in_fresh_process(Path(folder), size, engine, workers) for size in sizes]
    least = min(row["cpu_ms_a_business"] for row in rows if row["businesses"] == min(sizes))
    most = max(row["cpu_ms_a_business"] for row in rows if row["businesses"] == max(sizes))
    found = {"engine": engine, "workers": workers, "rows": rows, "largest_to_least": most / least}
    if as_json:
        print(json.dumps(found))
    else:
        show(found)


def write_store(folder: Path, businesses: int, months: int, seed: int) -> None:
    """A store whose buckets were drawn one by one."""
    parts: dict[str, dict[int, Any]] = {}
    firsts = range(0, businesses, PER_BUCKET)
    with writing(folder) as before:
        for index, first in enumerate(track(firsts, "drawing records", console=console)):
            drawn = bucket(first, min(PER_BUCKET, businesses - first), months, seed)
            for name, rows in drawn.items():
                parts.setdefault(name, {})[index] = write_part(folder, TABLES[name], index, rows)
        commit(folder, before, len(firsts), parts)


def in_fresh_process(folder: Path, size: int, kind: Kind, workers: int) -> dict[str, Any]:
    """Figures of one run."""
    command = [sys.executable, __file__, "run", str(folder / str(size)), kind, str(workers)]
    environ = os.environ | {"POLARS_MAX_THREADS": "1"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environ)
    figures = json.loads(done.stdout)
    each = 1e3 * figures["cpu_seconds"] / size
    console.print(f"{size:,} businesses: {each:.3f} ms of CPU each")
    return {"businesses": size, **figures, "cpu_ms_a_business": each}


@app.command(show=False)
def run(store: Path, kind: Kind, workers: int) -> None:
    """Compute one store in this process; prints figures as JSON."""
    start, before = time.perf_counter(), cpu_seconds()
    out = store.with_name("features") / "applications.parquet"
    made = tabulate(store, out, CATALOG, engine=engine(kind, workers=workers))
    figures = {
        "applications": made.applications,
        "seconds": time.perf_counter() - start,
        "cpu_seconds": cpu_seconds() - before,
        "peak_mb": max(peak_memory_mb(), peak_of_workers_mb()),
    }
    print(json.dumps(figures))


def cpu_seconds() -> float:
    """CPU of this process and of the workers that have ended."""
    each = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(spent.ru_utime + spent.ru_stime for spent in each)


def peak_of_workers_mb() -> float:
    """Most memory that the largest of the workers has held (Linux)."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def show(found: dict[str, Any]) -> None:
    """A table for people."""
    table = Table(*found["rows"][0])
    for row in found["rows"]:
        table.add_row(
            *(
                f"{value:,.3f}" if isinstance(value, float) else f"{value:,}"
                for value in row.values()
            )
        )
    console.print(table)
    ratio = found["largest_to_least"]
    console.print(f"the largest costs {ratio:.2f}× of the least a business (bar: {FLAT}×)")


if __name__ == "__main__":
    app()
