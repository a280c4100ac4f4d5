"""What every picture is drawn on: colours that the colour-blind can tell apart (Okabe and Ito)."""

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, YELLOW, INK, PALE = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#E69F00",
    "#22303C",
    "#8A97A3",
)
_STYLE: Any = {
    "axes.edgecolor": PALE,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 9,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "font.family": ["DejaVu Sans", "sans-serif"],
    "font.size": 9,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "microloan",
    "text.color": INK,
    "xtick.color": INK,
    "xtick.labelsize": 8,
    "ytick.color": INK,
    "ytick.labelsize": 8,
}


def svg(draw: Callable[..., None], *content: Any, width: float = 6.4, height: float = 3.6) -> str:
    """One panel as an SVG element to put into a page."""
    with figure_of(width, height) as figure:
        draw(figure.subplots(), *content)
        figure.tight_layout()
        return svg_of(figure)


@contextmanager
def figure_of(width: float, height: float) -> Iterator[Figure]:
    """A figure of inches, in the style of the house."""
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        # an SVG holds text as text: the reader's fonts draw the letters that ours lack
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from font")
        figure = Figure(figsize=(width, height), dpi=110)
        FigureCanvasAgg(figure)
        yield figure


def png_of(figure: Figure) -> bytes:
    """The figure as a PNG, the same bytes each time."""
    content = io.BytesIO()
    figure.savefig(content, format="png", metadata={"Software": None})
    return content.getvalue()


def svg_of(figure: Figure) -> str:
    """The figure as an SVG element, the same text each time."""
    content = io.StringIO()
    figure.savefig(content, format="svg", metadata={"Date": None, "Creator": None})
    return content.getvalue()[content.getvalue().index("<svg") :]
