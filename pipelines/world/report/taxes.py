"""Declared sales, filings, grades and invoices against published figures and real invoices."""

from collections.abc import Iterator
from math import exp, log

import polars as pl

from pipelines.world.months import festival_days, month_index
from pipelines.world.report.evidence import Evidence
from pipelines.world.report.marginal import Marginal

REAL = "B5: 423 firms of CUMCM 2020-C, quoted; tolerance ours"


def marginals(evidence: Evidence) -> Iterator[Marginal]:
    """Everything the tax bureau's feeds can be held against."""
    yield from _season(evidence)
    yield from _growth(evidence)
    yield from _notch(evidence)
    yield from _conduct(evidence)
    yield from _grades(evidence)
    yield from _invoices(evidence)


def monthly_index(evidence: Evidence) -> pl.DataFrame:
    """Declared sales of each month over the firm's mean of that year, of monthly filers."""
    monthly = evidence.returns.filter(
        pl.col("tax") == "vat", pl.col("months") == 1, pl.col("sales_fen").is_not_null()
    ).select("business_id", "period", "sales_fen", pl.col("period").dt.year().alias("year"))
    whole = monthly.filter(pl.len().over("business_id", "year") == 12)
    mean = pl.col("sales_fen").mean().over("business_id", "year")
    return whole.filter(mean > 0).with_columns(
        (pl.col("sales_fen") / mean).alias("index"), pl.col("period").dt.month().alias("month")
    )


def _season(evidence: Evidence) -> Iterator[Marginal]:
    """February is judged in years with half of the idle days in it, as in the real sample."""
    index = monthly_index(evidence)
    years = [
        year
        for year in index["year"].unique().to_list()
        if festival_days([month_index(f"{year}-02")])[0] >= 0.5  # type: ignore[arg-type]
    ]
    for name, month, low, high, rows in (
        ("February", 2, 0.50, 0.65, index.filter(pl.col("year").is_in(years))),
        ("December", 12, 1.25, 1.45, index),
    ):
        found = rows.filter(pl.col("month") == month)["index"]
        title = f"{name} index of declared sales, monthly filers"
        mean = float(found.mean()) if len(found) else None  # type: ignore[arg-type]
        yield Marginal("season", title, low, high, "J4, B5", mean, len(found))


def yearly_sales(evidence: Evidence) -> pl.DataFrame:
    """Declared sales of each whole year of those taxed on accounts, with the year before."""
    vat = evidence.returns.filter(
        pl.col("tax") == "vat", pl.col("levy") == "actual", pl.col("sales_fen").is_not_null()
    )
    years = (
        vat.group_by("business_id", pl.col("period").dt.year().alias("year"))
        .agg(pl.col("sales_fen").sum(), pl.col("months").sum().alias("covered"))
        .filter(pl.col("covered") == 12)
    )
    before = years.select("business_id", pl.col("year") + 1, pl.col("sales_fen").alias("before"))
    return years.join(before, on=["business_id", "year"]).filter(pl.col("before") > 0)


def _growth(evidence: Evidence) -> Iterator[Marginal]:
    pairs = yearly_sales(evidence)
    change = pairs["sales_fen"] / pairs["before"] - 1
    for bar, low, high in ((-0.2, 0.20, 0.32), (-0.5, 0.03, 0.10)):
        name = f"declared sales of a year down more than {-bar:.0%} on the year before"
        share = float((change < bar).mean())  # type: ignore[arg-type]
        yield Marginal("sales", name, low, high, "J4", share, len(change), "%")


def quarters(evidence: Evidence, since: str, until: str) -> pl.Series:
    """Declared quarterly sales (yuan) of households taxed on accounts, periods within the dates."""
    household = evidence.businesses.filter(pl.col("legal_form").cast(pl.String) == "household")
    rows = evidence.returns.filter(
        pl.col("tax") == "vat", pl.col("months") == 3, pl.col("levy") == "actual",
        pl.col("period").is_between(pl.lit(since).str.to_date(), pl.lit(until).str.to_date()),
    ).join(household.select("business_id"), on="business_id", how="semi")  # fmt: skip
    return rows["sales_fen"].drop_nulls() / 100


