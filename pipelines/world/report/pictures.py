"""Pictures of a province: would someone from a tax bureau believe it?"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from models.validation.canvas import BLUE, GREEN, INK, ORANGE, PALE, svg
from pipelines.world.months import SPRING_FESTIVALS
from pipelines.world.report import lending, power, register, taxes
from pipelines.world.report.evidence import Evidence, rates

WIDE = 11.0
GRADES = ("A", "B", "M", "ungraded", "C", "D")


def pictures(evidence: Evidence) -> dict[str, str]:
    """Each picture as an SVG element, by its title."""
    decided = graded(evidence)
    return {
        "Declared sales and electricity, month by month": svg(
            draw_seasons, evidence, width=WIDE, height=3.8
        ),
        "Default by age": svg(_draw_bands, decided, "age_band", lending.AGE_NAMES, lending.BY_AGE),
        "Default by yearly sales": svg(
            _draw_bands, decided, "size_band", lending.SIZE_NAMES, lending.BY_SIZE
        ),
        "Default by trade": svg(draw_trades, decided),
        "Default by tax grade": svg(draw_grades, decided),
        "Default by half-year of application": svg(draw_halves, decided),
        "Survival": svg(draw_survival, evidence),
        "Filing lateness": svg(draw_lateness, evidence),
        "Quarterly sales of households": svg(draw_notch, evidence),
        "Cash": svg(draw_cash, evidence),
        "Electricity and declared sales": svg(draw_power, evidence),
    }


def graded(evidence: Evidence) -> pl.DataFrame:
    """Decided applications with the newest tax grade known that day."""
    grades = evidence.feed("tax_grades").sort("known_on").select("business_id", "known_on", "grade")
    rows = evidence.decided.sort("applied_on").join_asof(
        grades, left_on="applied_on", right_on="known_on", by="business_id", check_sortedness=False
    )
    return rows.with_columns(pl.col("grade").cast(pl.String).fill_null("ungraded"))


def draw_seasons(ax: Axes, evidence: Evidence) -> None:
    """Both series over the firm's usual month; Spring Festival is marked."""
    sales = taxes.monthly_index(evidence).group_by("period").agg(pl.col("index").mean())
    used = power.workshop_months(evidence).group_by("period").agg(pl.col("index").mean())
    for rows, colour, name in (
        (sales, BLUE, "declared sales, monthly filers"),
        (used, ORANGE, "electricity, workshops"),
    ):
        line = rows.sort("period")
        ax.plot(line["period"].to_numpy(), line["index"].to_numpy(), "o-", color=colour,
                markersize=3, linewidth=1.3, label=name)  # fmt: skip
    first, last = used["period"].min(), used["period"].max()
    days = pl.Series(SPRING_FESTIVALS).str.to_date()
    for day in days.filter(days.is_between(first, last)).to_numpy():
        ax.axvline(day, color=PALE, linewidth=1, linestyle=":")
    ax.set(ylim=(0, None), ylabel="over the firm's usual month")
    ax.set(title="Seasons (dotted: Spring Festival)")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=2)


def _draw_bands(
    ax: Axes, rows: pl.DataFrame, by: str, names: Sequence[str], targets: Sequence[float]
) -> None:
    found = rates(rows, by)
    _bars(ax, names, [found.get(place, 0.0) for place in range(len(names))], list(targets))
    ax.set(title="Default by " + ("age of business" if by == "age_band" else "yearly sales, yuan"))


def draw_trades(ax: Axes, rows: pl.DataFrame) -> None:
    """Mean true probability by true trade beside its target."""
    found = rates(rows, "true_trade")
    names = list(lending.BY_TRADE)
    _bars(ax, names, [found.get(name, 0.0) for name in names], list(lending.BY_TRADE.values()))
    ax.tick_params(axis="x", rotation=35)
    ax.set(title="Default by trade")


def draw_grades(ax: Axes, rows: pl.DataFrame) -> None:
    """Mean true probability by tax grade as known at the application."""
    found = rates(rows, "grade")
    _bars(ax, GRADES, [found.get(name, 0.0) for name in GRADES])
    ax.set(title="Default by tax grade known at the application")


def _bars(
    ax: Axes, names: Sequence[str], found: Sequence[float], targets: Sequence[float] = ()
) -> None:
    places = np.arange(len(names))
    ax.bar(places, 100 * np.array(found), color=BLUE, alpha=0.75, width=0.65, label="province")
    if targets:
        ax.plot(places, 100 * np.array(targets), "_", color=ORANGE, markersize=18,
                markeredgewidth=2.5, label="target")  # fmt: skip
        ax.legend(loc="upper right")
    ax.set_xticks(places, names)
    ax.tick_params(axis="x", labelsize=7)
    ax.set_ylabel("true probability, %")


