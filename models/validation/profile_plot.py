"""The picture of a feature's profile: its values, the bad rate by bin, its drift by quarter."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from models.validation.canvas import BLUE, GREEN, INK, ORANGE, PALE, YELLOW, figure_of, png_of
from models.validation.profile import Cell, Default, Profile, Quarter
from models.validation.stability import AMBER, RED

_LIGHTS = {"green": GREEN, "amber": YELLOW, "red": ORANGE}
_LONGEST = 18  # letters of a label


def profile_plot(profile: Profile, unit: str) -> bytes:
    """One PNG of three panels; the middle one is empty where no outcome is known."""
    with figure_of(13, 3.9) as figure:
        values, default, drift = figure.subplots(1, 3)
        draw_values(values, profile.cells, unit)
        values.set_title(f"Values; {profile.missing:.1%} of {profile.rows:,} unknown")
        if profile.default:
            draw_default(default, profile.default)
        else:
            default.set_axis_off()
        draw_quarters(drift, profile.quarters)
        figure.suptitle(profile.feature, x=0.01, ha="left", fontsize=12.5, weight="bold")
        figure.tight_layout(rect=(0, 0, 1, 0.97), w_pad=2)
        return png_of(figure)


def draw_values(ax: Axes, cells: Sequence[Cell], unit: str) -> None:
    """Shares of the known values: a histogram of numbers, bars of words."""
    shares = [cell.share for cell in cells]
    bounds = [cell.low for cell in cells if cell.low is not None]
    if bounds and cells[-1].high is not None:
        ax.stairs(shares, [*bounds, cells[-1].high], fill=True, color=BLUE, alpha=0.6)
        ax.set_xlabel(f"{unit}, 1st to 99th percentile")
        ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    else:
        ax.barh(range(len(shares)), shares, color=BLUE, alpha=0.6)
        ax.set_yticks(range(len(shares)), [_short(cell.label) for cell in cells])
        ax.invert_yaxis()
        ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))


def draw_default(ax: Axes, default: Default) -> None:
    """Bad rate of each bin with its 95 % range, over the share of loans in it."""
    places = np.arange(len(default.bins))
    rates = np.array([one.bad_rate for one in default.bins])
    ends = np.array([[one.bad_rate - one.low, one.high - one.bad_rate] for one in default.bins])
    sizes = np.array([one.rows for one in default.bins]) / default.loans
    loans = ax.twinx()
    loans.bar(places, sizes, color=PALE, alpha=0.3)
    loans.set(ylim=(0, 1.6 * sizes.max()), yticks=[])
    loans.grid(visible=False)
    ax.set_zorder(loans.get_zorder() + 1)
    ax.patch.set_visible(False)
    ax.errorbar(places, rates, yerr=ends.T.clip(0), fmt="o", color=ORANGE, markersize=5)
    ax.axhline(default.bads / default.loans, color=INK, linewidth=0.8, linestyle=":")
    ax.set_xticks(places, [_short(one.label) for one in default.bins], rotation=25, ha="right")
    ax.set(title=f"Bad rate by bin; information value {default.information_value:.3f}")
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=1))
    ax.set_ylim(bottom=0)


def draw_quarters(ax: Axes, quarters: Sequence[Quarter]) -> None:
    """Stability index of each quarter against the first year."""
    colours = [_LIGHTS[quarter.light] for quarter in quarters]
    places = range(len(quarters))
    ax.bar(places, [quarter.index for quarter in quarters], color=colours)
    for line in (AMBER, RED):
        ax.axhline(line, color=PALE, linewidth=0.9, linestyle="--")
    step = 1 + len(quarters) // 8
    ax.set_xticks(places[::step], [q.quarter for q in quarters[::step]], rotation=25, ha="right")
    ax.set(title="Stability against the first year (PSI)", ylim=(0, None))


def _short(label: str) -> str:
    return label if len(label) <= _LONGEST else f"{label[: _LONGEST - 1]}…"