def _notch(evidence: Evidence) -> Iterator[Marginal]:
    """Just under the threshold of the day twice as many as a smooth density would have."""
    now = quarters(evidence, "2023-01-01", "2030-12-31")
    then = quarters(evidence, "2021-04-01", "2022-12-31")
    for name, sales, bar, low, high in (
        ("¥300,000, from 2023", now, 3e5, 1.5, 2.5),
        ("¥450,000, 2021-04 to 2022-12", then, 4.5e5, 1.5, 2.5),
        ("¥300,000, 2021-04 to 2022-12, when it was no threshold", then, 3e5, 0.75, 1.25),
    ):
        over, sample = _crowding(sales, bar)
        title = f"household quarters just under {name}: over a smooth density"
        yield Marginal("sales", title, low, high, "J4, B1; tolerance ours", over, sample)


def _crowding(sales: pl.Series, bar: float) -> tuple[float | None, int]:
    """Quarters in the last 15 % under the bar, over those between its farther neighbours."""

    def density(low: float, high: float) -> float:
        return float(sales.is_between(bar * low, bar * high).sum()) / log(high / low)

    below, above, at = density(0.65, 0.80), density(1.40, 1.70), density(0.85, 1.0)
    if min(below, above) == 0:
        return None, len(sales)
    where = (0.92 - 0.72) / (1.54 - 0.72)
    smooth = exp((1 - where) * log(below) + where * log(above))
    return at / smooth, int(sales.is_between(bar * 0.65, bar * 1.7).sum())


def _conduct(evidence: Evidence) -> Iterator[Marginal]:
    applicants = evidence.decided.sort("applied_at").unique(
        "business_id", keep="last", maintain_order=True
    )
    returns = evidence.feed("tax_returns").filter(pl.col("amendment") == 0).sort("known_on")
    first = returns.unique(["business_id", "tax", "period"], keep="first", maintain_order=True)
    filed = returns.filter(pl.col("filed_on").is_not_null()).unique(
        ["business_id", "tax", "period"], keep="first", maintain_order=True
    )
    month = pl.col("applied_on")
    window = pl.col("due_on").is_between(month.dt.offset_by("-24mo"), month)
    late = pl.col("filed_on").is_null() | (pl.col("filed_on") > pl.col("due_on"))
    owing = pl.col("tax_paid_fen") < pl.col("tax_due_fen")
    for name, rows, sign, low, high in (
        ("a late filing in 24 months", first, late, 0.25, 0.30),
        ("arrears in 24 months", filed, owing, 0.11, 0.15),
    ):
        seen = applicants.join(rows, on="business_id").filter(window)
        ever = seen.group_by("business_id").agg(sign.any().alias("ever"))["ever"]
        title = f"applicants with {name}"
        share = float(ever.mean())  # type: ignore[arg-type]
        yield Marginal("filing", title, low, high, "J4", share, len(ever), "%")
    overdue = float(first.select(late.mean()).item())
    name = "returns filed late or missing"
    yield Marginal("filing", name, 0.035, 0.055, "B4; tolerance ours", overdue, first.height, "%")
    yield _restated(evidence)
    yield _unmatched(evidence)


def _restated(evidence: Evidence) -> Marginal:
    rows = evidence.feed("tax_returns")
    old = rows.filter(
        pl.col("filed_on").is_not_null(),
        pl.col("due_on") < pl.lit(rows["known_on"].max()).dt.offset_by("-12mo"),
    )
    periods = old.group_by("business_id", "tax", "period").agg(pl.col("amendment").max() > 0)
    share = float(periods["amendment"].mean())  # type: ignore[arg-type]
    name = "tax periods amended"
    return Marginal("filing", name, 0.03, 0.05, "J4, B4", share, periods.height, "%")


