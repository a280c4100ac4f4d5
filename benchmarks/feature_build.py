"""Features of many businesses: ``features.build`` by bucket against hand-written DuckDB SQL.

Both read the same Parquet files (one per table and bucket of businesses, sorted as the store sorts
them) with the same number of threads, turn about in fresh processes, and must agree on every value.

    python benchmarks/feature_build.py --businesses 200000 --json
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import duckdb
import polars as pl
from cyclopts import App, Parameter
from records import bucket
from rich.console import Console
from rich.progress import track
from rich.table import Table

from features.build import build
from features.catalog import CATALOG

PER_BUCKET = 2_500
ALONE = 200
SQL = Path(__file__).with_name("feature_build.sql")
TOLERANCE = 1e-9  # relative: DuckDB adds floats in another order

app = App(help=__doc__)
console = Console(stderr=True)


@app.default
def compare(
    *,
    businesses: int = 200_000,
    months: int = 48,
    rounds: int = 3,
    threads: int = 2,
    seed: int = 0,
    data: Path | None = None,
    as_json: Annotated[bool, Parameter("--json", negative="")] = False,
) -> None:
    """Time every engine ``rounds`` times, compare their results and print the medians."""
    with tempfile.TemporaryDirectory() as folder:
        files = data or Path(folder) / "records"
        records = write_records(files, businesses, months, seed)
        results = Path(folder)
        runs: dict[str, list[dict[str, float]]] = {engine: [] for engine in ENGINES}
        for _ in range(rounds):
            for engine in ENGINES:
                runs[engine].append(in_fresh_process(engine, files, results, threads))
        agreed = agreement(results)
    found = summary(runs) | agreed
    found |= {"businesses": businesses, "months": months, "records": records, "threads": threads}
    if as_json:
        print(json.dumps(found))
    else:
        show(found)


@app.command
def run(engine: str, files: Path, result: Path) -> None:
    """Build with one engine, write the table, and print seconds and peak memory as JSON."""
    start = time.perf_counter()
    table = ENGINES[engine](files)
    seconds = time.perf_counter() - start
    figures = {"seconds": seconds, "peak_mb": peak_memory_mb()}
    if engine == "build":
        figures |= one_alone(files)
    table.sort("application_id").write_parquet(result)
    print(json.dumps(figures))


def peak_memory_mb() -> float:
    """Most memory this program held (Linux); ``getrusage`` would count its parent's too."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    [peak] = [line.split()[1] for line in lines if line.startswith("VmHWM")]
    return int(peak) / 1024


def write_records(files: Path, businesses: int, months: int, seed: int) -> int:
    """Records of all businesses as ``<table>/<bucket>.parquet``; kept if they are there."""
    total = 0
    firsts = range(0, businesses, PER_BUCKET)
    for first in track(firsts, "drawing records", console=console, transient=True):
        mark = files / f"{first // PER_BUCKET:05d}.rows"
        if not mark.exists():
            tables = bucket(first, min(PER_BUCKET, businesses - first), months, seed)
            for name, rows in tables.items():
                (files / name).mkdir(parents=True, exist_ok=True)
                rows.write_parquet(files / name / f"{mark.stem}.parquet")
            mark.write_text(str(sum(rows.height for rows in tables.values())))
        total += int(mark.read_text())
    return total


def in_fresh_process(engine: str, files: Path, results: Path, threads: int) -> dict[str, float]:
    """Figures of one run; the threads of Polars are set before it is imported."""
    command = [sys.executable, __file__, "run", engine, str(files), str(results / engine)]
    environment = {**os.environ, "POLARS_MAX_THREADS": str(threads), "THREADS": str(threads)}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(done.stdout)
    console.print(f"{engine}: {figures['seconds']:.1f} s, {figures['peak_mb']:.0f} MB")
    return figures


def build_by_bucket(files: Path) -> pl.DataFrame:
    """``features.build`` on one bucket after another."""
    parts = []
    for name in bucket_files(files):
        tables = {folder.name: pl.read_parquet(folder / name) for folder in folders(files)}
        parts.append(build(tables["applications"], tables, CATALOG))
    return pl.concat(parts)


def sql_at_once(files: Path) -> pl.DataFrame:
    """The SQL over all files."""
    return sql(files, "*.parquet")


def sql_by_bucket(files: Path) -> pl.DataFrame:
    """The same SQL on one bucket after another."""
    return pl.concat([sql(files, name) for name in bucket_files(files)])


