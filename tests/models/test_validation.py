"""Validation: each figure says what it is said to say."""

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.scoring.scorer import Scorer
from models.validation import metrics
from models.validation.behaviour import faithfulness, survives_saving, violations
from models.validation.discrimination import auc_interval, curves, discrimination
from models.validation.fairness import ENOUGH_ROWS, fairness, ratio_interval
from models.validation.samples import Sample
from models.validation.shapes import shapes
from models.validation.truth import against_truth
from models.validation.validation import Validation
from tests.models.portfolio import DIRECTIONS, FEATURES, bad_of, fitted, portfolio, validated


def plain(bad: Any, probability: Any, **more: Any) -> Sample:
    outcomes = np.asarray(bad, dtype=np.float64)
    return Sample(
        "rows",
        pl.DataFrame({"x": np.arange(len(outcomes))}),
        outcomes,
        np.asarray(probability, dtype=np.float64),
        **more,
    )


def test_a_validation_comes_back_whole_from_json() -> None:
    validation = validated()[3]
    assert Validation.from_json(validation.to_json()) == validation
    assert validation.to_json() == validation.to_json()
    assert all(np.isfinite(figure) for figure in validation.metrics().values())


def test_out_of_fold_figures_are_not_those_of_rows_the_scorer_has_seen() -> None:
    scorer, earlier, _ = fitted()
    seen = metrics.auc(bad_of(earlier), scorer.predict_proba(earlier.select(FEATURES))[:, 1])
    validation = validated()[3]
    assert validation.development.auc.value < seen - 0.02
    assert abs(validation.development.auc.value - validation.out_of_time.auc.value) < 0.08


def test_a_group_is_judged_by_trees_that_have_seen_none_of_it() -> None:
    noise = np.random.default_rng(0)
    business = np.repeat(np.arange(60), 5)
    rows = pl.DataFrame({"who": noise.random(60)[business], "where": noise.random(60)[business]})
    bad = (noise.random(60) < 0.5)[business].astype(np.int64)

    def judged(groups: Any) -> float:
        scorer = Scorer(seeds=1, n_jobs=1, calibrate=False).fit(rows, bad, groups=groups)
        sample = Sample.out_of_fold("rows", scorer, rows, bad)
        return metrics.auc(sample.bad, sample.probability)

    assert judged(None) > 0.75, "rows of one business betray each other"
    assert judged(business) < 0.65


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 9), st.integers(1, 4)), min_size=12))
def test_figures_of_the_bootstrap_are_those_of_the_metrics(
    rows: list[tuple[bool, int, int]],
) -> None:
    bad = np.array([0.0, 1.0, 0.0, 1.0] + [float(row[0]) for row in rows])
    probability = np.array([0.1, 0.2, 0.3, 0.4] + [row[1] / 10 for row in rows])
    weight = np.array([1.0] * 4 + [float(row[2]) for row in rows])
    figures = discrimination(plain(bad, probability, weight=weight), draws=20)
    assert figures.auc.value == pytest.approx(metrics.auc(bad, probability, weight))
    assert figures.ks.value == pytest.approx(metrics.ks(bad, probability, weight))
    for figure in (figures.auc, figures.gini, figures.ks, figures.h_measure):
        assert figure.low <= figure.high


def test_intervals_agree_with_the_reference_bootstrap_and_with_the_closed_form() -> None:
    _, _, later, _ = validated()
    ours = discrimination(later).auc
    low, high = metrics.bootstrap_interval(metrics.auc, later.bad, later.probability, draws=300)
    closed = auc_interval(later.bad, later.probability)
    assert closed is not None
    assert (ours.low, ours.high) == pytest.approx((low, high), abs=0.008)
    assert (closed.low, closed.high) == pytest.approx((low, high), abs=0.008)


def test_a_slice_with_one_bad_has_no_interval() -> None:
    assert auc_interval(np.array([0.0, 0.0, 1.0]), np.array([0.1, 0.2, 0.3])) is None


