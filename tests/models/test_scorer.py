from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from features.errors import MicroloanError
from models import Scorer
from models.scoring import boosting
from models.scoring.trees import read_leaves
from tests.models.scorer_portfolio import DIRECTIONS, applicants

EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": (
        "folds and bags are drawn by row: a row of weight two is not the same as two rows"
    ),
}


@parametrize_with_checks(
    [Scorer(seeds=2, form="pairs", n_jobs=1)], expected_failed_checks=lambda _: EXPECTED_FAILURES
)
def test_it_keeps_the_rules_of_scikit_learn(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.fixture(scope="module", params=["pairs", "free", "deep"])
def fitted(request: pytest.FixtureRequest) -> Scorer:
    X, y = applicants()
    return Scorer(DIRECTIONS, form=request.param, seeds=2).fit(X, y)


def test_it_ranks_applicants_it_has_not_seen(fitted: Scorer) -> None:
    X, y = applicants(seed=1)
    assert roc_auc_score(y, fitted.predict_proba(X)[:, 1]) > 0.75


def test_its_mean_probability_is_the_bad_rate(fitted: Scorer) -> None:
    X, y = applicants(5000, seed=1)
    assert fitted.predict_proba(X)[:, 1].mean() == pytest.approx(y.mean(), abs=0.02)


def test_contributions_add_up_to_the_served_log_odds(fitted: Scorer) -> None:
    X, _ = applicants(300, seed=1)
    explained = fitted.explain(X)
    assert [*explained.columns] == [*X.columns, "base"]
    np.testing.assert_allclose(explained.sum(axis=1), fitted.decision_function(X), atol=1e-9)


def test_a_feature_may_be_called_base() -> None:
    X, y = applicants(300)
    X = X.rename(columns={"late_filings": "base"})
    scorer = Scorer(seeds=1, form="pairs").fit(X, y)
    assert [*scorer.explain(X).columns] == [*X.columns, "base_"]
    np.testing.assert_allclose(scorer.explain(X).sum(axis=1), scorer.decision_function(X))
    assert {"base"} <= set(scorer.reasons(X)["feature"]) <= set(X.columns)


def test_one_row_alone_is_scored_and_explained_as_in_a_batch(fitted: Scorer) -> None:
    X, _ = applicants(50, seed=1)
    explained = fitted.explain(X).drop(columns="base").to_numpy()
    for at, values in enumerate(X.to_dict(orient="records")):
        row = fitted.explain_row(fitted.encode_row(values))
        np.testing.assert_array_equal(row, explained[at])
        assert fitted.decision_function(X.iloc[[at]])[0] == fitted.decision_function(X)[at]


def test_moves_of_a_row_are_scored_to_the_bit_as_the_rows_they_make(fitted: Scorer) -> None:
    X, _ = applicants(20, seed=2)
    rows = X.to_dict(orient="records")
    names = list(X.columns)[1::2]
    moves = [{name: row[name] for name in names} | {"no feature": 1.0} for row in rows[1:]]
    whole = [fitted.encode_row({**rows[0], **move}) for move in moves]
    alone = [fitted.base_ + fitted.explain_row(row).sum() for row in whole]
    found = fitted.score_moved(rows[0], moves)
    np.testing.assert_array_equal(found, alone)
    assert not len(fitted.score_moved(rows[0], []))


def test_the_served_score_is_that_of_lightgbm_on_the_saved_text(fitted: Scorer) -> None:
    X, _ = applicants(seed=1)
    trees = lightgbm.Booster(model_str=fitted.to_bytes()["model.txt"].decode())
    raw = trees.predict(fitted.fitted_.encoding.matrix(X), raw_score=True)
    served = fitted.fitted_.calibration(np.asarray(raw))
    np.testing.assert_allclose(served, fitted.decision_function(X), atol=1e-9)


def test_contributions_add_up_under_weights_too() -> None:
    X, y = applicants(800)
    weight = np.where(y == 1, 10.0, 50.0) * np.random.default_rng(0).uniform(0.5, 2.0, len(y))
    for form in ("pairs", "free"):
        scorer = Scorer(form=form, seeds=2).fit(X, y, sample_weight=weight)
        total = scorer.explain(X).sum(axis=1)
        np.testing.assert_allclose(total, scorer.decision_function(X), atol=1e-9)


def test_shuffled_rows_and_other_threads_give_the_same_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(boosting, "MOST_ROUNDS", 25)  # two threads are slow on a busy machine
    X, y = applicants(300)
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(300), unit="D")
    groups = np.arange(300) // 3
    order = np.random.default_rng(0).permutation(300)
    first = Scorer(DIRECTIONS, form="pairs", seeds=1, n_jobs=1).fit(
        X, y, applied_on=days, groups=groups
    )
    second = Scorer(DIRECTIONS, form="pairs", seeds=1, n_jobs=2).fit(
        X.iloc[order], y[order], applied_on=days[order], groups=groups[order]
    )
    assert first.to_bytes() == second.to_bytes()


