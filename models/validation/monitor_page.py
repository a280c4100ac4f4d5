"""The page of a monitored scorer, for a model-risk team's monthly meeting."""

from collections.abc import Iterator, Sequence
from math import log

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from features.reasons import REASONS
from models.validation.canvas import BLUE, GREEN, INK, ORANGE, PALE, YELLOW, svg
from models.validation.monitoring import Monitoring
from models.validation.page import render
from models.validation.panels import LIGHTS, TICKS, draw_drift, draw_grades
from models.validation.population import GradeShare, Month, Moved, Spread

_LEADING = 15
_COLOURS = {"approve": GREEN, "refer": YELLOW, "decline": ORANGE}


def html(found: Monitoring) -> str:
    """The page; the same figures give the same bytes."""
    return render(
        "monitor.html",
        m=found,
        seen=found.population,
        told=found.performance,
        loudest=_loudest(found.population.features),
        reasons={code: reason.english for code, reason in REASONS.items()},
        leading=_LEADING,
        plots=dict(_plots(found)),
    )


def draw_outcomes(ax: Axes, months: Sequence[Month]) -> None:
    """Shares of the outcomes by month, stacked, with the mean probability over them."""
    places, below = np.arange(len(months)), np.zeros(len(months))
    for outcome, colour in _COLOURS.items():
        share = np.array([getattr(month, outcome) for month in months])
        ax.bar(places, share, bottom=below, width=0.7, color=colour, alpha=0.85, label=outcome)
        below += share
    risk = ax.twinx()
    means = [month.mean_probability for month in months]
    risk.plot(places, means, "o-", color=INK, linewidth=1.4, label="mean probability (right)")
    risk.set_ylim(0, 2 * max(means))
    risk.grid(False)
    for axis in (ax.yaxis, risk.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0 if axis is ax.yaxis else 1))
    ax.set_xticks(places, [f"{month.month}\n{month.decisions:,}" for month in months])
    ax.set(ylim=(0, 1.16), xlim=(-0.6, len(months) - 0.4))
    ax.set_title("Outcomes by month (decisions beneath)")
    handles = [*ax.get_legend_handles_labels()[0], *risk.get_legend_handles_labels()[0]]
    ax.legend(handles=handles, loc="upper left", ncols=4)


def draw_spread(ax: Axes, spread: Spread) -> None:
    """How scores are spread, in development and now."""
    ax.stairs(spread.then, spread.edges, fill=True, color=PALE, alpha=0.45, label="development")
    ax.stairs(spread.now, spread.edges, color=BLUE, linewidth=2, label="now")
    inside = [p for p in TICKS if spread.edges[0] <= log(p / (1 - p)) <= spread.edges[-1]]
    ax.set_xticks([log(p / (1 - p)) for p in inside], [f"{100 * p:g} %" for p in inside])
    ax.set_yticks([])
    ax.set_title("Scores: who applies now, who applied then")
    ax.set_xlabel("predicted probability of default (log-odds scale)")
    ax.legend(loc="upper right")


def draw_grade_mix(ax: Axes, grades: Sequence[GradeShare]) -> None:
    """Share of each grade, in development and now."""
    places = np.arange(len(grades))
    ax.bar(places - 0.2, [one.then for one in grades], 0.38, color=PALE, label="development")
    ax.bar(places + 0.2, [one.share for one in grades], 0.38, color=BLUE, label="now")
    ax.set_xticks(places, [one.name for one in grades])
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.set(title="Grades", xlabel="grade, safest first", ylabel="share of applicants")
    ax.legend()


def draw_added(ax: Axes, features: Sequence[Moved]) -> None:
    """What the move of each feature adds to the mean log-odds, in the colour of its light."""
    places = np.arange(len(features))[::-1]
    added = [one.added or 0.0 for one in features]
    ax.barh(places, added, color=[LIGHTS[one.light] for one in features])
    ax.axvline(0, color=INK, linewidth=0.8)
    ax.set_yticks(places, [one.name for one in features])
    ax.set(
        title="What their moves add to the score", xlabel="mean log-odds of default, now less then"
    )


def _plots(found: Monitoring) -> Iterator[tuple[str, str]]:
    seen = found.population
    leading = seen.features[:_LEADING]
    yield "outcomes", svg(draw_outcomes, seen.months, width=11, height=3.6)
    yield "spread", svg(draw_spread, seen.spread, height=3.8)
    yield "grade_mix", svg(draw_grade_mix, seen.grades, height=3.8)
    yield "drift", svg(draw_drift, leading, height=4.8)
    yield "added", svg(draw_added, _loudest(seen.features), height=4.8)
    if found.performance.grades:
        yield "grades", svg(draw_grades, found.performance.grades, width=11, height=3.6)


def _loudest(features: Sequence[Moved]) -> list[Moved]:
    """The features whose moves tell most in the score."""
    return sorted(features, key=lambda one: (-abs(one.added or 0.0), one.name))[:_LEADING]
