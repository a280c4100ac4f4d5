"""Electricity bills against sales, against tariff tables, and against real meters."""

from collections.abc import Iterator

import polars as pl

from pipelines.world.report.evidence import Evidence
from pipelines.world.report.marginal import Marginal, around

WORKSHOPS = ("garments", "weaving", "machinery")
KWH = {
    "retail": 700, "wholesale": 450, "catering": 2_600, "garments": 2_200, "weaving": 9_000,
    "services": 700, "transport": 600, "construction": 600, "information": 500,
}  # fmt: skip
REAL = "1,129 meters of firms in Jiangsu, 2015–16 (Tianchi), quoted; tolerance ours"


def marginals(evidence: Evidence) -> Iterator[Marginal]:
    """Everything the utility's feeds can be held against."""
    yield from _levels(evidence)
    yield from _with_sales(evidence)
    yield from _unmatched(evidence)
    yield from _payment(evidence)
    yield from _rhythm(evidence)


def _levels(evidence: Evidence) -> Iterator[Marginal]:
    found = dict(
        evidence.power.group_by("true_trade", "meter_id")
        .agg(pl.col("quantity").median())
        .group_by("true_trade")
        .agg(pl.col("quantity").median(), pl.len().alias("meters"))
        .select("true_trade", pl.struct("quantity", "meters"))
        .iter_rows()
    )
    for trade, target in KWH.items():
        low, high = around(target, 0.35)
        one = found[trade]
        name = f"kWh a month, median meter: {trade}"
        source = "C2; tolerance ours"
        yield Marginal("electricity", name, low, high, source, one["quantity"], one["meters"])


def with_sales(evidence: Evidence) -> pl.DataFrame:
    """Log kWh and log declared sales of the last whole year, of those taxed on accounts."""
    year = int(evidence.returns["period"].dt.year().max()) - 1  # type: ignore[arg-type]
    sales = (
        evidence.returns.filter(
            pl.col("tax") == "vat", pl.col("levy") == "actual", pl.col("sales_fen") > 0,
            pl.col("period").dt.year() == year,
        ).group_by("business_id").agg(pl.col("sales_fen").sum().log().alias("sales"))
    )  # fmt: skip
    power = (
        evidence.power.filter(pl.col("period").dt.year() == year, pl.col("quantity") > 0)
        .group_by("business_id", "true_trade")
        .agg(pl.col("quantity").sum().log().alias("power"))
    )
    return power.join(sales, on="business_id").sort("business_id")


def _with_sales(evidence: Evidence) -> Iterator[Marginal]:
    both = with_sales(evidence)
    for trade, low, high in (("garments", 0.65, 0.85), ("retail", 0.40, 0.60)):
        rows = both.filter(pl.col("true_trade") == trade)
        found = rows.select(pl.corr("power", "sales")).item()
        name = f"correlation of log kWh and log declared sales: {trade}"
        yield Marginal("electricity", name, low, high, "J4", found, rows.height)


def _unmatched(evidence: Evidence) -> Iterator[Marginal]:
    matched = evidence.power["business_id"].unique().implode()
    household = pl.col("legal_form").cast(pl.String) == "household"
    found = dict(
        evidence.businesses.group_by(household.alias("household"))
        .agg((~pl.col("business_id").is_in(matched)).mean())
        .iter_rows()
    )
    size = evidence.businesses.height
    yield Marginal(
        "meters", "companies without a matched meter", 0.12, 0.16, "J4", found[False], size, "%"
    )
    yield Marginal(
        "meters", "households without a matched meter", 0.27, 0.33, "J4", found[True], size, "%"
    )


def _payment(evidence: Evidence) -> Iterator[Marginal]:
    bills = evidence.feed("utility_bills").sort("known_on")
    last = bills.unique(["meter_id", "period"], keep="last", maintain_order=True)
    old = last.filter(
        pl.col("due_on") < pl.lit(last["known_on"].max()).dt.offset_by("-3mo"),
        pl.col("quantity") > 0,
    )
    late = pl.col("paid_on").is_null() | (pl.col("paid_on") > pl.col("due_on"))
    paid = old.filter(pl.col("paid_on").is_not_null())
    days = (paid["paid_on"] - paid["due_on"]).dt.total_days()
    first = bills.unique(["meter_id", "period"], keep="first", maintain_order=True)
    for name, low, high, share, unit in (
        ("bills paid late or never", 0.05, 0.08, old.select(late.mean()).item(), old.height),
        ("bills paid more than 30 days late", 0.002, 0.008, float((days > 30).mean()), len(days)),  # type: ignore[arg-type]
        ("bills first estimated", 0.015, 0.025, float(first["estimated"].mean()), first.height),  # type: ignore[arg-type]
    ):
        yield Marginal("meters", name, low, high, "C2, E2; tolerance ours", share, unit, "%")


def workshop_months(evidence: Evidence) -> pl.DataFrame:
    """Workshops' meters that ran in nine months of ten, by month, over each meter's mean."""
    rows = evidence.power.filter(pl.col("true_trade").is_in(WORKSHOPS)).sort("meter_id", "period")
    mean = pl.col("quantity").mean().over("meter_id")
    used = (pl.col("quantity") > 0.05 * mean).mean().over("meter_id")
    return rows.filter(used >= 0.9, pl.len().over("meter_id") >= 24).with_columns(
        (pl.col("quantity") / mean).alias("index")
    )


def _rhythm(evidence: Evidence) -> Iterator[Marginal]:
    """Held against firms whose February holds most of Spring Festival, as 2015 and 2016 did."""
    rows = workshop_months(evidence)
    festive = rows.filter(
        pl.col("period").dt.month() == 2, pl.col("period").dt.year().is_in([2021, 2022, 2024])
    )
    usual = rows.filter(pl.col("period").dt.month() != 2)
    mean = float(festive["index"].mean() / usual["index"].mean()) if festive.height else None  # type: ignore[operator, arg-type]
    name = "workshops' electricity in a festive February over other months"
    yield Marginal("electricity", name, 0.60, 0.80, REAL, mean, festive.height)
    logs = rows.filter(pl.col("quantity") > 0).with_columns(pl.col("quantity").log().alias("log"))
    lag = pl.col("log").shift(1).over("meter_id")
    pairs = logs.with_columns(lag.alias("lag")).drop_nulls("lag")
    for title, low, high, each in (
        ("variation of a workshop's months (sd over mean), median", 0.24, 0.48,
         rows.group_by("meter_id").agg(f=pl.col("quantity").std() / pl.col("quantity").mean())),
        ("correlation of log kWh with the month before, median", 0.25, 0.60,
         pairs.group_by("meter_id").agg(f=pl.corr("log", "lag"))),
        ("sd of the change of log kWh in a month, median", 0.28, 0.52,
         pairs.group_by("meter_id").agg(f=(pl.col("log") - pl.col("lag")).std())),
    ):  # fmt: skip
        middle = each.select(pl.col("f").drop_nans().median()).item()
        yield Marginal("electricity", title, low, high, REAL, middle, each.height)
