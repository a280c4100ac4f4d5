"""The same few features by `features.build` and by the tools a bank might have used instead.

Each tool runs in a fresh process on the same files with one thread, writes what it computed, and
must agree with ``build``; beside it stands ``build`` of just those features. Spark is left out
where it is not installed. Ibis and Feast want an older DuckDB and pandas than ours: each is
run by the Python of an environment of its own, and left out without one.

    python benchmarks/feature_peers.py --businesses 20000 --ibis PYTHON --feast PYTHON --json
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import polars as pl
from cyclopts import App, Parameter
from feature_build import folders, write_records
from rich.console import Console
from rich.table import Table

SQL = Path(__file__).with_name("feature_peers.sql")
REGISTER = ("is_operating", "registered_capital")
FEATURES = (
    *REGISTER,
    "late_returns_24m",
    "missing_returns_24m",
    "amended_returns_24m",
    "tax_paid_12m",
    "months_since_return",
    "invoiced_sales_monthly_12m",
    "invoiced_sales_growth_12m",
    "months_without_invoice_12m",
    "invoices_monthly_12m",
    "customers_monthly_12m",
    "red_letter_share_12m",
)
ZONE = "Asia/Shanghai"
FEW = 50
TOLERANCE = 1e-9  # relative: others add floats in another order
ONE_THREAD = {"POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1", "PYSPARK_PYTHON": sys.executable}

app = App(help=__doc__)
console = Console(stderr=True)


@app.default
def compare(
    *,
    businesses: int = 5_000,
    months: int = 48,
    repeats: int = 1,
    seed: int = 0,
    ibis: Path | None = None,
    feast: Path | None = None,
    as_json: Annotated[bool, Parameter("--json", negative="")] = False,
) -> None:
    """Run every tool ``repeats`` times, turn about, and print the least CPU of each."""
    elsewhere = {"ibis": ibis, "feast": feast}
    with tempfile.TemporaryDirectory() as folder:
        files, few, results = Path(folder) / "records", Path(folder) / "few", Path(folder)
        records = write_records(files, businesses, months, seed)
        write_records(few, FEW, months, seed)
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in chosen(elsewhere)}
        for _ in range(repeats):
            for name, kept in runs.items():
                kept.append(in_fresh_process(name, (few, files), results, elsewhere))
        rows = [row(name, kept, runs, results) for name, kept in runs.items()]
    sizes = {"businesses": businesses, "months": months, "records": records}
    if as_json:
        print(json.dumps({**sizes, "tools": rows}))
    else:
        show(sizes, rows)


def chosen(elsewhere: Mapping[str, Path | None]) -> list[str]:
    """Names of the tools that can run."""
    here = [name for name in TOOLS if name != "spark" or find_spec("pyspark")]
    return [*here, *(name for name, python in elsewhere.items() if python)]


def in_fresh_process(
    name: str, files: tuple[Path, Path], results: Path, elsewhere: Mapping[str, Path | None]
) -> dict[str, float]:
    """Figures of one run."""
    out = results / f"{name}.parquet"
    command = [sys.executable, __file__, "run", name, *map(str, files), str(out)]
    if name in elsewhere:
        script = Path(__file__).with_name(f"feature_peers_{name}.py")
        command = [str(elsewhere[name]), str(script), *map(str, files), str(out)]
    done = subprocess.run(
        command, env=os.environ | ONE_THREAD, check=True, stdout=subprocess.PIPE, text=True
    )
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    console.print(f"{name}: {figures['cpu_seconds']:.1f} s of CPU")
    return figures


@app.command(show=False)
def run(name: str, few: Path, files: Path, out: Path) -> None:
    """Compute with one tool in this process; prints figures as JSON.

    What is loaded and compiled for the first ``few`` businesses does not count.
    """
    TOOLS[name](few)
    before, cpu, start = memory_mb(), time.process_time(), time.perf_counter()
    table, elsewhere = TOOLS[name](files)
    figures = {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu + elsewhere.get("cpu_seconds", 0.0),
        "peak_mb": memory_mb() + elsewhere.get("peak_mb", 0.0),
        "before_mb": before,
    }
    table.write_parquet(out)
    print(json.dumps(figures))


def memory_mb(process: int | str = "self") -> float:
    """Most memory a process has held (Linux)."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


Made = tuple[pl.DataFrame, dict[str, float]]


def by_build(files: Path) -> Made:
    """`features.build` of these features, one bucket after another."""
    return built(files, FEATURES)


def by_build_of_two(files: Path) -> Made:
    """`features.build` of the features that Feast can express."""
    return built(files, REGISTER)


