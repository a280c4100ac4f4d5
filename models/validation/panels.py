"""The panels of a validation's pictures, each drawn on axes that it is given."""

from collections.abc import Sequence
from math import log
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator

from models.validation.bands import Band, Light
from models.validation.canvas import BLUE, GREEN, INK, ORANGE, PALE, YELLOW
from models.validation.challengers import Rival
from models.validation.discrimination import Curves, Discrimination
from models.validation.fairness import Group
from models.validation.shapes import Shape
from models.validation.slices import Slice
from models.validation.stability import AMBER, RED, Drift
from models.validation.validation import Validation

LIGHTS: dict[Light, str] = {"green": GREEN, "amber": YELLOW, "red": ORANGE}
MARKS: dict[Light, str] = {"green": "o", "amber": "s", "red": "D"}
_ENOUGH_ROWS = 30  # of a grade, for its range to set the scale
TICKS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 0.6, 0.9)


def draw_roc(ax: Axes, validation: Validation) -> None:
    """Both samples' ROC, with their AUC and its interval."""
    told = {one.sample: one for one in (validation.development, validation.out_of_time)}
    draw_curves(ax, [(curve, told[curve.sample]) for curve in validation.curves])
    ax.set_title("Ranking: share of bads caught")


def draw_scores(ax: Axes, curve: Curves) -> None:
    """Goods and bads by predicted probability."""
    for shares, colour, name in ((curve.goods, BLUE, "good"), (curve.bads, ORANGE, "bad")):
        ax.stairs(shares, curve.edges, fill=True, color=colour, alpha=0.35)
        ax.stairs(shares, curve.edges, color=colour, linewidth=1.4, label=name)
    inside = [p for p in TICKS if curve.edges[0] <= log(p / (1 - p)) <= curve.edges[-1]]
    ax.set_xticks([log(p / (1 - p)) for p in inside], [_percent(p) for p in inside])
    ax.set(title=f"Scores {curve.sample}", ylabel="share of each")
    ax.set_xlabel("predicted probability of default (log-odds scale)")
    ax.set_yticks([])
    ax.legend(loc="upper right")


def draw_deciles(ax: Axes, deciles: Sequence[Band]) -> None:
    """Expected and observed by decile, the observed with its interval."""
    places = np.arange(1, len(deciles) + 1)
    ax.plot(
        places,
        [100 * band.expected for band in deciles],
        "_-",
        color=INK,
        linewidth=1,
        markersize=14,
        markeredgewidth=2,
        label="expected",
    )
    _observed(ax, places, deciles)
    ax.set(title="Calibration: expected and observed by decile of risk", ylabel="bad rate, %")
    ax.set_xticks(places, [band.name for band in deciles])
    ax.set_xlabel("decile of predicted probability, safest first")


def draw_reliability(ax: Axes, bands: Sequence[Band]) -> None:
    """Observed rate against expected rate, both on one scale that spreads the small rates."""
    shown = [band for band in bands if band.expected > 0]
    lowest = min([band.expected for band in shown] + [b.observed for b in shown if b.observed > 0])
    ends = 70 * lowest, 130 * max(max(band.expected, band.high) for band in shown)
    ax.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
    ax.plot(ends, ends, color=INK, linewidth=1, label="as foretold")
    for band in shown:
        low, middle, high = (
            max(100 * rate, ends[0]) for rate in (band.low, band.observed, band.high)
        )
        spread = [[middle - low], [high - middle]]
        mark, colour = MARKS[band.light], LIGHTS[band.light]
        ax.errorbar(100 * band.expected, middle, yerr=spread, fmt=mark, color=colour, markersize=5)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter("{x:g}")
        axis.set_minor_locator(LogLocator(subs=(2, 5)))
    ax.set(title="Reliability: above the line risk was underestimated")
    ax.set(xlabel="expected bad rate, %", ylabel="observed bad rate, %")


def draw_grades(ax: Axes, grades: Sequence[Band]) -> None:
    """Expected and observed by grade, and how many applicants each holds."""
    places = np.arange(len(grades))
    share = np.array([band.rows for band in grades])
    crowd = ax.twinx()
    crowd.bar(places, 100 * share / share.sum(), color=PALE, alpha=0.25, width=0.7)
    crowd.set_ylabel("share of rows, %", color=PALE)
    crowd.grid(False)
    ax.set_zorder(crowd.get_zorder() + 1)
    ax.set_frame_on(False)
    ax.plot(
        places,
        [100 * band.expected for band in grades],
        "_",
        color=INK,
        markersize=20,
        label="expected",
    )
    _observed(ax, places, grades)
    told = [band.high for band in grades if band.rows >= _ENOUGH_ROWS]
    ax.set_ylim(0, 130 * max([*told, *(max(b.expected, b.observed) for b in grades)]))
    ax.set_xticks(places, [band.name for band in grades])
    ax.set(title="Grades", ylabel="bad rate, %", xlabel="grade, safest first")