def test_curves_enclose_the_area_that_is_told() -> None:
    _, _, later, _ = validated()
    drawn = curves(later)
    area = np.trapezoid(drawn.bad_share, drawn.good_share)
    assert area == pytest.approx(metrics.auc(later.bad, later.probability), abs=0.005)
    assert sum(drawn.goods) == pytest.approx(1, abs=0.01)
    assert sum(drawn.bads) == pytest.approx(1, abs=0.01)


def test_the_truth_itself_reaches_all_that_is_attainable() -> None:
    rows = portfolio()
    true = rows["true_pd"].to_numpy()
    perfect = against_truth(plain(bad_of(rows), true, true_pd=true))
    assert perfect.share == pytest.approx(1)
    assert perfect.error == pytest.approx(0)
    inverted = against_truth(plain(bad_of(rows), 1 - true, true_pd=true))
    assert inverted.share == pytest.approx(-1)


def test_the_attainable_gini_is_what_drawn_outcomes_show_on_average() -> None:
    true = portfolio(1500)["true_pd"].to_numpy()
    random = np.random.default_rng(0)
    drawn = [metrics.gini(random.random(1500) < true, true) for _ in range(60)]
    told = against_truth(plain(np.full(1500, np.nan), true, true_pd=true)).attainable
    assert told == pytest.approx(np.mean(drawn), abs=0.02)


def test_only_applications_with_a_known_truth_are_held_against_it() -> None:
    true = portfolio()["true_pd"].to_numpy().copy()
    said = true.copy()
    true[:1000], said[:1000] = np.nan, 0.99
    figures = against_truth(plain(np.zeros(3000), said, true_pd=true))
    assert figures.rows == 2000
    assert figures.share == pytest.approx(1)


def test_the_first_reason_of_declines_holds_for_a_sound_scorer_and_not_for_a_false_one() -> None:
    scorer, _, later, validation = validated()
    told = validation.faithfulness
    assert told is not None
    assert told.declines == 300
    assert told.share > 0.99

    class Liar(Scorer):
        def reasons(self, X: Any, top: int = 4, neutral: Any = None) -> Any:
            return super().reasons(X, top, neutral).assign(feature="noise")

    liar = Liar.from_bytes(scorer.to_bytes())
    lied = faithfulness(liar, later, validation.cut_off)
    assert lied is not None
    assert lied.share < 0.8


def test_without_a_decline_there_is_nothing_to_be_faithful_to() -> None:
    scorer, _, later, _ = validated()
    assert faithfulness(scorer, later, 1.0) is None
    assert faithfulness(scorer, later, 0.0) is None


def test_a_direction_that_does_not_hold_is_named() -> None:
    scorer, _, later = fitted()
    rows = later.select(FEATURES)
    assert violations(scorer, rows, DIRECTIONS) == ()
    wrong = violations(scorer, rows, {**DIRECTIONS, "turnover": 1, "noise": 1})
    assert {violation.feature for violation in wrong} == {"turnover", "noise"}
    turnover = next(one for one in wrong if one.feature == "turnover")
    assert turnover.rows == 200
    assert turnover.largest > 0.1


def test_a_scorer_that_changes_when_saved_is_found_out() -> None:
    scorer, _, later = fitted()
    rows = later.select(FEATURES)

    class Forgetful(Scorer):
        def decision_function(self, X: Any) -> Any:
            return super().decision_function(X) + 1e-12

    assert survives_saving(scorer, rows)
    assert not survives_saving(Forgetful.from_bytes(scorer.to_bytes()), rows)


def test_shapes_add_up_to_importance_and_follow_their_direction() -> None:
    scorer, _, later = fitted()
    drawn = {one.feature: one for one in shapes(scorer, later.select(FEATURES), DIRECTIONS)}
    assert list(drawn)[-1] == "noise"
    for shape in drawn.values():
        assert sum(point.share for point in shape.points) == pytest.approx(1)
    late = [one.contribution for one in drawn["late_filings"].points if one.at is not None]
    assert late == sorted(late)
    assert drawn["turnover"].points[-1].label == "missing"
    assert {point.label for point in drawn["trade"].points} == {"catering", "garments", "retail"}


