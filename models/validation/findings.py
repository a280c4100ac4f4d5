"""What a validator should look at first, and what the figures of a validation cannot tell."""

from collections.abc import Iterator
from datetime import date

from models.validation.bands import RATIO, Light
from models.validation.fairness import FAIR_GOOD_GAP, FAIR_RATIO, FAIR_SCORE_GAP, Group
from models.validation.stability import light as drift_light
from models.validation.validation import Validation

ENOUGH_BADS = 30


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
    for rival in validation.rivals:
        figures = rival.figures
        if figures and figures.difference < 0 and figures.p_value < 0.05:
            yield (
                "amber",
                (
                    f"{rival.name} ranks better out of time, by {-figures.difference:.3f} of AUC "
                    f"(p = {figures.p_value:.3f})."
                ),
            )
    if validation.out_of_time.bads < ENOUGH_BADS:
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
        if group.light in ("amber", "red"):
            yield group.light, f"{group.attribute} {group.value}: {', '.join(_amiss(group))}."


def _amiss(group: Group) -> Iterator[str]:
    """What lies outside its line for a group."""
    if group.ratio is None:
        yield "nobody was approved"
    elif group.ratio.value < FAIR_RATIO:
        yield f"approval rate {group.ratio.value:.2f} of {group.reference}'s"
    if abs(group.score_gap) > FAIR_SCORE_GAP:
        yield f"mean score {group.score_gap:+.2f} standard deviations from {group.reference}'s"
    if group.good_gap and abs(group.good_gap.value) > FAIR_GOOD_GAP:
        yield f"approvals among the good {group.good_gap.value:+.1%} against {group.reference}'s"
    level = group.observed_over_expected
    if level and not RATIO[0] <= level.value <= RATIO[1]:
        yield f"{level.value:.2f} defaults for each one expected"


def limits(validation: Validation) -> Iterator[str]:
    """What these figures cannot tell, from the figures themselves."""
    yield (
        "Bad means what the label says and nothing more: loans between good and bad were left out "
        "of learning and of these figures."
    )
    area, bads = validation.out_of_time.auc, validation.out_of_time.bads
    yield (
        f"{bads:,} bads out of time fix the AUC to about ± {(area.high - area.low) / 2:.3f}. "
        "Smaller differences show in a paired test on the same rows or not at all."
    )
    if not validation.truth:
        yield "Outcomes exist for granted loans only; how the declined would have done is unknown."
    yield from _limits_of_time(validation)
    few = [one for one in validation.segments if one.bads < ENOUGH_BADS]
    if few:
        yield (
            f"{len(few)} of {len(validation.segments)} segments have under {ENOUGH_BADS} bads: "
            "their own figures are anecdotes."
        )
    if not validation.fairness:
        yield "No sensitive columns were given, so fairness was not tested."


def _limits_of_time(validation: Validation) -> Iterator[str]:
    steps = {step.name: step.rows for step in validation.flow}
    if steps.get("immature"):
        yield (
            f"{steps['immature']:,} granted loans were too young to be labelled: what is newest "
            "in the economy is least in these figures."
        )
    learnt, tested = validation.windows[:2]
    if learnt.last and tested.first:
        apart = (date.fromisoformat(tested.first) - date.fromisoformat(learnt.last)).days / 30.44
        yield (
            f"{max(apart, 0):.0f} months lie between the last labelled loan learnt from and the "
            "first one tested. In service the distance is as long, and grows until the scorer is "
            "made anew."
        )
    months = len(validation.months)
    span = f"{months} months of applications were tested" if months else "there were no dates"
    yield (
        f"Intervals tell of chance in these rows: {span}, and the level of default moves more "
        "from year to year than ranking does."
    )
