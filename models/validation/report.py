"""The validation report: one self-contained page for a validator who has never seen the code."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from models.gate_record import GateRecord
from models.validation import panels, plots
from models.validation.canvas import svg
from models.validation.findings import findings, limits
from models.validation.page import render
from models.validation.reject import verdict
from models.validation.stability import light as drift_light
from models.validation.validation import Validation

_SHAPES = 9
_LEADING = 12
_ENOUGH_BADS = 5  # of a segment, to draw its AUC


class Section(NamedTuple):
    """A chapter of the report, and how to read it."""

    number: int
    title: str
    reading: str


CHAPTERS = {
    "data": (
        "Data and windows",
        "Are these the applicants you will score, and was nothing tested known too early?",
    ),
    "ranking": (
        "Ranking",
        "Read the Gini out of time with its interval: what is smaller than that is chance.",
    ),
    "rivals": (
        "Rivals",
        "Right of the line the scorer ranks better than a known method; across it is a draw.",
    ),
    "calibration": (
        "Calibration",
        "Each observed rate should hold the expected one in its range; red underestimates risk.",
    ),
    "stability": (
        "Stability",
        "Above .25 other people apply than those learnt from: see what moved before trusting more.",
    ),
    "explanation": (
        "What the scorer has learnt",
        "Would a credit officer agree with each curve? Arrows were declared before fitting.",
    ),
    "doubt": (
        "Doubt",
        "Further down the table a probability is worth less: let people look where doubt is large.",
    ),
    "fairness": (
        "Fairness",
        "An approval-rate ratio under .8 needs a reason that does not run through the group.",
    ),
    "truth": (
        "Against the truth",
        "Only in a made-up province: how much of what could be known the scorer knows.",
    ),
    "declined": (
        "The declined",
        "Would learning from the declined, whose outcome nobody saw, have made the scorer truer?",
    ),
    "gate": ("Gate", "What was asked of the scorer before it may serve, and what it showed."),
    "limits": ("Limits", "What none of these figures can tell."),
}


def html(validation: Validation, gate: GateRecord | None = None) -> str:
    """The report as a page that needs nothing but itself; the same figures give the same bytes."""
    return render(
        "report.html",
        v=validation,
        gate=gate,
        sections=_sections(validation, gate),
        drift_light=drift_light(validation.score_index),
        findings=list(findings(validation)),
        inference_verdict=verdict(validation.inference),
        limits=list(limits(validation)),
        plots=dict(_plots(validation)),
    )


def _sections(validation: Validation, gate: GateRecord | None) -> dict[str, Section]:
    """The chapters that have something to tell, numbered."""
    absent = {
        "rivals": not validation.rivals,
        "doubt": not validation.doubt,
        "truth": not validation.truth,
        "declined": not validation.inference,
        "gate": gate is None,
    }
    told = [name for name in CHAPTERS if not absent.get(name)]
    return {name: Section(number, *CHAPTERS[name]) for number, name in enumerate(told, 1)}


def plot_summary(validation: Validation, path: Path) -> Path:
    """Write the four-panel picture of a validation as a PNG file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(plots.summary(validation))
    return path


def _plots(validation: Validation) -> Iterator[tuple[str, str]]:
    calibration, leading = validation.calibration, validation.shapes[:_LEADING]
    yield "roc", svg(panels.draw_roc, validation, height=4.2)
    yield "scores", svg(panels.draw_scores, validation.curves[-1], height=4.2)
    yield "deciles", svg(panels.draw_deciles, calibration.deciles, height=4)
    yield "reliability", svg(panels.draw_reliability, calibration.deciles, height=4)
    yield "grades", svg(panels.draw_grades, calibration.grades, width=11, height=3.6)
    yield "importance", svg(panels.draw_importance, leading, height=_height(leading))
    yield "shapes", plots.shape_grid(validation.shapes[:_SHAPES])
    yield from _plots_where_known(validation)


def _plots_where_known(validation: Validation) -> Iterator[tuple[str, str]]:
    if validation.months:
        yield "months", svg(panels.draw_months, validation.months, width=11)
    drawn = tuple(one for one in validation.segments if one.auc and one.bads >= _ENOUGH_BADS)
    if drawn:
        yield "segments", svg(panels.draw_segments, drawn, width=11, height=_height(drawn))
    moved = validation.drift[:_LEADING]
    if moved:
        yield "drift", svg(panels.draw_drift, moved, height=_height(moved))
    rivals = tuple(one for one in validation.rivals if one.figures)
    if rivals:
        yield "rivals", svg(panels.draw_rivals, rivals, width=11, height=_height(rivals))
    groups = tuple(one for one in validation.fairness if one.ratio and one.value != one.reference)
    if groups:
        yield "fairness", svg(panels.draw_fairness, groups, width=11, height=_height(groups))


def _height(rows: tuple[object, ...]) -> float:
    return 1.3 + 0.26 * len(rows)