def groups_of(approved: dict[str, tuple[int, int]]) -> Sample:
    """Applicants of each group, so many of so many under a probability of .5."""
    names = [name for name, (_, rows) in approved.items() for _ in range(rows)]
    chance = [
        0.2 if place < good else 0.8 for good, rows in approved.values() for place in range(rows)
    ]
    sensitive = pl.DataFrame({"origin": names})
    return plain(np.full(len(names), np.nan), chance, sensitive=sensitive)


def test_a_group_approved_less_than_four_fifths_as_often_is_red() -> None:
    tested = fairness(groups_of({"local": (800, 1000), "migrant": (300, 500)}), 0.5)
    reference, group = tested
    assert (reference.value, reference.light) == ("local", "green")
    assert group.ratio is not None
    assert group.ratio.value == pytest.approx(0.75)
    assert group.light == "red"
    assert group.good_gap is None, "no outcomes were known"


def test_gaps_among_the_good_come_with_their_interval_and_beside_the_truth() -> None:
    """80 of 100 good migrants and 90 of 100 good locals are approved: Agresti and Caffo's range."""
    random = np.random.default_rng(0)
    names = ["local"] * 300 + ["migrant"] * 300
    bad = np.tile([0.0] * 100 + [1.0] * 100 + [np.nan] * 100, 2)
    chance = np.where(random.random(600) < 0.5, 0.2, 0.8)
    chance[:100], chance[300:400] = [0.2] * 90 + [0.8] * 10, [0.2] * 80 + [0.8] * 20
    sample = plain(
        bad, chance, sensitive=pl.DataFrame({"origin": names}), true_pd=np.full(600, 0.25)
    )
    _, group = fairness(sample, 0.5)
    assert group.good_gap is not None
    ours, theirs = 81 / 102, 91 / 102
    half = 1.96 * np.sqrt(ours * (1 - ours) / 102 + theirs * (1 - theirs) / 102)
    assert group.good_gap.value == pytest.approx(-0.1)
    assert (group.good_gap.low, group.good_gap.high) == pytest.approx(
        (ours - theirs - half, ours - theirs + half)
    )
    approved = [(chance[part] <= 0.5).mean() for part in (slice(300, 600), slice(0, 300))]
    assert group.true_good_gap == pytest.approx(approved[0] - approved[1])
    assert group.true_over_expected == pytest.approx(0.25 / chance[300:].mean())
    level = group.observed_over_expected
    assert level is not None
    assert level.value == pytest.approx(0.5 / chance[300:500].mean())
    assert level.low < level.value < level.high


def test_a_group_too_small_to_judge_gets_no_light() -> None:
    rows = ENOUGH_ROWS - 1
    _, group = fairness(groups_of({"local": (800, 1000), "migrant": (10, rows)}), 0.5)
    assert group.light is None


def test_the_interval_of_a_ratio_agrees_with_its_formula() -> None:
    """Katz and others: ln(ratio) ± 1.96·√(1/a - 1/n + 1/b - 1/m)."""
    told = ratio_interval(60, 100, 80, 100)
    error = 1.96 * np.sqrt(1 / 60 - 1 / 100 + 1 / 80 - 1 / 100)
    assert told is not None
    assert (told.low, told.value, told.high) == pytest.approx(
        (0.75 * np.exp(-error), 0.75, 0.75 * np.exp(error))
    )
    assert ratio_interval(0, 100, 80, 100) is None


def test_segments_are_compared_with_the_same_segment_of_development() -> None:
    _, _, later, validation = validated()
    assert all(one.score_index is None for one in validation.segments)
    assert sum(one.rows for one in validation.segments) == len(later)
    assert sum(one.bads for one in validation.months) == validation.out_of_time.bads


def test_a_part_of_a_sample_keeps_its_columns_in_step() -> None:
    _, _, later, _ = validated()
    keep = later.bad == 1
    part = later.where(keep)
    assert part.features.equals(later.features.filter(pl.Series(keep)))
    assert part.segments is not None
    assert part.segments.height == len(part) == int(keep.sum())
    unknown = replace(later, bad=np.where(keep, np.nan, later.bad))
    assert len(unknown.known()) == len(later) - int(keep.sum())