def draw_months(ax: Axes, months: Sequence[Slice]) -> None:
    """Expected and observed by month of application, with the AUC of each month beneath."""
    if not months:
        ax.text(0.5, 0.5, "no dates in these rows", ha="center", color=PALE)
        ax.set_axis_off()
        return
    places = np.arange(len(months))
    ax.plot(places, [100 * m.expected for m in months], "_-", color=INK, label="expected")
    bounds = [(m.low, m.high) for m in months]
    observed = np.array([100 * m.observed for m in months])
    _bars(ax, places, observed, 100 * np.array(bounds), [m.light for m in months])
    names = [f"{m.value}\nAUC {_area(m)}\n{m.bads}/{m.rows:,}" for m in months]
    step = -(-len(months) // 8)
    ax.set_xticks(places[::step], names[::step])
    ax.set(title="By month of application (bads/rows beneath)", ylabel="bad rate, %")
    _legend_above(ax)


def draw_drift(ax: Axes, moved: Sequence[Drift]) -> None:
    """Stability indices, largest on top, between the lines."""
    places = np.arange(len(moved))[::-1]
    ax.barh(places, [one.index for one in moved], color=[LIGHTS[one.light] for one in moved])
    for line, colour in ((AMBER, YELLOW), (RED, ORANGE)):
        ax.axvline(line, color=colour, linewidth=1, linestyle="--")
    ax.set_yticks(places, [one.name for one in moved])
    ax.set(title="Characteristic stability since development", xlabel="stability index")


def draw_importance(ax: Axes, shapes: Sequence[Shape]) -> None:
    """Mean absolute contribution of the leading features."""
    places = np.arange(len(shapes))[::-1]
    ax.barh(places, [shape.importance for shape in shapes], color=BLUE, alpha=0.85)
    ax.set_yticks(places, [shape.feature for shape in shapes])
    ax.set(title="Importance", xlabel="mean absolute contribution, log-odds")


def draw_shape(ax: Axes, shape: Shape) -> None:
    """What one feature adds along its values; the share of rows as the size of the points."""
    arrow = {1: " ↑ risk rises", -1: " ↓ risk falls", 0: ""}[shape.direction]
    ax.set_title(f"{shape.feature}{arrow}", fontsize=9)
    ax.axhline(0, color=PALE, linewidth=0.8)
    known = [point for point in shape.points if point.at is not None]
    other = [point for point in shape.points if point.at is None]
    sizes = [12 + 160 * point.share for point in known]
    at, added = [p.at or 0.0 for p in known], [p.contribution for p in known]
    ax.plot(at, added, color=BLUE, linewidth=1.2)
    ax.scatter(at, added, s=sizes, color=BLUE, zorder=3)
    if not known:
        places = range(len(other))
        ax.bar(places, [point.contribution for point in other], color=BLUE, alpha=0.8)
        ax.set_xticks(places, [point.label[:14] for point in other], rotation=35, ha="right")
    elif other:
        ax.axhline(other[0].contribution, color=ORANGE, linewidth=1, linestyle=":")
        ax.annotate(
            "missing",
            (1, other[0].contribution),
            xycoords=("axes fraction", "data"),
            ha="right",
            va="bottom",
            fontsize=7,
            color=ORANGE,
        )


def draw_segments(ax: Axes, slices: Sequence[Slice]) -> None:
    """AUC of each segment with its interval."""
    drawn = [one for one in slices if one.auc is not None]
    places = np.arange(len(drawn))[::-1]
    areas = np.array([one.auc.value for one in drawn if one.auc])
    bounds = np.array([(one.auc.low, one.auc.high) for one in drawn if one.auc]).reshape(-1, 2)
    ax.errorbar(areas, places, xerr=np.abs(bounds.T - areas), fmt="o", color=BLUE, linewidth=1.4)
    ax.set_yticks(
        places, [f"{one.attribute}: {one.value} ({one.bads}/{one.rows})" for one in drawn]
    )
    ax.set(title="Ranking by segment (bads/rows)", xlabel="AUC with 95 % interval")
    ax.set_ylim(-0.6, len(drawn) - 0.4)


def draw_fairness(ax: Axes, groups: Sequence[Group]) -> None:
    """Approval rate of each group over its reference, with the lines of .8 and .9."""
    drawn = [one for one in groups if one.ratio is not None and one.value != one.reference]
    places = np.arange(len(drawn))[::-1]
    for place, one in zip(places, drawn, strict=True):
        assert one.ratio is not None
        colour = LIGHTS[one.light] if one.light else PALE
        ends = [[one.ratio.value - one.ratio.low], [one.ratio.high - one.ratio.value]]
        ax.errorbar(one.ratio.value, place, xerr=ends, fmt="o", color=colour, linewidth=1.6)
    for line, colour in ((0.8, ORANGE), (0.9, YELLOW), (1.0, PALE)):
        ax.axvline(line, color=colour, linewidth=1, linestyle="--")
    names = [f"{one.attribute}: {one.value} against {one.reference}" for one in drawn]
    ax.set_yticks(places, names)
    ax.set(title="Approval-rate ratio with 95 % interval")
    ax.margins(y=0.3)


def draw_rivals(ax: Axes, rivals: Sequence[Rival]) -> None:
    """How much better or worse the scorer ranks than each rival, on the same rows."""
    drawn = [(one.name, one.figures) for one in rivals if one.figures]
    places = np.arange(len(drawn))[::-1]
    for place, (_, figures) in zip(places, drawn, strict=True):
        middle, half = figures.difference, 1.96 * figures.standard_error
        colour = GREEN if middle > half else ORANGE if middle < -half else BLUE
        ax.errorbar(middle, place, xerr=half, fmt="o", color=colour, linewidth=1.6)
    ax.axvline(0, color=INK, linewidth=1)
    ax.set_yticks(places, [f"{name} ({figures.auc:.3f})" for name, figures in drawn])
    ax.set(title="AUC of the scorer less that of each rival (in parentheses)")
    ax.set_xlabel("difference with 95 % interval (DeLong); right of the line the scorer is better")
    ax.set_ylim(-0.6, len(drawn) - 0.4)


def draw_curves(ax: Axes, both: Sequence[tuple[Curves, Discrimination]]) -> None:
    """Two ROC curves, the one that matters last."""
    for (curve, figures), colour, style in zip(both, (PALE, BLUE), ("--", "-"), strict=True):
        label = _auc_label(figures)
        ax.plot(curve.good_share, curve.bad_share, style, color=colour, linewidth=2, label=label)
    ax.plot([0, 1], [0, 1], color=PALE, linewidth=0.8)
    ax.set(xlim=(0, 1), ylim=(0, 1.005))
    ax.set(xlabel="share of goods refused with them", ylabel="share of bads")
    ax.legend(loc="lower right")


def _observed(ax: Axes, places: Any, bands: Sequence[Band]) -> None:
    observed = np.array([100 * band.observed for band in bands])
    bounds = 100 * np.array([(band.low, band.high) for band in bands])
    _bars(ax, places, observed, bounds, [band.light for band in bands])
    _legend_above(ax)


def _bars(ax: Axes, places: Any, middle: Any, bounds: Any, lights: Sequence[Light]) -> None:
    for place, value, (low, high), light in zip(places, middle, bounds, lights, strict=True):
        ends = [[max(value - low, 0)], [max(high - value, 0)]]
        mark, colour = MARKS[light], LIGHTS[light]
        ax.errorbar(place, value, yerr=ends, fmt=mark, color=colour, markersize=5, linewidth=1.6)


def _legend_above(ax: Axes) -> None:
    """Name the marks, in room of their own above the data."""
    told = {"green": "observed, 95 % range", "amber": "doubtful (5 %)", "red": "too low (1 %)"}
    expected = ax.lines[0]
    marks = [
        ax.plot([], [], f"{MARKS[light]}-", color=LIGHTS[light], label=told[light])[0]
        for light in LIGHTS
    ]
    ax.set_ylim(0, 1.22 * ax.get_ylim()[1])
    ax.legend(handles=[expected, *marks], loc="upper left", ncols=2)


def _auc_label(figures: Discrimination) -> str:
    area = figures.auc
    return f"{figures.sample}: AUC {area.value:.3f} ({area.low:.3f} to {area.high:.3f})"


def _area(month: Slice) -> str:
    return "unknown" if month.auc is None else f"{month.auc.value:.2f}".lstrip("0")


def _percent(share: float) -> str:
    return f"{100 * share:g} %"