def draw_halves(ax: Axes, rows: pl.DataFrame) -> None:
    """Through the door and granted, by half-year."""
    half = pl.col("applied_on").dt.truncate("6mo").alias("half")
    for group, colour, name in (
        (rows, INK, "through the door"),
        (rows.filter(pl.col("outcome") == "granted"), GREEN, "granted"),
    ):
        line = group.group_by(half).agg(pl.col("true_pd").mean()).sort("half")
        ax.plot(line["half"].to_numpy(), 100 * line["true_pd"].to_numpy(), "o-", color=colour,
                label=name)  # fmt: skip
    ax.set(ylim=(0, None), ylabel="true probability, %", title="Default by half-year")
    ax.legend()


def draw_survival(ax: Axes, evidence: Evidence) -> None:
    """Share still registered by age, from the yearly rates of formal ends."""
    for household, colour, name in ((False, BLUE, "companies"), (True, ORANGE, "households")):
        rows = register.hazard(evidence, household)
        alive = np.concatenate([[1.0], np.cumprod(1 - rows["rate"].fill_nan(0.0).to_numpy())])
        ax.step(np.arange(len(alive)), 100 * alive, where="post", color=colour, label=name)
    published = np.concatenate([[1.0], np.cumprod(1 - np.array(register.COMPANY_HAZARD))])
    ax.plot(np.arange(len(published)), 100 * published, "--", color=PALE,
            label="companies, published hazards")  # fmt: skip
    ax.set(ylim=(0, 101), xlabel="years since establishment", ylabel="still registered, %")
    ax.set(title="Survival")
    ax.legend()


def draw_lateness(ax: Axes, evidence: Evidence) -> None:
    """Days from the due day to the filing, on a log scale of returns."""
    rows = evidence.returns.filter(pl.col("filed_on").is_not_null())
    days = (rows["filed_on"] - rows["due_on"]).dt.total_days().to_numpy()
    ax.hist(np.clip(days, -20, 90), bins=[*range(-20, 92)], color=BLUE, alpha=0.75, log=True)
    ax.axvline(0.5, color=ORANGE, linewidth=1.2)
    late = (days > 0).mean()
    ax.set(title=f"Filing: {late:.1%} late", xlabel="days after the due day", ylabel="returns")


def draw_notch(ax: Axes, evidence: Evidence) -> None:
    """Declared quarters of households around the VAT threshold, before and after it moved."""
    edges = np.arange(100, 620, 10)
    for since, until, colour, name in (
        ("2021-04-01", "2022-12-31", ORANGE, "2021-04 to 2022-12: ¥450,000"),
        ("2023-01-01", "2030-12-31", BLUE, "from 2023: ¥300,000"),
    ):
        sales = taxes.quarters(evidence, since, until).to_numpy() / 1_000
        heights, _ = np.histogram(sales, edges)
        ax.stairs(heights / max(heights.sum(), 1), edges, color=colour, linewidth=1.4, label=name)
    ax.set(title="Quarterly sales declared by households", xlabel="thousand yuan")
    ax.set_ylabel("share of quarters shown")
    ax.legend()


def draw_cash(ax: Axes, evidence: Evidence) -> None:
    """Months of sales in cash at the ends of years; applicants apart."""
    trading = evidence.truth("states").filter("trading")["cash_months"].to_numpy()
    asking = evidence.decided["cash_months"].to_numpy()
    edges = np.arange(-0.25, 10.01, 0.25)
    for cash, colour, name in (
        (trading, BLUE, "trading businesses"),
        (asking, ORANGE, "applicants"),
    ):
        heights, _ = np.histogram(np.clip(cash, -0.2, 9.9), edges)
        ax.stairs(heights / heights.sum(), edges, color=colour, linewidth=1.4, label=name)
    ax.set(title="Cash", xlabel="months of ordinary sales", ylabel="share")
    ax.legend()


def draw_power(ax: Axes, evidence: Evidence) -> None:
    """A dot per business: a year's electricity against a year's declared sales."""
    for trade, colour in (("retail", PALE), ("garments", ORANGE)):
        rows: Any = power.with_sales(evidence).filter(pl.col("true_trade") == trade)
        ax.plot(np.exp(rows["sales"].to_numpy()) / 100, np.exp(rows["power"].to_numpy()), ".",
                color=colour, markersize=2.5, alpha=0.6, label=trade)  # fmt: skip
    ax.set(xscale="log", yscale="log", xlabel="declared sales, yuan a year", ylabel="kWh a year")
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    ax.set(title="Electricity and declared sales")
    ax.legend(markerscale=4)
