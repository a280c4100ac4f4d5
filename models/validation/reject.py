"""Reject inference: learn from the declined, whose outcome nobody saw, and test whether it helps.

A scorer learnt from granted loans is asked about all who apply. Three ways to let the declined in,
all of them assumptions: fuzzy augmentation and parcelling suppose an outcome for each of them, and
propensity weighting lets granted loans stand for the declined that resemble them. What the past
policy knew and the features do not say (an officer's impression, a bureau's file) shows in no
granted loan: ``worse`` states how much it is believed to be. Only a known truth can tell whether
any of it helps, and Crook and Banasik (Journal of Banking and Finance 28, 2004) found little that
did, so it is off unless asked for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, Literal, get_args

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.base import clone

from features.errors import MicroloanError, UnknownName
from models.scoring.scorer import Scorer
from models.validation import metrics
from models.validation.discrimination import Interval
from models.validation.samples import Sample
from models.validation.truth import against_truth, excess_loss

Vector = NDArray[np.float64]
Method = Literal["fuzzy", "parcelling", "propensity"]
METHODS: tuple[Method, ...] = get_args(Method)

NONE = "none"
PARCELS = 10
MOST_WEIGHT = 5.0  # of a granted loan that stands for others, so that no single one rules


class BadBelief(MicroloanError, ValueError):
    """A supposition about the declined that cannot be."""


@dataclass(frozen=True)
class Inferred:
    """Rows to learn from instead of the granted alone.

    ``place`` is where each row stood among the granted followed by the declined: by it dates and
    groups are taken along.
    """

    features: pl.DataFrame
    bad: Vector
    weight: Vector
    place: NDArray[np.intp]


class Trial(msgspec.Struct, frozen=True):
    """One way of learning, judged on all who applied later.

    ``expected`` is the mean probability it foretells. Against the truth (None without one):
    ``error`` is the expected calibration error, ``excess`` the log loss beyond the truth's own,
    ``gini`` the Gini and ``gain`` how much less excess it has than learning from the granted alone.
    """

    method: str
    expected: float
    true: float | None = None
    error: float | None = None
    excess: float | None = None
    gini: float | None = None
    gain: Interval | None = None

    @property
    def helps(self) -> bool | None:
        """Whether it is truer beyond doubt than the granted alone; None where it cannot be told."""
        return None if self.gain is None else self.gain.low > 0


def infer(
    method: Method,
    accepted: Scorer,
    granted: pl.DataFrame,
    bad: Any,
    declined: pl.DataFrame,
    *,
    worse: float = 1.0,
    weight: Any = None,
) -> Inferred:
    """Weighted rows that speak for all who applied.

    Args:
        method: "fuzzy" adds each declined row as bad and as good, weighted by the probabilities of
            the scorer of the granted (Hsia 1978). "parcelling" does so with the bad rate of the
            granted in the same tenth of the score. "propensity" adds none and weights the granted
            by one over their chance of a grant, up to `MOST_WEIGHT` times the average.
        accepted: The scorer just fitted on ``granted`` and ``bad``, with its `out_of_fold_`.
        granted: Features of the loans granted, shape (granted, features).
        bad: Their outcomes, shape (granted,).
        declined: Features of the applications declined, in the same columns.
        worse: Odds of default of the declined over those of granted loans with the same score.
        weight: Weights of the granted.

    Raises:
        UnknownName: there is no such method.
        BadBelief: ``worse`` is not positive.
    """
    if method not in METHODS:
        raise UnknownName("reject inference", method, METHODS)
    if not worse > 0:
        raise BadBelief(f"worse is {worse}; it is a ratio of odds, above 0. 1 supposes no more.")
    outcomes = np.asarray(bad, dtype=np.float64)
    own = np.ones(len(outcomes)) if weight is None else np.asarray(weight, dtype=np.float64)
    declined = declined.select(granted.columns)
    if method == "propensity":
        weights = own * _stand_ins(accepted, granted, declined)
        return Inferred(granted, outcomes, weights, np.arange(len(outcomes), dtype=np.intp))
    log_odds = accepted.decision_function(declined)
    if method == "parcelling":
        log_odds = _parcelled(accepted.out_of_fold_, outcomes, own, log_odds)
    return _both_ways(granted, outcomes, own, declined, expit(log_odds + np.log(worse)))


def compare(
    accepted: Scorer,
    granted: pl.DataFrame,
    bad: Any,
    declined: pl.DataFrame,
    judged: Sample,
    *,
    methods: Sequence[Method] = METHODS,
    worse: float = 1.0,
    weight: Any = None,
    applied_on: pl.Series | None = None,
) -> tuple[Trial, ...]:
    """Learn each way and judge it on ``judged``: all who applied later, declined ones included.

    ``applied_on`` holds the dates of the granted followed by those of the declined. The first trial
    is the scorer of the granted alone.
    """
    inferred: dict[str, Scorer] = {}
    for method in methods:
        rows = infer(method, accepted, granted, bad, declined, worse=worse, weight=weight)
        scorer = clone(accepted).set_params(form=accepted.fitted_.form)
        scorer.fit(
            rows.features,
            rows.bad,
            applied_on=None if applied_on is None else applied_on[rows.place],
            groups=rows.place,
            sample_weight=rows.weight,
        )
        inferred[method] = scorer
    return trials(judged, accepted, inferred)


def trials(judged: Sample, accepted: Scorer, inferred: Mapping[str, Scorer]) -> tuple[Trial, ...]:
    """Judge the scorer of the granted alone, then those that each method led to, by its name."""
    alone = judged.scored_by(accepted)
    others = (_trial(name, judged.scored_by(one), alone) for name, one in inferred.items())
    return (_trial(NONE, alone, alone), *others)


def verdict(trials: Sequence[Trial]) -> str:
    """What the trials say, as a sentence for the report."""
    if all(trial.gain is None for trial in trials[1:]):
        return (
            "Whether reject inference helps cannot be judged: the declined have no outcomes and "
            "there is no truth to hold them against."
        )
    helping = [trial.method for trial in trials[1:] if trial.helps]
    if not helping:
        return "Held against the truth, no reject inference is truer than the granted loans alone."
    return f"Held against the truth, truer than the granted loans alone: {', '.join(helping)}."


def _both_ways(
    granted: pl.DataFrame, bad: Vector, weight: Vector, declined: pl.DataFrame, chance: Vector
) -> Inferred:
    """The granted, and each declined row twice: as bad and as good, by its probability."""
    place = np.arange(len(bad) + len(chance), dtype=np.intp)
    supposed = weight.mean()
    return Inferred(
        features=pl.concat([granted, declined, declined]),
        bad=np.concatenate([bad, np.ones(len(chance)), np.zeros(len(chance))]),
        weight=np.concatenate([weight, supposed * chance, supposed * (1 - chance)]),
        place=np.concatenate([place, place[len(bad) :]]),
    )


def _parcelled(log_odds: Vector, bad: Vector, weight: Vector, asked: Vector) -> Vector:
    """Log-odds of the granted's bad rate in the tenth of the score that each asked one is in."""
    judged = ~np.isnan(log_odds)
    edges = np.unique(np.quantile(log_odds[judged], np.linspace(0, 1, PARCELS + 1)[1:-1]))
    parcel = np.searchsorted(edges, log_odds[judged], side="left")
    bads, rows = (
        np.bincount(parcel, mass, len(edges) + 1)
        for mass in ((weight * bad)[judged], weight[judged])
    )
    rates = (bads + 0.5) / (rows + 1)  # Jeffreys: no parcel is without risk or without hope
    return np.asarray(np.log(rates / (1 - rates))[np.searchsorted(edges, asked, side="left")])


