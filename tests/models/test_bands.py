"""Expected against observed by band, checked against published worked examples."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, chisquare
from sklearn.linear_model import LogisticRegression

from models.validation.bands import (
    bands,
    binomial_test,
    deciles,
    grades,
    hosmer_lemeshow,
    jeffreys_interval,
    jeffreys_test,
    light,
)


def test_hosmer_and_lemeshow_sum_the_cells_of_the_published_caffeine_example() -> None:
    """Eleven doses of 30 volunteers each, as in Wikipedia's article on the test.

    There the statistic is a sum over two cells for each dose, grade A and not.
    """
    grade_a = np.array([10, 13, 17, 15, 10, 5, 4, 3, 3, 1, 0])
    dose = np.repeat(np.arange(11.0), 30)
    outcome = np.concatenate([np.repeat([1.0, 0.0], [n, 30 - n]) for n in grade_a])
    fit = LogisticRegression(C=np.inf, tol=1e-10).fit(dose.reshape(-1, 1), outcome)
    probability = fit.predict_proba(dose.reshape(-1, 1))[:, 1]
    names = [str(50 * place) for place in range(11)]
    test = hosmer_lemeshow(bands(names, dose.astype(np.intp), outcome, probability), fitted=True)
    expected = 30 * probability[::30]
    cells = chisquare(np.append(grade_a, 30 - grade_a), np.append(expected, 30 - expected), ddof=12)
    assert test.degrees == 9
    assert test.statistic == pytest.approx(cells.statistic)
    assert test.statistic == pytest.approx(17.464, abs=5e-4)
    assert test.p_value == pytest.approx(cells.pvalue)


def test_the_jeffreys_test_agrees_with_the_published_example() -> None:
    """Deep Credit Risk, chapter on validation: 2 defaults of 6 at a PD of .0367 give .0044."""
    assert jeffreys_test(2, 6, 0.0367) == pytest.approx(0.0044, abs=5e-5)


def test_the_jeffreys_test_rejects_the_grades_that_the_published_table_rejects() -> None:
    """MathWorks, Risk Management Toolbox, page of jeffreysTest: ten grades of 500 loans, 2020."""
    loans = (56, 79, 68, 54, 45, 40, 40, 34, 37, 47)
    defaults = (6, 18, 16, 21, 11, 14, 10, 13, 19, 22)
    summed = (1.5593, 6.0743, 8.6793, 9.4626, 10.206, 11.001, 13.08, 12.796, 15.526, 22.219)
    tested = [
        jeffreys_test(bads, rows, total / rows)
        for bads, rows, total in zip(defaults, loans, summed, strict=True)
    ]
    assert [p < 0.05 for p in tested] == [True] * 4 + [False] * 6


def test_the_binomial_test_agrees_with_the_published_dice() -> None:
    """Wikipedia, Binomial test: 51 or more sixes in 235 rolls of a fair die have p = .02654."""
    assert binomial_test(51, 235, 1 / 6) == pytest.approx(0.02654, abs=5e-6)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 300), st.integers(0, 300), st.floats(0.001, 0.5))
def test_the_binomial_test_is_the_exact_upper_tail(rows: int, bads: int, chance: float) -> None:
    bads = min(bads, rows)
    exact = float(binom.sf(bads - 1, rows, chance))
    assert binomial_test(bads, rows, chance) == pytest.approx(exact, rel=1e-9, abs=1e-300)


def test_bounds_reach_nought_without_bads_and_one_without_goods() -> None:
    assert jeffreys_interval(0, 20)[0] == 0.0
    assert 0.05 < jeffreys_interval(0, 20)[1] < 0.15
    assert jeffreys_interval(20, 20)[1] == 1.0


def test_a_rate_far_above_the_expected_one_is_red_and_one_far_below_amber() -> None:
    assert light(0.02, 0.02, 20, 1000) == "green"
    assert light(0.02, 0.029, 29, 1000) == "amber"
    assert light(0.02, 0.04, 40, 1000) == "red"
    assert light(0.02, 0.008, 8, 1000) == "amber"
    assert light(0.02, 0.2, 1, 5) == "green", "five loans prove nothing at 5 %"


def test_deciles_share_the_rows_evenly_and_keep_equal_predictions_together() -> None:
    random = np.random.default_rng(0)
    probability = random.random(1000)
    bad = (random.random(1000) < probability).astype(float)
    assert [band.rows for band in deciles(bad, probability)] == [100] * 10
    rounded = np.round(probability, 1)
    table = deciles(bad, rounded)
    assert sum(band.rows for band in table) == pytest.approx(1000)
    assert len({band.expected for band in table}) == len(table)


def test_a_constant_prediction_is_one_band() -> None:
    (band,) = deciles(np.array([0.0, 1.0, 0.0]), np.full(3, 0.3))
    assert (band.rows, band.bads, band.expected) == pytest.approx((3, 1, 0.3))


def test_bounds_of_grades_are_inclusive_and_empty_grades_left_out() -> None:
    scale = [("A", 0.1), ("B", 0.2), ("C", 0.3), ("D", 1.0)]
    probability = np.array([0.05, 0.1, 0.11, 0.2, 0.9])
    table = grades(scale, np.zeros(5), probability)
    assert [(band.name, band.rows) for band in table] == [("A", 2), ("B", 2), ("D", 1)]


def test_equal_weights_change_nothing() -> None:
    random = np.random.default_rng(1)
    probability = random.random(300)
    bad = (random.random(300) < probability).astype(float)
    plain, weighted = deciles(bad, probability), deciles(bad, probability, np.full(300, 7.0))
    for one, other in zip(plain, weighted, strict=True):
        assert (one.name, one.light) == (other.name, other.light)
        assert one.binomial == pytest.approx(other.binomial)
        assert one.rows == pytest.approx(other.rows)


def test_uneven_weights_count_for_fewer_rows() -> None:
    weight = np.array([9.0] + [1.0] * 9)
    (band,) = deciles(np.zeros(10), np.full(10, 0.1), weight)
    assert band.rows == pytest.approx(18**2 / 90)
