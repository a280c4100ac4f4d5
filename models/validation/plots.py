"""Pictures of several panels: a validation at a glance, two scorers compared, the shapes."""

from collections.abc import Sequence

from models.validation import panels
from models.validation.canvas import figure_of, png_of, svg_of
from models.validation.shapes import Shape
from models.validation.validation import Validation
from models.validation.versus import Versus


def summary(validation: Validation) -> bytes:
    """One PNG of four panels: ranking, scores, calibration and the months."""
    with figure_of(11, 7.6) as figure:
        axes = figure.subplots(2, 2)
        panels.draw_roc(axes[0, 0], validation)
        panels.draw_scores(axes[0, 1], validation.curves[-1])
        panels.draw_deciles(axes[1, 0], validation.calibration.deciles)
        panels.draw_months(axes[1, 1], validation.months)
        figure.suptitle(_headline(validation), x=0.01, ha="left", fontsize=12.5, weight="bold")
        figure.tight_layout(rect=(0, 0, 1, 0.97), h_pad=2, w_pad=2)
        return png_of(figure)


def comparison(pair: Versus) -> bytes:
    """One PNG of three panels: both scorers' ranking, then the calibration of each."""
    with figure_of(13, 4) as figure:
        axes = figure.subplots(1, 3)
        sides = (pair.second, pair.first)
        panels.draw_curves(axes[0], [(side.curves, side.figures) for side in sides])
        axes[0].set_title("Ranking on the same rows")
        for ax, side in zip(axes[1:], (pair.first, pair.second), strict=True):
            panels.draw_deciles(ax, side.deciles)
            ax.set_title(f"Calibration of {side.figures.sample}")
        figure.tight_layout(w_pad=2)
        return png_of(figure)


def shape_grid(shapes: Sequence[Shape], columns: int = 3) -> str:
    """The shapes of several features side by side, on one scale, as an SVG element."""
    rows = -(-len(shapes) // columns)
    with figure_of(11, 2.6 * rows) as figure:
        axes = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
        for ax, shape in zip(axes, shapes, strict=False):
            panels.draw_shape(ax, shape)
        for ax in axes[len(shapes) :]:
            ax.set_visible(False)
        for ax in axes[::columns]:
            ax.set_ylabel("added log-odds")
        figure.tight_layout(h_pad=1.6)
        return svg_of(figure)


def _headline(validation: Validation) -> str:
    area, calibration = validation.out_of_time.auc, validation.calibration
    name = validation.about.get("model", "Scorer")
    return (
        f"{name} · out of time AUC {area.value:.3f} ({area.low:.3f} to {area.high:.3f}) · "
        f"KS {validation.out_of_time.ks.value:.2f} · observed/expected {calibration.ratio:.2f}"
    )
