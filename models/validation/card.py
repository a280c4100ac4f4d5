"""The model card: one page of Markdown about a scorer, from its validation's own figures."""

from collections.abc import Iterator

from models.gate_record import GateRecord
from models.validation.findings import findings, limits
from models.validation.reject import verdict
from models.validation.validation import Validation

PURPOSE = (
    "Foretells whether a small business will be 90 days past due within the performance window, "
    "from what was known on the day it applied. It ranks and prices risk; policy, not the scorer, "
    "decides. Not for consumers, not for loans of another kind, and not without the calibration "
    "check of each new vintage."
)
_LEADING = 10


def card(validation: Validation, gate: GateRecord | None = None) -> str:
    """What the scorer is for, what it was made from, how good it is, and where it must not go."""
    return "\n".join(
        [
            f"# {validation.about.get('model', 'Scorer')}",
            "",
            PURPOSE,
            "",
            *_made_from(validation),
            *_figures(validation),
            *_rivals(validation),
            *_learnt(validation),
            *_findings(validation),
            *_limits(validation),
            *([] if gate is None else _gate(gate)),
        ]
    )


def _made_from(validation: Validation) -> Iterator[str]:
    yield "## Made from"
    yield ""
    yield from (f"- {name}: {told}" for name, told in validation.about.items() if told != "None")
    for one in validation.windows:
        days = f", {one.first} to {one.last}" if one.first else ""
        yield f"- {one.sample}: {one.rows:,} applications, {one.bads:,} known bads{days}"
    yield ""


def _figures(validation: Validation) -> Iterator[str]:
    yield "## Figures"
    yield ""
    yield "| sample | AUC (95 %) | Gini | KS | Brier | log loss | bad rate |"
    yield "|---|---|---|---|---|---|---|"
    for one in (validation.development, validation.out_of_time):
        yield (
            f"| {one.sample} | {one.auc.value:.3f} ({one.auc.low:.3f} to {one.auc.high:.3f}) "
            f"| {one.gini.value:.3f} | {one.ks.value:.3f} | {one.brier:.4f} "
            f"| {one.log_loss:.4f} | {one.bad_rate:.2%} |"
        )
    calibration = validation.calibration
    yield ""
    yield f"- observed over expected out of time: {calibration.ratio:.2f} ({calibration.light})"
    yield f"- expected calibration error out of time: {calibration.error:.4f}"
    yield f"- stability index of the score: {validation.score_index:.3f}"
    for truth in validation.truth:
        yield f"- share of the attainable Gini, {truth.population}: {truth.share:.0%}"
    yield ""


def _rivals(validation: Validation) -> Iterator[str]:
    if not validation.rivals:
        return
    yield "## Beside its rivals, on the same rows out of time"
    yield ""
    yield "| rival | AUC | log loss | calibration error | AUC of the scorer less the rival's | p |"
    yield "|---|---|---|---|---|---|"
    for one in validation.rivals:
        told = one.figures
        if told is None:
            yield f"| {one.name} | not fitted: {one.failure} | | | | |"
        else:
            yield (
                f"| {one.name} | {told.auc:.3f} | {told.log_loss:.4f} "
                f"| {told.calibration_error:.4f} "
                f"| {told.difference:+.3f} ± {told.standard_error:.3f} | {told.p_value:.3f} |"
            )
    yield ""


def _learnt(validation: Validation) -> Iterator[str]:
    yield f"## Leading features of {len(validation.shapes)}"
    yield ""
    for shape in validation.shapes[:_LEADING]:
        way = {1: ", risk rises with it", -1: ", risk falls with it", 0: ""}[shape.direction]
        yield f"- {shape.feature}{way} ({shape.importance:.3f} log-odds on average)"
    yield ""


def _findings(validation: Validation) -> Iterator[str]:
    yield "## Findings"
    yield ""
    told = [f"- {light}: {text}" for light, text in findings(validation)]
    yield from told or ["- nothing is outside its line"]
    yield ""


def _limits(validation: Validation) -> Iterator[str]:
    yield "## Limits"
    yield ""
    yield from (f"- {text}" for text in limits(validation))
    if validation.inference:
        yield f"- {verdict(validation.inference)}"
    yield ""


def _gate(gate: GateRecord) -> Iterator[str]:
    yield f"## Gate: {'passed' if gate.passed else 'not passed'}, {gate.judged_at}"
    yield ""
    for check in gate.checks:
        figure = "not measured" if check.figure is None else f"{check.figure:.4g}"
        result = "passed" if check.passed else "FAILED"
        yield f"- {check.name}: {figure}, asked {check.asked}: {result}"
    yield ""