def built(files: Path, names: tuple[str, ...]) -> Made:
    """`features.build` of some features."""
    from features.build import build
    from features.catalog import select

    features = select(names)
    sources = {feature.source.name for feature in features if feature.source}
    parts = []
    for path in sorted((files / "applications").iterdir()):
        tables = {name: pl.read_parquet(files / name / path.name) for name in sources}
        parts.append(build(pl.read_parquet(path), tables, features))
    return pl.concat(parts), {}


def by_pandas(files: Path) -> Made:
    """Merge, filter, sort, drop duplicates, group by."""
    tables = {
        name: pd.read_parquet(files / name)
        for name in ("applications", "registrations", "tax_returns", "invoices")
    }
    moments = tables["applications"][["application_id", "business_id", "applied_at"]].copy()
    day = moments.pop("applied_at").dt.tz_convert(ZONE).dt.tz_localize(None).dt.normalize()
    moments["applied_on"] = day
    parts = [
        pandas_register(moments, tables["registrations"]),
        pandas_tax(moments, tables["tax_returns"]),
        pandas_invoices(moments, tables["invoices"]),
    ]
    table = moments[["application_id"]]
    for part in parts:
        table = table.merge(part.reset_index(), on="application_id", how="left")
    return pl.from_pandas(table), {}


