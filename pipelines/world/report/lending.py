"""The bank's past against published default rates, and the truth about its groups."""

from collections.abc import Iterator

import polars as pl

from pipelines.world.report.evidence import Evidence, rates
from pipelines.world.report.marginal import Marginal, around, steps_back

AGE_NAMES = ("under 1 year", "1–2 years", "2–3 years", "3–5 years", "5–10 years", "over 10 years")
SIZE_NAMES = ("under 0.2 m", "0.2–0.5 m", "0.5–1.2 m", "1.2–5 m", "over 5 m")
BY_AGE = (0.13, 0.095, 0.078, 0.061, 0.047, 0.036)
BY_SIZE = (0.086, 0.067, 0.055, 0.046, 0.033)
BY_TRADE = {
    "construction": 0.085, "catering": 0.076, "garments": 0.067, "wholesale": 0.066,
    "transport": 0.070, "retail": 0.059, "machinery": 0.058, "weaving": 0.058,
    "services": 0.055, "information": 0.058,
}  # fmt: skip


def marginals(evidence: Evidence) -> Iterator[Marginal]:
    """Default rates (mean true probability of all decided applications) and the loan book."""
    yield from _levels(evidence)
    yield from _by_group(evidence)
    yield from _vintages(evidence)
    yield from _timing(evidence)
    yield from _cash(evidence)
    yield from _fairness(evidence)


def _levels(evidence: Evidence) -> Iterator[Marginal]:
    decided, granted = evidence.decided, evidence.granted
    door, book = float(decided["true_pd"].mean()), float(granted["true_pd"].mean())  # type: ignore[arg-type]
    yield _rate("bad rate through the door", 0.053, 0.067, door, decided.height)
    yield _rate("bad rate of the granted", 0.021, 0.029, book, granted.height)
    share = granted.height / decided.height
    yield _rate("share of applications granted", 0.43, 0.47, share, decided.height)


def _by_group(evidence: Evidence) -> Iterator[Marginal]:
    decided = evidence.decided
    yield from _bands(decided, "age_band", "age", AGE_NAMES, BY_AGE)
    yield from _bands(decided, "size_band", "yearly sales", SIZE_NAMES, BY_SIZE)
    found = rates(decided, "true_trade")
    for trade, target in BY_TRADE.items():
        low, high = around(target, 0.15)
        size = decided.filter(pl.col("true_trade") == trade).height
        yield _rate(f"bad rate: {trade}", low, high, found.get(trade), size)
    form = rates(decided, "household")
    for household, name, target in ((True, "households", 0.069), (False, "companies", 0.057)):
        low, high = around(target, 0.15)
        size = decided.filter(pl.col("household") == household).height
        yield _rate(f"bad rate: {name}", low, high, form.get(household), size)


def _bands(
    rows: pl.DataFrame, column: str, what: str, names: tuple[str, ...], targets: tuple[float, ...]
) -> Iterator[Marginal]:
    found = rates(rows, column)
    for place, (name, target) in enumerate(zip(names, targets, strict=True)):
        low, high = around(target, 0.20)
        size = rows.filter(pl.col(column) == place).height
        yield _rate(f"bad rate by {what}: {name}", low, high, found.get(place), size)
    back = float(steps_back(list(found.values())))
    yield Marginal("default", f"bad rate falls with {what}: steps back", 0, 0, "J4", back)


def _rate(name: str, low: float, high: float, measured: float | None, sample: int) -> Marginal:
    return Marginal("default", name, low, high, "J4, D5", measured, sample, "%")