def _stand_ins(accepted: Scorer, granted: pl.DataFrame, declined: pl.DataFrame) -> Vector:
    """How many who applied each granted loan stands for, on average 1."""
    was_granted = np.repeat([1, 0], [len(granted), len(declined)])
    chance = Scorer(
        form="pairs", seeds=1, random_state=accepted.random_state, n_jobs=accepted.n_jobs
    ).fit(pl.concat([granted, declined]), was_granted)
    log_odds = chance.out_of_fold_[: len(granted)]
    log_odds = np.where(np.isnan(log_odds), np.nanmean(log_odds), log_odds)
    stands_for = 1 / expit(log_odds)
    stands_for = np.minimum(stands_for, MOST_WEIGHT * stands_for.mean())
    return np.asarray(stands_for / stands_for.mean())


def _trial(method: str, judged: Sample, alone: Sample) -> Trial:
    """The sample as one way foretells it, beside what the granted ``alone`` foretell."""
    expected = float(judged.probability.mean())
    if judged.true_pd is None or np.isnan(judged.true_pd).all():
        return Trial(method, expected)
    known = ~np.isnan(judged.true_pd)
    true, said, before = (
        part[known] for part in (judged.true_pd, judged.probability, alone.probability)
    )
    excess = excess_loss(true, said)
    return Trial(
        method,
        expected,
        true=float(true.mean()),
        error=metrics.expected_calibration_error(true, said),
        excess=float(excess.mean()),
        gini=against_truth(judged).gini,
        gain=None if method == NONE else _mean(excess_loss(true, before) - excess),
    )


def _mean(gain: Vector) -> Interval:
    middle, half = float(gain.mean()), 1.96 * float(gain.std()) / sqrt(len(gain))
    return Interval(middle, middle - half, middle + half)