@settings(max_examples=3, deadline=None)
@given(st.integers(0, 1000))
def test_risk_moves_only_in_the_declared_direction(seed: int) -> None:
    X, y = applicants(400, seed)
    scorer = Scorer({"age": 1, "late_filings": -1}, seeds=1, form="pairs").fit(
        X, y
    )  # against the truth
    ages = pd.concat([X.iloc[[0]]] * 30).assign(age=np.linspace(0, 30, 30))
    filings = pd.concat([X.iloc[[0]]] * 12).assign(late_filings=range(12))
    assert (np.diff(scorer.decision_function(ages)) >= -1e-9).all()
    assert (np.diff(scorer.decision_function(filings)) <= 1e-9).all()


def test_pandas_polars_and_arrow_frames_are_one() -> None:
    X, y = applicants(600)
    by_pandas = Scorer(seeds=1, form="pairs").fit(X, y)
    by_polars = Scorer(seeds=1, form="pairs").fit(pl.from_pandas(X), pl.Series(y))
    by_arrow = Scorer(seeds=1, form="pairs").fit(pl.from_pandas(X).to_arrow(), y)
    categories = X.astype({"trade": "category"})
    assert by_pandas.to_bytes() == by_polars.to_bytes() == by_arrow.to_bytes()
    assert by_pandas.to_bytes() == Scorer(seeds=1, form="pairs").fit(categories, y).to_bytes()


def test_weights_count_by_proportion_only() -> None:
    X, y = applicants(500)
    weight = np.random.default_rng(0).integers(1, 5, len(y)).astype(float)
    light = Scorer(seeds=1, form="pairs").fit(X, y, sample_weight=weight)
    heavy = Scorer(seeds=1, form="pairs").fit(X, y, sample_weight=weight * 64)
    np.testing.assert_array_equal(light.decision_function(X), heavy.decision_function(X))


def test_a_column_of_names_seen_once_gives_nothing_away() -> None:
    X, y = applicants(1000)
    named = X.assign(owner=[f"owner {at}" for at in range(len(X))])
    unseen, truth = applicants(3000, seed=1)
    plain = Scorer(seeds=2, form="pairs").fit(X, y)
    with_names = Scorer(seeds=2, form="pairs").fit(named, y)
    risks = with_names.predict_proba(unseen.assign(owner="nobody"))[:, 1]
    lost = roc_auc_score(truth, plain.predict_proba(unseen)[:, 1]) - roc_auc_score(truth, risks)
    assert lost < 0.02
    assert with_names.explain(named)["owner"].abs().mean() < 0.05


def test_an_unknown_level_is_read_as_missing(fitted: Scorer) -> None:
    X, _ = applicants(20)
    unknown = fitted.decision_function(X.assign(trade="astrology"))
    missing = fitted.decision_function(X.assign(trade=pd.Series([None] * 20, dtype="str")))
    np.testing.assert_array_equal(unknown, missing)


def test_text_where_numbers_were_is_refused(fitted: Scorer) -> None:
    X, _ = applicants(10)
    with pytest.raises(MicroloanError, match="'age' held numbers"):
        fitted.predict_proba(X.assign(age="old"))