def sql(files: Path, names: str) -> pl.DataFrame:
    """The query over the files of each table that match ``names``."""
    query = SQL.read_text(encoding="utf-8")
    for folder in folders(files):
        query = query.replace(f"${folder.name}$", f"read_parquet('{folder}/{names}')")
    with duckdb.connect(config={"threads": os.environ["THREADS"]}) as connection:
        return connection.sql(query).pl()


def one_alone(files: Path) -> dict[str, float]:
    """Milliseconds of one business's features in a request, from its records in memory."""
    from serving.decision.rows import evidence  # here, for its memory is no engine's

    tables = {
        folder.name: pl.read_parquet(folder / bucket_files(files)[0]).partition_by(
            "business_id", as_dict=True
        )
        for folder in folders(files)
    }
    clock, cpu = [], []
    for key in list(tables["applications"])[:ALONE]:
        own = {name: parts[key] for name, parts in tables.items() if key in parts}
        application = asked(own["applications"].row(0, named=True))
        start, used = time.perf_counter(), time.process_time()
        evidence(application, own)
        cpu.append((time.process_time() - used) * 1e3)
        clock.append((time.perf_counter() - start) * 1e3)
    clock.sort()
    return {
        "alone_p50_ms": clock[len(clock) // 2],
        "alone_p99_ms": clock[int(len(clock) * 0.99)],
        "alone_cpu_ms": median(cpu),
    }


def asked(row: dict[str, Any]) -> Any:
    """A row of the applications as the service takes it."""
    from serving.decision.decide import Application

    return Application(
        application_id=row["application_id"],
        business_id=row["business_id"],
        revision=0,
        amount=row["amount_fen"] // 100,
        term_months=row["term_months"],
        purpose=row["purpose"],
        repayment=row["repayment"],
        applied_at=row["applied_at"],
    )


def folders(files: Path) -> list[Path]:
    """A folder per table."""
    return sorted(path for path in files.iterdir() if path.is_dir())


def bucket_files(files: Path) -> list[str]:
    """Names of the buckets' files, the same in every folder."""
    return sorted(path.name for path in (files / "applications").iterdir())


ENGINES: dict[str, Callable[[Path], pl.DataFrame]] = {
    "build": build_by_bucket,
    "duckdb": sql_at_once,
    "duckdb by bucket": sql_by_bucket,
}


def agreement(results: Path) -> dict[str, Any]:
    """Number of features compared, and the largest relative difference between any two engines.

    Raises:
        SystemExit: the engines disagree on a value, or on what is unknown.
    """
    ours = pl.read_parquet(results / "build")
    worst = 0.0
    compared: set[str] = set()
    for engine in set(ENGINES) - {"build"}:
        theirs = pl.read_parquet(results / engine)
        names = [f.name for f in CATALOG if f.name in theirs.columns]
        for name in names:
            a, b = ours[name].cast(pl.Float64), theirs[name].cast(pl.Float64)
            apart = ((a - b).abs() / (b.abs() + 1)).max()
            if not a.is_null().equals(b.is_null()) or (
                isinstance(apart, float) and apart > TOLERANCE
            ):
                raise SystemExit(f"{name}: build and {engine} disagree ({apart})")
            worst = max(worst, apart if isinstance(apart, float) else 0.0)
        compared |= set(names)
    return {"features": len(compared), "largest_difference": worst, "rows": ours.height}


def summary(runs: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    """Median seconds and peak memory per engine; the ratio is of the medians to the best SQL."""
    engines = {
        name: {key: median(run[key] for run in done) for key in done[0]}
        for name, done in runs.items()
    }
    best = min(engines[name]["seconds"] for name in engines if name != "build")
    return {"engines": engines, "sql_over_build": best / engines["build"]["seconds"]}


def show(found: dict[str, Any]) -> None:
    """Print the comparison for people."""
    table = Table("engine", "seconds", "records a second", "peak MB")
    for name, figures in found["engines"].items():
        rate = found["records"] / figures["seconds"]
        cells = (f"{figures['seconds']:.1f}", f"{rate:,.0f}", f"{figures['peak_mb']:,.0f}")
        table.add_row(name, *cells)
    console.print(table)
    ours = found["engines"]["build"]
    console.print(
        f"{found['features']} features of {found['rows']:,} applications agree within"
        f" {found['largest_difference']:.1e}; best SQL takes {found['sql_over_build']:.2f} times"
        f" as long as build. One business alone, {len(CATALOG)} features:"
        f" p50 {ours['alone_p50_ms']:.1f} ms, p99 {ours['alone_p99_ms']:.1f} ms,"
        f" {ours['alone_cpu_ms']:.1f} ms of CPU."
    )


if __name__ == "__main__":
    app()
