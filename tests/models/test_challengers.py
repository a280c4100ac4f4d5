"""Rivals: fitted on the scorer's rows, judged on its test, and never in the way of training."""

import sys
from functools import cache

import msgspec
import numpy as np
import polars as pl
import pytest

from features.errors import UnknownName
from models.validation import metrics
from models.validation.card import card
from models.validation.challengers import RIVALS, Rival, challengers
from models.validation.findings import findings
from models.validation.samples import Sample
from models.validation.validation import Validation
from tests.models.portfolio import FEATURES, bad_of, fitted, validated


@cache
def rivals() -> tuple[Rival, ...]:
    """All rivals on the portfolio, whose later rows also hold a trade that no earlier row has."""
    _, earlier, _ = fitted()
    return challengers(earlier.select(FEATURES), bad_of(earlier), judged_on())


@cache
def judged_on() -> Sample:
    sample = validated()[2]
    new = pl.when(pl.int_range(pl.len()) == 0).then(pl.lit("mining")).otherwise("trade")
    features = sample.features.with_columns(new.alias("trade"))
    return Sample("out of time", features, sample.bad, sample.probability)


def with_rivals() -> Validation:
    return msgspec.structs.replace(validated()[3], rivals=rivals())


def test_every_rival_learns_from_numbers_text_and_missing_values() -> None:
    assert [one.name for one in rivals()] == list(RIVALS)
    for one in rivals():
        assert one.failure == ""
        assert one.figures is not None
        assert one.figures.auc > 0.65, "the portfolio's truth is easily learnt"


def test_the_difference_is_the_scorers_auc_less_the_rivals() -> None:
    ours = metrics.auc(judged_on().bad, judged_on().probability)
    for one in rivals():
        assert one.figures is not None
        assert one.figures.difference == pytest.approx(ours - one.figures.auc)
        assert one.figures.standard_error > 0


def test_a_scorer_of_noise_loses_to_a_rival_and_the_report_says_so() -> None:
    _, earlier, _ = fitted()
    sample = judged_on()
    noise = np.random.default_rng(0).random(len(sample))
    (rival,) = challengers(
        earlier.select(FEATURES),
        bad_of(earlier),
        Sample("out of time", sample.features, sample.bad, noise),
        names=("plain LightGBM",),
    )
    assert rival.figures is not None
    assert rival.figures.difference < -5 * rival.figures.standard_error
    told = findings(msgspec.structs.replace(validated()[3], rivals=(rival,)))
    assert any("plain LightGBM ranks better" in text for _, text in told)


def test_a_missing_library_is_told_and_the_others_are_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, earlier, _ = fitted()
    monkeypatch.setitem(sys.modules, "optbinning", None)
    names = ("WoE scorecard", "plain LightGBM")
    missing, judged = challengers(
        earlier.select(FEATURES), bad_of(earlier), judged_on(), names=names
    )
    assert missing.figures is None
    assert missing.failure == "optbinning is not installed"
    assert judged == rivals()[0]
    validation = msgspec.structs.replace(validated()[3], rivals=(missing,))
    assert "optbinning is not installed" in card(validation)


def test_a_rival_that_cannot_learn_says_why() -> None:
    _, earlier, _ = fitted()
    goods = np.zeros(earlier.height)
    (rival,) = challengers(earlier.select(FEATURES), goods, judged_on(), names=("WoE scorecard",))
    assert rival.figures is None
    assert rival.failure.startswith("ValueError")


def test_an_unknown_rival_is_refused_by_name() -> None:
    _, earlier, _ = fitted()
    with pytest.raises(UnknownName, match="coin"):
        challengers(earlier.select(FEATURES), bad_of(earlier), judged_on(), names=("coin",))


def test_rivals_come_back_from_json_and_are_told_in_card_and_metrics() -> None:
    validation = with_rivals()
    assert Validation.from_json(validation.to_json()) == validation
    told, flat = card(validation), validation.metrics()
    for one in rivals():
        assert one.figures is not None
        assert f"| {one.name} | {one.figures.auc:.3f} |" in told
        name = one.name.replace(" ", "_")
        assert flat[f"rival.{name}.difference"] == one.figures.difference