def test_numbers_where_text_was_are_refused(fitted: Scorer) -> None:
    X, _ = applicants(10)
    with pytest.raises(MicroloanError, match="'trade' held text"):
        fitted.predict_proba(X.assign(trade=7))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"directions": {"agee": 1}}, "did you mean one of age"),
        ({"directions": {"age": 2}}, "must be -1, 0 or 1"),
        ({"directions": {"trade": 1}}, "'trade' holds text"),
        ({"form": "round"}, "must be one of auto, pairs, free, deep"),
        ({"seeds": 0}, "at least 1"),
        ({"settings": {"leaves": 9}}, "did you mean one of num_leaves"),
        ({"settings": {"monotone_constraints": 0}}, "There is no setting"),
    ],
)
def test_settings_out_of_bounds_are_refused(parameters: dict[str, Any], message: str) -> None:
    X, y = applicants(60)
    with pytest.raises(MicroloanError, match=message):
        Scorer(**parameters).fit(X, y)


def test_a_setting_replaces_that_of_the_house_and_is_saved_with_the_scorer() -> None:
    X, y = applicants(300)
    scorer = Scorer(form="pairs", seeds=1, settings={"num_leaves": 2}).fit(X, y)
    assert "num_leaves=2\n" in scorer.fitted_.model
    assert Scorer.from_bytes(scorer.to_bytes()).get_params()["settings"] == {"num_leaves": 2}


def test_no_setting_lets_three_features_act_together_in_pairs() -> None:
    X, y = applicants(600)
    scorer = Scorer(form="pairs", seeds=1, settings={"num_leaves": 31}, n_jobs=1).fit(X, y)
    assert all(len(leaf.features) <= 2 for leaf in read_leaves(scorer.fitted_.model))


def test_reasons_are_the_largest_harms_in_order(fitted: Scorer) -> None:
    X, _ = applicants(40, seed=1)
    explained = fitted.explain(X).drop(columns="base")
    reasons = fitted.reasons(X, top=3)
    for row, told in reasons.groupby("row"):
        harm = explained.loc[row]
        largest = harm[harm > 0].sort_values(ascending=False).head(3)
        assert told["feature"].tolist() == largest.index.tolist()
        assert told["rank"].tolist() == list(range(1, len(told) + 1))


def test_an_applicant_like_the_neutral_one_has_no_reasons(fitted: Scorer) -> None:
    X, _ = applicants(40, seed=1)
    assert fitted.reasons(X.iloc[[3]], neutral=X.iloc[[3]]).empty


def test_the_average_applicant_contributes_nothing() -> None:
    X, y = applicants()
    scorer = Scorer(seeds=2, form="pairs").fit(X.drop(columns="trade"), y)
    mean = scorer.explain(X.drop(columns="trade")).drop(columns="base").mean()
    assert mean.abs().max() < 1e-3


def test_large_trees_are_taken_only_where_they_are_better_beyond_doubt() -> None:
    X, y = applicants(1000)
    assert Scorer(seeds=1).fit(X, y).fitted_.form == "pairs"
    random = np.random.default_rng(0)
    interlocked = random.integers(0, 2, (1500, 4)).astype(float)
    parity = interlocked[:, :3].sum(axis=1) % 2
    flipped = random.random(1500) < 0.1
    scorer = Scorer(seeds=1).fit(interlocked, np.where(flipped, 1 - parity, parity))
    assert scorer.fitted_.form in ("free", "deep")


def test_it_can_be_cloned(fitted: Scorer) -> None:
    assert clone(fitted).get_params() == fitted.get_params()


def test_groups_never_stand_on_both_sides_of_a_fold() -> None:
    X, y = applicants(100)
    thrice = pd.concat([X] * 3, ignore_index=True)
    thrice["noise"] = np.tile(np.random.default_rng(0).normal(size=100), 3)
    alike = Scorer(seeds=1, form="pairs").fit(thrice, np.tile(y, 3))
    grouped = Scorer(seeds=1, form="pairs").fit(
        thrice, np.tile(y, 3), groups=np.tile(np.arange(100), 3)
    )
    # without groups the copies of a row give its outcome away and more rounds seem to pay
    assert grouped.fitted_.rounds < alike.fitted_.rounds