def _vintages(evidence: Evidence) -> Iterator[Marginal]:
    """Only a province whose loan book reaches back to 2019 can show these."""
    month = pl.col("applied_on").dt.month()
    decided = evidence.decided.with_columns(
        (
            pl.col("applied_on").dt.year().cast(pl.String)
            + pl.when(month <= 6).then(pl.lit("-H1")).otherwise(pl.lit("-H2"))
        ).alias("half")
    )
    by_half, by_year = (
        rates(decided, "half"),
        rates(
            decided.with_columns(pl.col("applied_on").dt.year().cast(pl.String).alias("year")),
            "year",
        ),
    )
    base = by_year.get("2019")
    for name, found, target in (
        ("2020-H1", by_half.get("2020-H1"), 1.6),
        ("2022", by_year.get("2022"), 1.35),
    ):
        ratio = found / base if base and found else None
        note = "" if ratio else "the loan book does not hold 2019 and this vintage"
        low, high = around(target, 0.15)
        title = f"true default probability of {name} over that of 2019"
        yield Marginal("default", title, low, high, "J4, D5", ratio, note=note)


def _timing(evidence: Evidence) -> Iterator[Marginal]:
    """Of the bullet loans that are 90 days late within two years, how many are by month 12, 15."""
    since = (pl.col("period").dt.year() - pl.col("granted_on").dt.year()) * 12 + (
        pl.col("period").dt.month().cast(pl.Int32) - pl.col("granted_on").dt.month()
    )
    last = evidence.feed("repayments")["period"].max()
    bullets = evidence.granted.filter(
        pl.col("repayment") == "bullet",
        pl.col("granted_on").dt.offset_by("24mo") <= last,
    )
    bad = (
        evidence.feed("repayments")
        .filter(pl.col("worst_days_past_due") >= 90)
        .join(bullets.select("application_id", "granted_on"), on="application_id")
        .group_by("application_id")
        .agg(since.min().alias("month"))
        .filter(pl.col("month") <= 24)
    )
    for month, target in ((12, 0.45), (15, 0.78)):
        share = float((bad["month"] <= month).mean()) if bad.height else None  # type: ignore[arg-type]
        name = f"bullet loans bad within 24 months: share bad by month {month}"
        low, high = target - 0.08, target + 0.08
        yield Marginal("default", name, low, high, "J4, D5; tolerance ours", share, bad.height, "%")


def _cash(evidence: Evidence) -> Iterator[Marginal]:
    """Hidden cash of the businesses that trade at the end of a year."""
    trading = evidence.truth("states").filter("trading")
    cash = trading["cash_months"]
    mean, short = float(cash.mean()), float((cash < 1).mean())  # type: ignore[arg-type]
    source = "J4; OSOME micro-operator survey"
    yield Marginal("cash", "months of sales in cash, mean", 2.6, 3.0, source, mean, len(cash))
    name = "share with less than a month of cash"
    yield Marginal("cash", name, 0.28, 0.35, source, short, len(cash), "%")


def _fairness(evidence: Evidence) -> Iterator[Marginal]:
    women, migrants = (_ratio(evidence.decided, group) for group in ("woman", "migrant"))
    size = evidence.decided.height
    source = "J4, H; tolerance ours"
    name = "default probability of women over men's, at equal form, age and size"
    yield Marginal("groups", name, 0.86, 0.98, source, women, size)
    name = "the same of migrants over locals"
    yield Marginal("groups", name, 0.94, 1.06, source, migrants, size)
    matched = evidence.power["business_id"].unique()
    seen = evidence.businesses.group_by("migrant").agg(
        (~pl.col("business_id").is_in(matched.implode())).mean()
    )
    unseen = dict(seen.iter_rows())
    gap = unseen[True] - unseen[False]
    name = "migrants without a matched meter, less locals"
    yield Marginal("groups", name, 0.16, 0.24, source, gap, evidence.businesses.height, "%")


def _ratio(rows: pl.DataFrame, group: str) -> float:
    """Ratio of mean default probabilities, the others re-weighted to the group's cells."""
    cells = rows.group_by("household", "age_band", "size_band").agg(
        pl.col("true_pd").filter(pl.col(group)).mean().alias("ours"),
        pl.col("true_pd").filter(~pl.col(group)).mean().alias("theirs"),
        pl.col(group).sum().alias("weight"),
    )
    both = cells.drop_nulls()
    ours, theirs = (float((both[k] * both["weight"]).sum()) for k in ("ours", "theirs"))
    return ours / theirs
