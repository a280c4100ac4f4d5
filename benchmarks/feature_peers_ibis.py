"""The features of `feature_peers.py` as Ibis expressions, run by an environment of Ibis' own."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import ibis
import polars as pl
from ibis import _

ZONE = "Asia/Shanghai"


def main(few: Path, files: Path, out: Path) -> None:
    """Write the features of every application; print figures as JSON.

    What is loaded for the first ``few`` businesses does not count.
    """
    features(few)
    cpu, start = time.process_time(), time.perf_counter()
    table = features(files)
    figures = {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu,
        "peak_mb": peak_mb(),
    }
    table.write_parquet(out)
    print(json.dumps(figures))


def peak_mb() -> float:
    """Most memory this process has held (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def features(files: Path) -> pl.DataFrame:
    """Ibis expressions, run by DuckDB."""
    con = ibis.duckdb.connect(threads=1)
    table = {
        path.name: con.read_parquet(f"{path}/*.parquet")
        for path in files.iterdir()
        if path.is_dir()
    }
    con.raw_sql(f"SET TimeZone = '{ZONE}'")
    local = table["applications"].select(
        "application_id", "business_id", applied_on=_.applied_at.cast("date")
    )

    def known(name: str, key: list[str], order: list[str]) -> Any:
        versions = table[name].mutate(
            ended_on=_.known_on.lead().over(group_by=["business_id", *key], order_by=order)
        )
        seen = local.join(versions, "business_id")
        return seen.filter(
            _.known_on <= _.applied_on, _.ended_on.isnull() | (_.ended_on > _.applied_on)
        )

    def dated(rows: Any, series: str) -> Any:
        length = _.months - 1 if "months" in rows.columns else 0
        ago = 12 * (_.applied_on.year() - _.period.year())
        rows = rows.mutate(months_ago=ago + _.applied_on.month() - _.period.month() - length)
        newest = _.months_ago.min().over(group_by=["application_id", series])
        return rows.mutate(months_back=_.months_ago - newest)

    register = known("registrations", [], ["known_on"]).select(
        "application_id",
        is_operating=(_.status == "operating").cast("float64"),
        registered_capital=_.registered_capital_fen * 0.01,
    )
    returns = dated(known("tax_returns", ["tax", "period"], ["known_on", "amendment"]), "tax")
    recent = _.months_back <= 23
    tax = returns.group_by("application_id").aggregate(
        late_returns_24m=(recent & (_.filed_on > _.due_on) & (_.amendment == 0)).sum(),
        missing_returns_24m=(recent & _.filed_on.isnull() & (_.due_on < _.applied_on)).sum(),
        amended_returns_24m=(recent & (_.amendment > 0)).sum(),
        tax_paid_12m=_.tax_paid_fen.sum(where=_.months_back <= 11).fill_null(0) * 0.01,
        months_since_return=_.months_ago.min(where=(_.tax == "vat") & _.filed_on.notnull()),
    )
    invoices = dated(known("invoices", ["direction", "period"], ["known_on"]), "direction")
    year = (_.direction == "sales") & (_.months_back <= 11)
    before = (_.direction == "sales") & _.months_back.between(12, 23)
    invoiced = invoices.group_by("application_id").aggregate(
        invoiced_sales_monthly_12m=_.amount_fen.mean(where=year) * 0.01,
        invoiced_sales_growth_12m=_.amount_fen.mean(where=year)
        / _.amount_fen.mean(where=before).nullif(0),
        months_without_invoice_12m=(year & (_.invoices == 0)).sum(),
        invoices_monthly_12m=_.invoices.mean(where=year),
        customers_monthly_12m=_.counterparties.mean(where=year),
        red_letter_share_12m=_.red_letter_fen.sum(where=year)
        / _.amount_fen.sum(where=year).nullif(0),
    )
    rows = local.select("application_id")
    for part in (register, tax, invoiced):
        rows = rows.left_join(part, "application_id", rname="{name}_again")
        rows = rows.drop("application_id_again")
    return rows.to_polars()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
