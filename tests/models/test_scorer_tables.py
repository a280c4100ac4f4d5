import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.scoring.calibration import Calibration
from models.scoring.effects import additive_part, sum_leaves
from models.scoring.tables import ScoreTables, score_tables
from models.scoring.trees import merge_models, read_leaves


def grown(seed: int, rounds: int = 12, bins: int = 15) -> tuple[str, np.ndarray]:
    """A model of pairs on four features, two of them correlated, one with missing values."""
    random = np.random.default_rng(seed)
    X = random.normal(size=(500, 4))
    X[:, 1] += 1.5 * X[:, 0]
    X[random.random(500) < 0.3, 2] = np.nan
    risk = X[:, 0] * np.nan_to_num(X[:, 2], nan=1.0) + X[:, 1] + np.abs(X[:, 3])
    y = (risk + random.normal(size=500) > 0.5).astype(int)
    settings = {
        "objective": "binary",
        "num_leaves": 6,
        "interaction_constraints": [[i, j] for i in range(4) for j in range(i)],
        "max_bin": bins,
        "seed": seed,
        "verbosity": -1,
    }
    return lightgbm.train(settings, lightgbm.Dataset(X, y), rounds).model_to_string(), X


def tables_of(model: str, X: np.ndarray, calibration: Calibration) -> ScoreTables:
    constant, tables = sum_leaves(read_leaves(model))
    parts = [additive_part(table, X, np.ones(len(X))) for table in tables]
    return score_tables(4, constant, tables, parts, calibration)


def _grown_tables() -> tuple[ScoreTables, np.ndarray]:
    model, X = grown(3)
    return tables_of(model, X, Calibration(0.9, -0.1)), X


GROWN = _grown_tables()


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000), slope=st.floats(0.1, 2.0), intercept=st.floats(-3.0, 3.0))
def test_tables_give_the_score_of_the_trees(seed: int, slope: float, intercept: float) -> None:
    model, X = grown(seed)
    tables = tables_of(model, X, Calibration(slope, intercept))
    unseen = np.random.default_rng(seed).normal(scale=3.0, size=(300, 4))
    unseen[::5] = X[:60]  # also exactly on values of the training data
    unseen[::7, 2] = np.nan
    unseen[0], unseen[1] = np.inf, -np.inf
    raw = lightgbm.Booster(model_str=model).predict(unseen, raw_score=True)
    np.testing.assert_allclose(tables.score(unseen), intercept + slope * raw, atol=1e-9)


def test_contributions_add_up_to_the_last_bit_alone_and_in_a_batch() -> None:
    model, X = grown(0)
    tables = tables_of(model, X, Calibration(0.9, -0.1))
    many = tables.contributions(np.tile(X, (9, 1)))[: len(X)]
    np.testing.assert_array_equal(tables.base + many.sum(axis=1), tables.score(X))
    alone = np.stack([tables.row_contributions(row) for row in X])
    np.testing.assert_array_equal(alone, many)
    scores = np.concatenate([tables.score(row[None]) for row in X])
    np.testing.assert_array_equal(scores, tables.score(X))


MOVES = st.lists(st.tuples(*[st.floats(-4, 4) | st.just(np.nan)] * 2), min_size=1, max_size=6)


@settings(max_examples=40, deadline=None)
@given(place=st.integers(0, 499), at=st.permutations(range(4)), moves=MOVES)
def test_a_row_whose_features_move_has_the_bits_it_would_have_alone(
    place: int, at: list[int], moves: list[tuple[float, float]]
) -> None:
    tables, X = GROWN
    moved = tables.moved(X[place], np.array(at[:2]), np.array(moves))
    alone = np.tile(X[place], (len(moves), 1))
    alone[:, at[:2]] = moves
    np.testing.assert_array_equal(moved, tables.score(alone))
    np.testing.assert_array_equal(moved, [tables.score(row[None])[0] for row in alone])


def test_a_purified_table_says_nothing_that_one_feature_could() -> None:
    model, X = grown(1)
    _, tables = sum_leaves(read_leaves(model))
    table = next(table for table in tables if len(table.features) == 2)
    part = additive_part(table, X, np.ones(len(X)))
    rest = table.values - part.mean - part.effects[0][:, None] - part.effects[1][None, :]
    once_more = additive_part(type(table)(table.features, table.cuts, rest), X, np.ones(len(X)))
    assert abs(once_more.mean) < 1e-9
    # bins that no training row is in have no effect of their own to compare
    for bins, effect in zip(table.bins(X), once_more.effects, strict=True):
        assert np.abs(effect[np.unique(bins)]).max() < 1e-6


def test_every_curve_and_surface_has_mean_zero_over_the_training_rows() -> None:
    model, X = grown(2)
    tables = tables_of(model, X, Calibration())
    # a hundredth of independence is mixed in, hence nearly and not exactly zero
    assert np.abs(tables.contributions(X).mean(axis=0)).max() < 0.02


def test_merged_boosters_score_their_mean() -> None:
    models, (_, X) = [grown(0, bins=bins)[0] for bins in (7, 15, 31)], grown(0)
    merged = lightgbm.Booster(model_str=merge_models(models))
    scores = [lightgbm.Booster(model_str=model).predict(X, raw_score=True) for model in models]
    np.testing.assert_allclose(
        merged.predict(X, raw_score=True), np.mean(scores, axis=0), rtol=0, atol=1e-12
    )
    assert merged.num_trees() == 36


def test_leaves_on_three_features_are_refused() -> None:
    random = np.random.default_rng(0)
    X = random.normal(size=(400, 3))
    y = (X[:, 0] * X[:, 1] * X[:, 2] > 0).astype(int)
    settings = {"objective": "binary", "num_leaves": 16, "verbosity": -1}
    free = lightgbm.train(settings, lightgbm.Dataset(X, y), 5).model_to_string()
    with pytest.raises(ValueError, match="three features"):
        sum_leaves(read_leaves(free))
