"""How much of what could be known a scorer knows, where the true probabilities are known.

Only a made-up province can tell. Each application counts as bad to the extent of its true
probability and as good to the rest, so the figures are free of the luck of outcomes and include
applications that were declined.
"""

import msgspec
import numpy as np
from scipy.special import rel_entr

from models.validation import metrics
from models.validation.samples import Sample, Vector


class Truth(msgspec.Struct, frozen=True):
    """A scorer against the true probabilities of a population.

    ``attainable`` is the Gini of the true probabilities themselves and ``share`` what part of it
    the scorer's ``gini`` is; ``error`` is the root mean square difference of log-odds.
    """

    population: str
    rows: int
    true_rate: float
    expected_rate: float
    gini: float
    attainable: float
    share: float
    error: float


def against_truth(sample: Sample) -> Truth:
    """Hold a sample's probabilities against its ``true_pd``; rows without one are left out."""
    if sample.true_pd is None:
        raise ValueError(f"sample {sample.name!r} has no true_pd")
    known = sample.where(~np.isnan(sample.true_pd))
    true, said = np.asarray(known.true_pd, dtype=np.float64), known.probability
    attainable, gini = _expected_gini(true, true), _expected_gini(true, said)
    gap = _log_odds(said) - _log_odds(true)
    return Truth(
        population=sample.name,
        rows=len(known),
        true_rate=float(true.mean()),
        expected_rate=float(said.mean()),
        gini=gini,
        attainable=attainable,
        share=gini / attainable if attainable > 0 else 0.0,
        error=float(np.sqrt(np.mean(gap**2))),
    )


def excess_loss(true: Vector, said: Vector) -> Vector:
    """Expected log loss of each row beyond that of its true probability, in nats."""
    return np.asarray(rel_entr(true, said) + rel_entr(1 - true, 1 - said))


def _expected_gini(true: Vector, risk: Vector) -> float:
    """Gini over rows that are each bad by weight ``true`` and good by the rest."""
    bad = np.repeat([1.0, 0.0], len(true))
    return metrics.gini(bad, np.tile(risk, 2), np.concatenate([true, 1 - true]))


def _log_odds(probability: Vector) -> Vector:
    # a simulated true probability may be 0 or 1 by the luck of few futures
    inside = np.clip(probability, 1e-3, 1 - 1e-3)
    return np.asarray(np.log(inside / (1 - inside)))
