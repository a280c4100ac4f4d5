"""A picture of a walk through the past: ranking, level, and who was decided how."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from models.validation.bands import jeffreys_interval
from models.validation.canvas import BLUE, GREEN, INK, ORANGE, PALE, YELLOW, figure_of, png_of
from models.validation.walking import Decided, Period

_COLOURS = {"approve": GREEN, "refer": YELLOW, "decline": ORANGE}


def walk_plot(periods: Sequence[Period]) -> bytes:
    """One PNG of three panels; the last of ``periods`` is all of them together."""
    *each, whole = periods
    with figure_of(13.5, 4.2) as figure:
        axes = figure.subplots(1, 3)
        _ranking(axes[0], each)
        _level(axes[1], each)
        _decided(axes[2], whole.decided)
        figure.tight_layout(w_pad=2)
        return png_of(figure)


def _ranking(ax: Axes, periods: Sequence[Period]) -> None:
    """AUC by period with its bounds, and the mean."""
    known = [(place, one.auc) for place, one in enumerate(periods) if one.auc]
    for place, area in known:
        ax.plot([place, place], [area.low, area.high], color=PALE, linewidth=1.5)
        ax.plot(place, area.value, "o", color=BLUE)
    if known:
        mean = float(np.mean([area.value for _, area in known]))
        ax.axhline(mean, color=BLUE, linewidth=1, linestyle="--", label=f"mean {mean:.3f}")
        ax.legend(loc="lower right")
    ax.axhline(0.5, color=PALE, linewidth=0.8)
    _by_period(ax, [one.period for one in periods])
    ax.set(title="Ranking of granted loans", ylabel="AUC")


def _level(ax: Axes, periods: Sequence[Period]) -> None:
    """Expected and observed bad rate of granted loans by period."""
    known = [(place, one) for place, one in enumerate(periods) if one.matured]
    for place, one in known:
        bounds = [100 * bound for bound in jeffreys_interval(one.bads, one.matured)]
        ax.plot([place, place], bounds, color=PALE, linewidth=1.5)
    for value, mark, colour in (("observed", "o", ORANGE), ("expected", "_", INK)):
        rates = [100 * getattr(one, value) for _, one in known]
        ax.plot([place for place, _ in known], rates, mark, color=colour, ms=8, label=value)
    ax.legend(loc="upper right")
    _by_period(ax, [f"{one.period}\n{one.bads}/{one.matured:,}" for one in periods])
    ax.set(title="Level of granted loans (bads/rows)", ylabel="bad rate, %")


def _decided(ax: Axes, decided: Sequence[Decided]) -> None:
    """Bad rate of the granted loans by what would have been decided, and the truth of all."""
    for place, one in enumerate(decided):
        if one.bad_rate is None or one.low is None or one.high is None:
            continue
        ax.bar(place, 100 * one.bad_rate, color=_COLOURS[one.outcome], width=0.6)
        ax.plot([place, place], [100 * one.low, 100 * one.high], color=INK, linewidth=1.2)
    true = [(place, 100 * one.true_pd) for place, one in enumerate(decided) if one.true_pd]
    if true:
        ax.plot(*zip(*true, strict=True), "D", color=BLUE, label="truth of all who applied")
        ax.legend(loc="upper left")
    ax.set_xticks(range(len(decided)), [_name(one) for one in decided])
    ax.set(title="By what would have been decided", ylabel="bad rate of granted, %")


def _by_period(ax: Axes, names: Sequence[str]) -> None:
    """At most eight names beneath."""
    step = -(-len(names) // 8)
    ax.set_xticks(range(0, len(names), step), names[::step], fontsize=7)


def _name(one: Decided) -> str:
    return f"{one.outcome}\n{one.share:.0%} of all\n{one.bads}/{one.matured:,}"
