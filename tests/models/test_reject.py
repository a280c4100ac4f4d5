"""Reject inference: what it supposes is what it was told, and its test finds help and harm."""

from functools import cache

import msgspec
import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from scipy.special import expit

from features.errors import UnknownName
from models.scoring.scorer import Scorer
from models.validation.card import card
from models.validation.reject import BadBelief, Method, compare, infer, verdict
from models.validation.samples import Sample
from models.validation.validation import Validation
from tests.models.portfolio import validated

Vector = NDArray[np.float64]


def applied(
    rows: int, seed: int, *, knows_more: float
) -> tuple[pl.DataFrame, Vector, NDArray[np.bool_]]:
    """Features, true probabilities, and who was granted by an officer who ``knows_more``.

    What more is known, of a bureau's file say, is in no feature.
    """
    random = np.random.default_rng(seed)
    late, turnover, bureau = random.poisson(0.8, rows), *random.normal(size=(2, rows))
    true = expit(-2.4 + 0.7 * late - 0.6 * turnover + 1.2 * bureau)
    liked = turnover - late - 2 * knows_more * bureau + random.normal(size=rows)
    features = pl.DataFrame({"late": late, "turnover": turnover})
    return features, true, liked > np.median(liked)


@cache
def learnt(
    knows_more: float,
) -> tuple[Scorer, pl.DataFrame, NDArray[np.int64], pl.DataFrame, Sample]:
    """The scorer of the granted, granted with outcomes, declined, and all who applied later."""
    features, true, granted = applied(4000, 0, knows_more=knows_more)
    bad = (np.random.default_rng(1).random(4000) < true).astype(np.int64)[granted]
    accepted, declined = features.filter(granted), features.filter(~granted)
    scorer = Scorer(form="pairs", seeds=1, n_jobs=1).fit(accepted, bad)
    later, later_true, _ = applied(4000, 2, knows_more=knows_more)
    unknown = np.full(4000, np.nan)
    judged = Sample.scored("applicants", scorer, later, unknown, true_pd=later_true)
    return scorer, accepted, bad, declined, judged


@pytest.mark.parametrize("method", ["fuzzy", "parcelling"])
def test_supposing_the_declined_as_much_worse_as_they_are_helps(method: Method) -> None:
    none, told = compare(*learnt(1.0), methods=(method,), worse=4.0)
    assert none.error is not None
    assert told.error is not None
    assert none.expected < 0.75 * (none.true or 0), "the granted alone are safer"
    assert told.error < 0.7 * none.error
    assert told.helps
    assert method in verdict([none, told])


def test_supposing_too_much_is_found_to_do_harm() -> None:
    none, told = compare(*learnt(0.0), methods=("fuzzy",), worse=8.0)
    assert told.helps is False
    assert told.error is not None
    assert none.error is not None
    assert told.error > 2 * none.error
    assert "no reject inference is truer" in verdict([none, told])


def test_declined_who_are_no_worse_than_they_look_change_little() -> None:
    none, told = compare(*learnt(0.0), methods=("fuzzy",))
    assert told.expected == pytest.approx(none.expected, rel=0.15)


def test_without_a_truth_nothing_is_judged_and_the_card_says_so() -> None:
    scorer, granted, bad, declined, judged = learnt(1.0)
    blind = Sample("applicants", judged.features, judged.bad, judged.probability)
    trials = compare(scorer, granted, bad, declined, blind, methods=("parcelling",))
    assert [trial.helps for trial in trials] == [None, None]
    assert [trial.error for trial in trials] == [None, None]
    validation = msgspec.structs.replace(validated()[3], inference=trials)
    assert Validation.from_json(validation.to_json()) == validation
    assert "cannot be judged: the declined have no outcomes" in card(validation)


def test_fuzzy_rows_weigh_one_each_and_their_odds_are_multiplied() -> None:
    scorer, granted, bad, declined, _ = learnt(1.0)
    rows = infer("fuzzy", scorer, granted, bad, declined, worse=3.0, weight=np.full(len(bad), 2.0))
    many = len(declined)
    as_bad, as_good = rows.weight[len(bad) : -many], rows.weight[-many:]
    assert as_bad + as_good == pytest.approx(np.full(many, 2.0))
    assert np.log(as_bad / as_good) == pytest.approx(
        scorer.decision_function(declined) + np.log(3.0)
    )
    assert rows.features[len(bad) : -many].equals(rows.features[-many:])
    assert (rows.place[len(bad) : -many] == rows.place[-many:]).all()
    assert rows.weight[: len(bad)] == pytest.approx(2.0)


def test_parcels_take_the_bad_rate_of_the_granted_of_the_same_tenth() -> None:
    scorer, granted, bad, declined, _ = learnt(1.0)
    rows = infer("parcelling", scorer, granted, bad, declined)
    edges = np.unique(np.quantile(scorer.out_of_fold_, np.arange(1, 10) / 10))
    riskiest = scorer.decision_function(declined) > edges[-1]
    tenth = bad[scorer.out_of_fold_ > edges[-1]]
    supposed = rows.weight[len(bad) : -len(declined)][riskiest]
    assert supposed == pytest.approx((tenth.sum() + 0.5) / (len(tenth) + 1))


def test_propensity_weights_make_the_granted_resemble_all_who_applied() -> None:
    scorer, granted, bad, declined, _ = learnt(0.0)
    rows = infer("propensity", scorer, granted, bad, declined)
    assert rows.weight.mean() == pytest.approx(1)
    assert rows.weight.min() > 0
    for name in granted.columns:
        ours, theirs = granted[name].to_numpy(), declined[name].to_numpy()
        everyone = np.concatenate([ours, theirs]).mean()
        weighted = np.average(ours, weights=rows.weight)
        assert abs(weighted - everyone) < 0.5 * abs(ours.mean() - everyone)


def test_the_truth_itself_is_nought_beyond_the_truth() -> None:
    scorer, granted, bad, declined, judged = learnt(0.0)
    said = scorer.predict_proba(judged.features)[:, 1]
    perfect = Sample("applicants", judged.features, judged.bad, said, true_pd=said)
    (none,) = compare(scorer, granted, bad, declined, perfect, methods=())
    assert none.error == pytest.approx(0)
    assert none.excess == pytest.approx(0)
    assert none.expected == none.true
    assert none.helps is None


def test_impossible_beliefs_and_unknown_methods_are_refused() -> None:
    scorer, granted, bad, declined, _ = learnt(0.0)
    with pytest.raises(BadBelief, match="worse is 0"):
        infer("fuzzy", scorer, granted, bad, declined, worse=0.0)
    with pytest.raises(UnknownName, match="heckman"):
        infer("heckman", scorer, granted, bad, declined)  # type: ignore[arg-type]
