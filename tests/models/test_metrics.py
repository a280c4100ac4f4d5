import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from models.validation import metrics as m


def scored(rows: int, seed: int = 0, separation: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    log_odds = random.normal(-1.5, separation, rows)
    return (random.random(rows) < expit(log_odds)).astype(int), expit(log_odds)


BAD = np.array([0, 0, 1, 1])
CHANCE = np.array([0.1, 0.4, 0.35, 0.8])  # scikit-learn's own example: AUC .75


def test_the_worked_example() -> None:
    assert m.auc(BAD, CHANCE) == 0.75
    assert m.gini(BAD, CHANCE) == 0.5
    assert m.ks(BAD, CHANCE) == 0.5
    assert m.brier(BAD, CHANCE) == pytest.approx((0.01 + 0.16 + 0.4225 + 0.04) / 4)
    assert m.log_loss(BAD, CHANCE) == pytest.approx(-np.log([0.9, 0.6, 0.35, 0.8]).mean())


def test_a_perfect_ranking_has_full_marks_and_a_constant_none() -> None:
    for metric in (m.gini, m.ks, m.h_measure):
        assert metric(BAD, BAD) == pytest.approx(1)
        assert metric(BAD, np.zeros(4)) == pytest.approx(0, abs=1e-12)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_a_weight_of_two_counts_as_two_rows(seed: int) -> None:
    bad, chance = scored(60, seed)
    bad[:2] = [0, 1]
    weight = np.random.default_rng(seed).integers(1, 4, 60)
    rows = np.repeat(np.arange(60), weight)
    for metric in (m.auc, m.ks, m.brier, m.log_loss, m.h_measure, m.observed_over_expected):
        assert metric(bad, chance, weight) == pytest.approx(metric(bad[rows], chance[rows]))


def test_the_h_measure_is_the_loss_avoided_under_its_distribution_of_costs() -> None:
    bad, chance = scored(300)
    rate = bad.mean()
    cost = np.linspace(0, 1, 4001)[1:-1]
    density = cost**rate * (1 - cost) ** (1 - rate)
    thresholds = np.concatenate([[-np.inf], np.sort(chance), [np.inf]])
    alarms = np.array([((chance > t) & (bad == 0)).mean() for t in thresholds])
    misses = np.array([((chance <= t) & (bad == 1)).mean() for t in thresholds])
    loss = (cost[:, None] * alarms + (1 - cost[:, None]) * misses).min(axis=1)
    worst = np.minimum(cost * (1 - rate), (1 - cost) * rate)
    expected = 1 - (density * loss).sum() / (density * worst).sum()
    assert m.h_measure(bad, chance) == pytest.approx(expected, abs=1e-4)


def test_true_probabilities_have_a_small_calibration_error_and_doubled_ones_a_large_one() -> None:
    bad, chance = scored(20_000)
    assert m.expected_calibration_error(bad, chance) < 0.015
    assert m.expected_calibration_error(bad, np.minimum(2 * chance, 1)) > 0.1


def test_deciles_hold_all_rows_and_all_bads() -> None:
    bad, chance = scored(997)
    table = m.decile_table(bad, chance)
    assert len(table) == 10
    assert table["rows"].sum() == 997
    assert table["bads"].sum() == bad.sum()
    assert table["rows"].between(98, 101).all()
    assert table["expected"].is_monotonic_increasing
    assert (table["lowest"].to_numpy()[1:] > table["highest"].to_numpy()[:-1]).all()


def test_equal_risks_share_a_bin() -> None:
    table = m.decile_table(np.tile([0, 1], 50), np.repeat([0.2, 0.3], 50))
    assert table["rows"].tolist() == [50, 50]


def placement_matrix(bad: np.ndarray, risk: np.ndarray) -> np.ndarray:
    gap = risk[bad == 1][:, None] - risk[bad == 0][None, :]
    return (gap > 0) + 0.5 * (gap == 0)


def test_the_paired_test_is_that_of_its_definition() -> None:
    bad, first = scored(200)
    second = np.round(first + np.random.default_rng(3).normal(0, 0.1, 200), 2)  # with ties
    found = m.delong_test(bad, first, second)
    gap = placement_matrix(bad, first) - placement_matrix(bad, second)
    of_bad, of_good = gap.mean(axis=1), gap.mean(axis=0)
    variance = of_bad.var(ddof=1) / len(of_bad) + of_good.var(ddof=1) / len(of_good)
    assert found.first == pytest.approx(m.auc(bad, first))
    assert found.second == pytest.approx(m.auc(bad, second))
    assert found.standard_error == pytest.approx(np.sqrt(variance))


def test_the_paired_test_of_a_scorer_with_itself_finds_nothing() -> None:
    bad, chance = scored(100)
    found = m.delong_test(bad, chance, chance)
    assert (found.difference, found.p_value) == (0, 1)


def test_the_paired_test_holds_its_level() -> None:
    random = np.random.default_rng(5)
    found = []
    for seed in range(200):
        bad, chance = scored(150, seed)
        first, second = (chance + random.normal(0, 0.1, 150) for _ in range(2))
        found.append(m.delong_test(bad, first, second).p_value < 0.05)
    assert 0.01 <= np.mean(found) <= 0.10


def test_the_interval_covers_the_figure_and_repeats_by_seed() -> None:
    bad, chance = scored(400)
    low, high = m.bootstrap_interval(m.auc, bad, chance, draws=200)
    assert low < m.auc(bad, chance) < high
    assert (low, high) == m.bootstrap_interval(m.auc, bad, chance, draws=200)
    error = m.delong_test(bad, chance, np.zeros(400)).standard_error
    assert (high - low) / (2 * 1.96 * error) == pytest.approx(1, abs=0.25)
