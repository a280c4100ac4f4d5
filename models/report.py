"""The validation report: one self-contained page for a validator who has never seen the code."""

from collections.abc import Iterator
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from models import plots
from models.bands import Light
from models.gate import GateRecord
from models.stability import light as drift_light
from models.validation import Validation

_SHAPES = 9
_LEADING = 12


def html(validation: Validation, gate: GateRecord | None = None) -> str:
    """The report as a page that needs nothing but itself; the same figures give the same bytes."""
    environment = Environment(
        loader=PackageLoader("models", "."), autoescape=True, undefined=StrictUndefined
    )
    environment.filters.update(percent=_percent, number=_number, count=_count)
    return environment.get_template("report.html").render(
        v=validation,
        gate=gate,
        drift_light=drift_light(validation.score_index),
        findings=list(findings(validation)),
        plots=_plots(validation),
    )


def plot_summary(validation: Validation, path: Path) -> Path:
    """Write the four-panel picture of a validation as a PNG file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(plots.summary(validation))
    return path


def findings(validation: Validation) -> Iterator[tuple[Light, str]]:
    """What a validator should look at first, each with its light."""
    calibration = validation.calibration
    if calibration.light != "green":
        way = "low" if calibration.ratio > 1 else "high"
        yield (
            calibration.light,
            (
                f"The level is too {way}: {calibration.observed:.2%} defaulted out of time where "
                f"{calibration.expected:.2%} were expected (observed over expected "
                f"{calibration.ratio:.2f}). Calibrate again on the newest matured outcomes."
            ),
        )
    for band in calibration.grades:
        if band.light == "red":
            yield (
                "red",
                (
                    f"Grade {band.name}: {band.observed:.2%} defaulted where {band.expected:.2%} "
                    f"were expected, of {band.rows:,.0f} (p = {band.binomial:.4f})."
                ),
            )
    yield from _ranking(validation)
    if drift_light(validation.score_index) != "green":
        yield (
            drift_light(validation.score_index),
            f"The population has moved: stability index of the score {validation.score_index:.2f}.",
        )
    for leak in validation.suspicious:
        yield (
            "red",
            (
                f"Column {leak.column} alone reaches an AUC of {leak.auc:.3f} in development: it "
                "was probably written after the outcome. Leave it out unless its origin is proved."
            ),
        )
    yield from _conduct(validation)


def _ranking(validation: Validation) -> Iterator[tuple[Light, str]]:
    then, now = validation.development.gini.value, validation.out_of_time.gini.value
    lost = 1 - now / then if then > 0 else 0.0
    if lost > 0.1:
        yield (
            "red" if lost > 0.2 else "amber",
            f"The Gini fell by {lost:.0%}: {then:.3f} in development, {now:.3f} out of time.",
        )
    if validation.out_of_time.bads < 30:
        yield "red", f"Only {validation.out_of_time.bads} bads out of time: nothing can be judged."


def _conduct(validation: Validation) -> Iterator[tuple[Light, str]]:
    for broken in validation.violations:
        yield (
            "red",
            (
                f"The risk moves against the declared direction of {broken.feature} for "
                f"{broken.rows} of the rows tried."
            ),
        )
    faithful = validation.faithfulness
    if faithful and faithful.share < 0.99:
        yield (
            "amber",
            (
                f"The first reason holds for {faithful.share:.1%} of {faithful.declines:,} "
                "declines tried; 99 % are asked for."
            ),
        )
    if not validation.survives_saving:
        yield "red", "The scorer says something else after it was saved and loaded."
    for group in validation.fairness:
        if group.light in ("amber", "red") and group.ratio:
            yield (
                group.light,
                (
                    f"{group.attribute} {group.value}: approval rate {group.ratio.value:.2f} of "
                    f"{group.reference}'s, mean score {group.score_gap:+.2f} standard deviations."
                ),
            )


def _plots(validation: Validation) -> dict[str, str]:
    leading = validation.shapes[:_LEADING]
    drawn = {
        "roc": plots.svg(plots.draw_roc, validation, height=4.2),
        "scores": plots.svg(plots.draw_scores, validation.curves[-1], height=4.2),
        "deciles": plots.svg(plots.draw_deciles, validation.calibration.deciles, height=4),
        "grades": plots.svg(plots.draw_grades, validation.calibration.grades, height=4),
        "importance": plots.svg(plots.draw_importance, leading, height=_height(leading)),
        "shapes": plots.shape_grid(validation.shapes[:_SHAPES]),
    }
    if validation.months:
        drawn["months"] = plots.svg(plots.draw_months, validation.months, width=11)
    if validation.segments:
        height = _height(validation.segments)
        drawn["segments"] = plots.svg(
            plots.draw_segments, validation.segments, width=11, height=height
        )
    if validation.drift:
        moved = validation.drift[:_LEADING]
        drawn["drift"] = plots.svg(plots.draw_drift, moved, height=_height(moved))
    if any(one.ratio and one.value != one.reference for one in validation.fairness):
        height = _height(validation.fairness)
        drawn["fairness"] = plots.svg(
            plots.draw_fairness, validation.fairness, width=11, height=height
        )
    return drawn


def _height(rows: tuple[object, ...]) -> float:
    return 1.3 + 0.26 * len(rows)


def _percent(share: float | None, digits: int = 1) -> str:
    return "not known" if share is None else f"{100 * share:.{digits}f} %"


def _number(figure: float | None, digits: int = 3) -> str:
    return "not known" if figure is None else f"{figure:.{digits}f}"


def _count(rows: float) -> str:
    return f"{rows:,.0f}"
