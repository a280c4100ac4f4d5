"""Are groups of applicants treated alike? Tests by columns that are seldom features.

Lines: an approval rate under .8 of the reference group's is red, under .9 amber; a mean score more
than .3 standard deviations apart is red, .2 amber; approvals among the good more than .05 apart, or
observed over expected outside .8 to 1.25, amber. A group of under 300 applicants, or under 30 bads
for what needs outcomes, is too small to judge. Outcomes are those of the accepted, hence biased by
whom the past accepted; a true probability, where there is one, says the same of all who applied.
"""

from math import exp, log, sqrt

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.validation.bands import RATIO, Light
from models.validation.discrimination import Interval
from models.validation.samples import Sample
from models.validation.slices import level_of

ENOUGH_ROWS, ENOUGH_BADS = 300, 30
FAIR_RATIO, FAIR_SCORE_GAP, FAIR_GOOD_GAP = 0.9, 0.2, 0.05
_UNFAIR_RATIO, _UNFAIR_SCORE_GAP = 0.8, 0.3


class Group(msgspec.Struct, frozen=True):
    """One group against the reference group, the largest of its attribute.

    ``ratio`` is of approval rates; ``score_gap`` is the difference of mean log-odds in standard
    deviations, above 0 where the group is scored riskier; ``good_gap`` the difference of approval
    rates among the good (true positives, were approval a prediction of good). What needs outcomes
    is None where there are too few. ``true_good_gap`` and ``true_over_expected`` are of all
    applicants by their true probabilities, None without a truth.
    """

    attribute: str
    value: str
    reference: str
    rows: int
    bads: int
    approval: float
    ratio: Interval | None
    score_gap: float
    good_gap: Interval | None
    observed_over_expected: Interval | None
    true_good_gap: float | None
    true_over_expected: float | None
    light: Light | None


def fairness(sample: Sample, cut_off: float) -> tuple[Group, ...]:
    """Every value of every sensitive column against its reference, approved below ``cut_off``."""
    if sample.sensitive is None:
        return ()
    return tuple(
        group
        for column in sample.sensitive.iter_columns()
        for group in _by(column.cast(pl.String).fill_null("unknown"), sample, cut_off)
    )


def ratio_interval(approved: int, rows: int, reference: int, of: int) -> Interval | None:
    """Ratio of two approval rates with its 95 % interval; None where a count is nought.

    On the log scale, Katz, Baptista, Azen and Pike, Biometrics 34 (1978).
    """
    if not (approved and reference):
        return None
    ratio = (approved / rows) / (reference / of)
    error = 1.96 * sqrt(1 / approved - 1 / rows + 1 / reference - 1 / of)
    return Interval(ratio, exp(log(ratio) - error), exp(log(ratio) + error))


def _by(values: pl.Series, sample: Sample, cut_off: float) -> list[Group]:
    counts = values.value_counts(sort=True, name="rows").sort(
        "rows", values.name, descending=[True, False]
    )
    names: list[str] = counts[values.name].to_list()
    members = {name: np.asarray(values == name) for name in names}
    return [_group(values.name, name, names[0], members, sample, cut_off) for name in names]


def _group(
    attribute: str,
    name: str,
    reference: str,
    members: dict[str, NDArray[np.bool_]],
    sample: Sample,
    cut_off: float,
) -> Group:
    ours, theirs = sample.where(members[name]), sample.where(members[reference])
    approved, of_theirs = (int((one.probability < cut_off).sum()) for one in (ours, theirs))
    known = ours.known()
    bads = int(known.bad.sum())
    judged = bads >= ENOUGH_BADS
    ratio = ratio_interval(approved, len(ours), of_theirs, len(theirs))
    score_gap = _score_gap(ours, theirs, sample)
    good_gap = _good_gap(known, theirs.known(), cut_off) if judged else None
    level = _over_expected(known) if judged else None
    return Group(
        attribute=attribute,
        value=name,
        reference=reference,
        rows=len(ours),
        bads=bads,
        approval=approved / len(ours),
        ratio=ratio,
        score_gap=score_gap,
        good_gap=good_gap,
        observed_over_expected=level,
        true_good_gap=_true_good_gap(ours, theirs, cut_off),
        true_over_expected=_true_over_expected(ours),
        light=_light(ratio, score_gap, good_gap, level) if len(ours) >= ENOUGH_ROWS else None,
    )


def _score_gap(ours: Sample, theirs: Sample, all_rows: Sample) -> float:
    log_odds = [np.log(one.probability / (1 - one.probability)) for one in (ours, theirs, all_rows)]
    spread = float(log_odds[2].std())
    return float(log_odds[0].mean() - log_odds[1].mean()) / spread if spread > 0 else 0.0


def _good_gap(ours: Sample, theirs: Sample, cut_off: float) -> Interval | None:
    """Difference of approval rates among the good; None where a group has no good.

    The interval is that of Agresti and Caffo, The American Statistician 54 (2000).
    """
    approved = [one.probability[one.bad == 0] < cut_off for one in (ours, theirs)]
    if not all(len(one) for one in approved):
        return None
    rates = [(one.sum() + 1) / (len(one) + 2) for one in approved]
    spreads = [
        rate * (1 - rate) / (len(one) + 2) for rate, one in zip(rates, approved, strict=True)
    ]
    half = 1.96 * sqrt(sum(spreads))
    middle = float(rates[0] - rates[1])
    gap = float(approved[0].mean() - approved[1].mean())
    return Interval(gap, min(gap, middle - half), max(gap, middle + half))


def _over_expected(known: Sample) -> Interval:
    """Observed over expected, bounded by Jeffreys' interval of the observed."""
    level = level_of(known)
    return Interval(*(rate / level.expected for rate in (level.observed, level.low, level.high)))


def _true_good_gap(ours: Sample, theirs: Sample, cut_off: float) -> float | None:
    """Difference of approval rates of those who would repay, expected under the truth."""
    if ours.true_pd is None or theirs.true_pd is None:
        return None
    mine, other = (_approval_of_good(one, cut_off) for one in (ours, theirs))
    return None if mine is None or other is None else mine - other


def _approval_of_good(sample: Sample, cut_off: float) -> float | None:
    good = 1 - np.nan_to_num(np.asarray(sample.true_pd), nan=1.0)
    if not good.sum() > 0:
        return None
    return float(good @ (sample.probability < cut_off) / good.sum())


def _true_over_expected(sample: Sample) -> float | None:
    if sample.true_pd is None or np.isnan(sample.true_pd).all():
        return None
    known = sample.where(~np.isnan(sample.true_pd))
    return float(np.asarray(known.true_pd).mean() / known.probability.mean())


def _light(
    ratio: Interval | None, score_gap: float, good_gap: Interval | None, level: Interval | None
) -> Light:
    approval = 0.0 if ratio is None else ratio.value
    if approval < _UNFAIR_RATIO or abs(score_gap) > _UNFAIR_SCORE_GAP:
        return "red"
    told = level is None or RATIO[0] <= level.value <= RATIO[1]
    apart = good_gap is not None and abs(good_gap.value) > FAIR_GOOD_GAP
    if approval < FAIR_RATIO or abs(score_gap) > FAIR_SCORE_GAP or apart or not told:
        return "amber"
    return "green"
