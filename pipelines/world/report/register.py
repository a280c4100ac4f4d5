"""The register against published counts: kinds, trades, ends and events."""

from collections.abc import Iterator

import polars as pl

from pipelines.world.report.evidence import Evidence
from pipelines.world.report.marginal import Marginal, around

ENDED = ("revoked", "cancelled")
# Yearly hazard of closing by year of life, domain notes A4.
COMPANY_HAZARD = (0.015, 0.06, 0.095, 0.09, 0.085, 0.08, 0.075)


def marginals(evidence: Evidence) -> Iterator[Marginal]:
    """Everything the register's feeds can be held against."""
    yield from _kinds(evidence)
    yield from _ends(evidence)
    yield from _events(evidence)


def _kinds(evidence: Evidence) -> Iterator[Marginal]:
    rows = evidence.decided.unique("business_id")
    share = float(rows["household"].mean())  # type: ignore[arg-type]
    source = "A2; tolerance ours"
    name = "households among applicants"
    yield Marginal("register", name, 0.57, 0.67, source, share, rows.height, "%")
    for trade, target in (("retail", 0.27), ("wholesale", 0.17), ("garments", 0.11),
                          ("catering", 0.12), ("services", 0.08), ("transport", 0.06)):  # fmt: skip
        low, high = around(target, 0.20)
        found = float((rows["true_trade"] == trade).mean())  # type: ignore[arg-type]
        name = f"applicants in {trade}"
        yield Marginal("register", name, low, high, "A3; tolerance ours", found, rows.height, "%")
    told = evidence.businesses["business_id"].len()
    migrants = float(rows["migrant"].mean())  # type: ignore[arg-type]
    yield Marginal(
        "register", "migrant owners", 0.40, 0.50, "H; tolerance ours", migrants, told, "%"
    )
    women = float(rows["woman"].mean())  # type: ignore[arg-type]
    yield Marginal("register", "women owners", 0.31, 0.37, "H; tolerance ours", women, told, "%")


def lives(evidence: Evidence) -> pl.DataFrame:
    """Each business with its formal end (null while it runs) and the window it was seen in."""
    status = pl.col("status").cast(pl.String)
    ends = (
        evidence.registrations.filter(status.is_in(ENDED))
        .group_by("business_id")
        .agg(pl.col("effective_on").min().alias("ended_on"))
    )
    first = evidence.feed("tax_returns")["period"].min()
    last = evidence.registrations["known_on"].max()
    return evidence.businesses.join(ends, on="business_id", how="left").with_columns(
        pl.lit(first).alias("seen_from"), pl.lit(last).alias("seen_to")
    )


def hazard(evidence: Evidence, household: bool) -> pl.DataFrame:
    """Yearly rate of formal ends by whole years of age: ``age``, ``at_risk`` (years), ``rate``."""
    kind = pl.col("legal_form").cast(pl.String) == "household"
    rows = lives(evidence).filter(kind == household)
    born = pl.col("established_on")
    found = []
    for age in range(15):
        begin = pl.max_horizontal(born.dt.offset_by(f"{age}y"), "seen_from")
        close = pl.min_horizontal(born.dt.offset_by(f"{age + 1}y"), "seen_to", "ended_on")
        lived = rows.with_columns(((close - begin).dt.total_days() / 365.25).alias("lived"))
        lived = lived.filter(pl.col("lived") > 0)
        ended = lived.filter(close == pl.col("ended_on")).height
        found.append((age, float(lived["lived"].sum()), ended))
    frame = pl.DataFrame(found, schema=["age", "at_risk", "ended"], orient="row")
    return frame.with_columns((pl.col("ended") / pl.col("at_risk")).alias("rate"))


def _ends(evidence: Evidence) -> Iterator[Marginal]:
    for household, name, low, high in (
        (False, "companies", 0.060, 0.093), (True, "households", 0.07, 0.115),
    ):  # fmt: skip
        rows = hazard(evidence, household)
        rate = float(rows["ended"].sum()) / float(rows["at_risk"].sum())
        title = f"{name} that end in a year"
        size = int(rows["at_risk"].sum())
        yield Marginal("survival", title, low, high, "A4; tolerance ours", rate, size, "%")
    young = hazard(evidence, household=False)
    early = young.filter(pl.col("age").is_between(2, 6))["rate"].mean()
    first = young.filter(pl.col("age") == 0)["rate"].item()
    name = "companies' first-year rate over that of years 3 to 7"
    ratio = first / early if early else None
    yield Marginal("survival", name, 0.05, 0.40, "A4: 1.6 % against 8–9.5 %; tolerance ours", ratio)
    lag = _lag(evidence)
    name = "months from the real to the formal end, median"
    yield Marginal("survival", name, 3.5, 6.5, "A4; tolerance ours", lag)


def _lag(evidence: Evidence) -> float | None:
    """Of those struck off the register or closed, within the years that can be judged."""
    ended = lives(evidence).drop_nulls("ended_on").filter(pl.col("stopped_on").is_not_null())
    early = ended.filter(
        pl.col("stopped_on").is_between(
            pl.col("seen_from"), pl.col("seen_to").dt.offset_by("-30mo")
        )
    )
    days = (early["ended_on"] - early["stopped_on"]).dt.total_days()
    middle = days.median()
    return None if middle is None else float(middle) / 30.44  # type: ignore[arg-type]


def _events(evidence: Evidence) -> Iterator[Marginal]:
    """Of applicants, in the 24 months before the application."""
    applicants = evidence.decided.sort("applied_at").unique(
        "business_id", keep="last", maintain_order=True
    )
    events = evidence.feed("registration_events").with_columns(pl.col("event").cast(pl.String))
    applied = pl.col("applied_on")
    seen = (
        applicants.select("business_id", "applied_on", "household")
        .join(events, on="business_id")
        .filter(pl.col("known_on").is_between(applied.dt.offset_by("-24mo"), applied))
    )
    for event, low, high in (
        ("address_changed", 0.075, 0.115), ("legal_representative_changed", 0.035, 0.055),
        ("abnormal_listed", 0.06, 0.10), ("penalty", 0.04, 0.065),
        ("judgment_debtor", 0.02, 0.055),
    ):  # fmt: skip
        who = seen.filter(pl.col("event") == event)["business_id"].n_unique()
        share = who / applicants.height
        name = f"applicants with {event.replace('_', ' ')} in 24 months"
        yield Marginal(
            "register", name, low, high, "A5; tolerance ours", share, applicants.height, "%"
        )