def _unmatched(evidence: Evidence) -> Marginal:
    old = evidence.decided.filter(pl.col("years") >= 1).unique("business_id")
    filing = evidence.feed("tax_returns")["business_id"].unique()
    share = float((~old["business_id"].is_in(filing.implode())).mean())  # type: ignore[arg-type]
    name = "applicants never matched to a tax file"
    return Marginal("filing", name, 0.01, 0.04, "J4, E2", share, old.height, "%")


def _grades(evidence: Evidence) -> Iterator[Marginal]:
    grades = evidence.feed("tax_grades")["grade"].cast(pl.String)
    source = "B3: national shares of 2021, published; tolerance ours"
    for name, which, low, high in (
        ("A", ["A"], 0.06, 0.12), ("B or M", ["B", "M"], 0.79, 0.87),
        ("C or D", ["C", "D"], 0.06, 0.12),
    ):  # fmt: skip
        share = float(grades.is_in(which).mean())  # type: ignore[arg-type]
        yield Marginal("grades", f"graded {name}", low, high, source, share, len(grades), "%")


def _invoices(evidence: Evidence) -> Iterator[Marginal]:
    """Firms that sell to firms, as the real sample's: goods trades with invoices in most months."""
    rows = evidence.feed("invoices").with_columns(pl.col("direction").cast(pl.String))
    goods = evidence.businesses.filter(
        pl.col("true_trade").is_in(["wholesale", "garments", "weaving", "machinery"]),
        pl.col("legal_form").cast(pl.String) == "company",
    )
    rows = rows.join(goods.select("business_id"), on="business_id", how="semi")
    sold = rows.filter(pl.col("direction") == "sales")
    paper = sold.filter(pl.col("period") < pl.date(2022, 7, 1))
    yield from _paper(paper)
    yield from _rhythm(rows, sold)


def _paper(paper: pl.DataFrame) -> Iterator[Marginal]:
    firms = paper.group_by("business_id").agg(pl.col("voids", "red_letters", "invoices").sum())
    firms = firms.filter(pl.col("invoices") > 20)
    void = pl.col("voids") / (pl.col("voids") + pl.col("invoices"))
    red = pl.col("red_letters") / pl.col("invoices")
    for name, share, low, high in (
        ("voided invoices, median firm on paper", void, 0.07, 0.115),
        ("red letters of valid invoices, median firm on paper", red, 0.008, 0.016),
    ):
        found = firms.select(share.median()).item() if firms.height else None
        yield Marginal("invoices", name, low, high, REAL, found, firms.height, "%")


def _rhythm(rows: pl.DataFrame, sold: pl.DataFrame) -> Iterator[Marginal]:
    amount = pl.col("amount_fen").cast(pl.Float64)
    ordered = sold.sort("business_id", "period").filter(pl.len().over("business_id") >= 24)
    positive = ordered.filter(amount > 0).with_columns(amount.log().alias("log"))
    lagged = positive.with_columns(pl.col("log").shift(1).over("business_id").alias("lag"))
    bought = rows.filter(pl.col("direction") == "purchases", amount > 0).select(
        "business_id", "period", amount.log().alias("bought")
    )
    both = positive.join(bought, on=["business_id", "period"])
    by = "business_id"
    figures = (
        ("variation of monthly sales (sd over mean), median firm", 0.80, 1.30,
         ordered.group_by(by).agg(f=amount.std() / amount.mean())),
        ("share of months without sales, median firm", 0.02, 0.15,
         ordered.group_by(by).agg(f=(amount == 0).mean())),
        ("month-to-month correlation of log sales, median firm", 0.0, 0.26,
         lagged.drop_nulls("lag").group_by(by).agg(f=pl.corr("log", "lag"), n=pl.len())),
        ("correlation of log sales and log purchases, median firm", 0.22, 0.48,
         both.group_by(by).agg(f=pl.corr("log", "bought"), n=pl.len())),
    )  # fmt: skip
    for name, low, high, found in figures:
        enough = found.filter(pl.col("n") >= 12) if "n" in found.columns else found
        middle = enough.select(pl.col("f").drop_nans().median()).item()
        yield Marginal("invoices", name, low, high, REAL, middle, enough.height)
