"""Are groups of applicants treated alike? Tests by columns that are never features.

Lines: an approval rate under .8 of the reference group's is red, under .9 amber; a mean score more
than .3 standard deviations apart is red, .2 amber; approvals among the good more than .05 apart, or
observed over expected outside .8 to 1.25, amber. A group of under 300 applicants, or under 30 bads
for what needs outcomes, is too small to judge.
"""

from math import exp, log, sqrt

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.bands import RATIO, Light
from models.discrimination import Interval
from models.metrics import observed_over_expected
from models.samples import Sample

ENOUGH_ROWS, ENOUGH_BADS = 300, 30


class Group(msgspec.Struct, frozen=True):
    """One group against the reference group, the largest of its attribute.

    ``ratio`` is of approval rates; ``score_gap`` is the difference of mean log-odds in standard
    deviations, above 0 where the group is scored riskier; ``good_gap`` the difference of approval
    rates among the good. What needs outcomes is None where there are too few.
    """

    attribute: str
    value: str
    reference: str
    rows: int
    bads: int
    approval: float
    ratio: Interval | None
    score_gap: float
    good_gap: float | None
    observed_over_expected: float | None
    light: Light | None


def fairness(sample: Sample, cut_off: float) -> tuple[Group, ...]:
    """Every value of every sensitive column against the reference; approved is up to ``cut_off``.

    Outcomes of the accepted alone make ``good_gap`` biased by selection: read it beside the truth.
    """
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
    approved, of_theirs = (int((one.probability <= cut_off).sum()) for one in (ours, theirs))
    known = ours.known()
    bads = int(known.bad.sum())
    judged = bads >= ENOUGH_BADS
    ratio = ratio_interval(approved, len(ours), of_theirs, len(theirs))
    score_gap = _score_gap(ours, theirs, sample)
    good_gap = _good_approval(ours, cut_off) - _good_approval(theirs, cut_off) if judged else None
    truth = observed_over_expected(known.bad, known.probability, known.weight) if judged else None
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
        observed_over_expected=truth,
        light=_light(ratio, score_gap, good_gap, truth) if len(ours) >= ENOUGH_ROWS else None,
    )


def _score_gap(ours: Sample, theirs: Sample, all_rows: Sample) -> float:
    log_odds = [np.log(one.probability / (1 - one.probability)) for one in (ours, theirs, all_rows)]
    spread = float(log_odds[2].std())
    return float(log_odds[0].mean() - log_odds[1].mean()) / spread if spread > 0 else 0.0


def _good_approval(sample: Sample, cut_off: float) -> float:
    goods = sample.probability[sample.bad == 0]
    return float((goods <= cut_off).mean()) if len(goods) else 0.0


def _light(
    ratio: Interval | None,
    score_gap: float,
    good_gap: float | None,
    observed_over_expected: float | None,
) -> Light:
    approval = 0.0 if ratio is None else ratio.value
    if approval < 0.8 or abs(score_gap) > 0.3:
        return "red"
    told = observed_over_expected is None or RATIO[0] <= observed_over_expected <= RATIO[1]
    if approval < 0.9 or abs(score_gap) > 0.2 or abs(good_gap or 0.0) > 0.05 or not told:
        return "amber"
    return "green"