def pandas_known(moments: pd.DataFrame, records: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    """The last version of each key that was known on the day."""
    rows = moments.merge(records, on="business_id", suffixes=("", "_of_record"))
    for name in [name for name in rows.columns if name.endswith("_on") or name == "period"]:
        rows[name] = pd.to_datetime(rows[name])
    rows = rows[rows["known_on"] <= rows["applied_on"]]
    order = ["known_on", *(["amendment"] if "amendment" in rows.columns else [])]
    rows = rows.sort_values(order, kind="stable")
    return rows.drop_duplicates(["application_id", *key], keep="last")


def pandas_months(rows: pd.DataFrame, series: str) -> pd.DataFrame:
    """Months back from the application, and from the newest known month of the series."""
    day, period = rows["applied_on"].dt, rows["period"].dt
    length = rows["months"] if "months" in rows.columns else 1
    ago = 12 * (day.year - period.year) + day.month - period.month - (length - 1)
    newest = ago.groupby([rows["application_id"], rows[series]]).transform("min")
    return rows.assign(months_ago=ago, months_back=ago - newest)


def pandas_register(moments: pd.DataFrame, records: pd.DataFrame) -> pd.DataFrame:
    """State and capital."""
    rows = pandas_known(moments, records, []).set_index("application_id")
    return pd.DataFrame(
        {
            "is_operating": (rows["status"] == "operating").astype(float),
            "registered_capital": rows["registered_capital_fen"] * 0.01,
        }
    )


def pandas_tax(moments: pd.DataFrame, records: pd.DataFrame) -> pd.DataFrame:
    """Counts, sums and the newest return."""
    rows = pandas_months(pandas_known(moments, records, ["tax", "period"]), "tax")
    two_years = rows["months_back"] <= 23
    first = rows["amendment"] == 0
    due = rows["due_on"] < rows["applied_on"]
    rows = rows.assign(
        late_returns_24m=two_years & (rows["filed_on"] > rows["due_on"]) & first,
        missing_returns_24m=two_years & rows["filed_on"].isna() & due,
        amended_returns_24m=two_years & ~first,
        tax_paid_12m=rows["tax_paid_fen"].where(rows["months_back"] <= 11).fillna(0) * 0.01,
        months_since_return=rows["months_ago"].where(
            (rows["tax"] == "vat") & rows["filed_on"].notna()
        ),
    )
    sums = ["late_returns_24m", "missing_returns_24m", "amended_returns_24m", "tax_paid_12m"]
    known = rows.groupby("application_id")
    return known[sums].sum().join(known["months_since_return"].min())


def pandas_invoices(moments: pd.DataFrame, records: pd.DataFrame) -> pd.DataFrame:
    """Means, shares and growth of what was issued."""
    rows = pandas_months(pandas_known(moments, records, ["direction", "period"]), "direction")
    sales = rows[rows["direction"] == "sales"]
    year = sales[sales["months_back"] <= 11].groupby("application_id")
    before = sales[sales["months_back"].between(12, 23)].groupby("application_id")
    without = sales.assign(none=(sales["months_back"] <= 11) & (sales["invoices"] == 0))
    mean, amount = year["amount_fen"].mean(), year["amount_fen"].sum()
    earlier = before["amount_fen"].mean()
    everyone = rows["application_id"].drop_duplicates()
    return pd.DataFrame(
        {
            "invoiced_sales_monthly_12m": mean * 0.01,
            "invoiced_sales_growth_12m": mean / earlier.where(earlier > 0),
            "months_without_invoice_12m": without.groupby("application_id")["none"].sum(),
            "invoices_monthly_12m": year["invoices"].mean(),
            "customers_monthly_12m": year["counterparties"].mean(),
            "red_letter_share_12m": year["red_letter_fen"].sum() / amount.where(amount > 0),
        },
        index=pd.Index(everyone, name="application_id"),
    ).fillna({"months_without_invoice_12m": 0})


def statement(files: Path, table: str, day: str) -> str:
    """The SQL for an engine: how it names a table and a day in Shanghai."""
    text = SQL.read_text(encoding="utf-8").replace("$day$", day)
    for folder in folders(files):
        text = text.replace(f"${folder.name}$", table.format(name=folder.name, folder=folder))
    return text


def by_duckdb(files: Path) -> Made:
    """DuckDB's SQL over all files."""
    import duckdb

    query = statement(
        files,
        "read_parquet('{folder}/*.parquet')",
        f"CAST(timezone('{ZONE}', applied_at) AS DATE)",
    )
    with duckdb.connect(config={"threads": 1}) as connection:
        return connection.sql(query).pl(), {}


def by_spark(files: Path) -> Made:
    """Spark SQL with one local thread, in a JVM of its own."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
    builder = builder.config("spark.ui.showConsoleProgress", "false")
    builder = builder.config("spark.sql.shuffle.partitions", "8").config(
        "spark.driver.memory", "6g"
    )
    spark = builder.config("spark.sql.session.timeZone", "UTC").getOrCreate()
    for folder in folders(files):
        spark.read.parquet(str(folder)).createOrReplaceTempView(folder.name)
    machine = spark.sparkContext._gateway.proc.pid  # noqa: SLF001
    cpu = jvm_seconds(machine)
    query = statement(
        files,
        "{name}",
        f"CAST(from_utc_timestamp(applied_at, '{ZONE}') AS DATE)",
    )
    table = pl.from_arrow(spark.sql(query).toArrow())
    figures = {"cpu_seconds": jvm_seconds(machine) - cpu, "peak_mb": memory_mb(machine)}
    return table, figures


def jvm_seconds(process: int) -> float:
    """CPU a process has used."""
    spent = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(spent[11]) + int(spent[12])) / os.sysconf("SC_CLK_TCK")


TOOLS: dict[str, Callable[[Path], Made]] = {
    "build": by_build,
    "pandas": by_pandas,
    "duckdb": by_duckdb,
    "spark": by_spark,
    "build (2)": by_build_of_two,
}


def row(
    name: str, kept: list[dict[str, float]], runs: dict[str, list[dict[str, float]]], results: Path
) -> dict[str, Any]:
    """Figures of a tool, and how they compare with ``build`` of the same features."""
    table = pl.read_parquet(results / f"{name}.parquet")
    features = [feature for feature in FEATURES if feature in table.columns]
    ours = "build" if len(features) == len(FEATURES) else "build (2)"
    agree(name, table, pl.read_parquet(results / f"{ours}.parquet"), features)
    best = min(kept, key=lambda run: run["cpu_seconds"])
    times = best["cpu_seconds"] / min(run["cpu_seconds"] for run in runs[ours])
    figures = {what: best[what] for what in ("cpu_seconds", "seconds", "peak_mb")}
    return {"tool": name, "features": len(features), **figures, "times_build": times}


def agree(name: str, theirs: pl.DataFrame, ours: pl.DataFrame, features: list[str]) -> None:
    """Stop if a value differs, or is unknown to one alone."""
    theirs, ours = theirs.sort("application_id"), ours.sort("application_id")
    for feature in features:
        a, b = theirs[feature].cast(pl.Float64).fill_nan(None), ours[feature].cast(pl.Float64)
        apart = ((a - b).abs() / (b.abs() + 1)).max() or 0.0
        if not a.is_null().equals(b.is_null(), check_names=False) or apart > TOLERANCE:
            raise SystemExit(f"{feature}: {name} and build disagree ({apart})")


def show(sizes: dict[str, int], rows: list[dict[str, Any]]) -> None:
    """A table for people."""
    told = Table(*rows[0], title=str(sizes))
    for figures in rows:
        told.add_row(*(f"{x:,.2f}" if isinstance(x, float) else str(x) for x in figures.values()))
    console.print(told)


if __name__ == "__main__":
    app()
