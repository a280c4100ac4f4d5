"""How well a sample is ranked, with intervals, and the curves that show it."""

from collections.abc import Iterator
from math import sqrt

import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

from models.validation import metrics
from models.validation.samples import Sample, Vector

_DRAWS = 400
_ROW_DRAWS = 4_000_000
_CURVE_POINTS = 101
_BINS = 24


class Interval(msgspec.Struct, frozen=True):
    """A figure with its bounds at 95 %."""

    value: float
    low: float
    high: float


class Discrimination(msgspec.Struct, frozen=True):
    """Ranking and accuracy of one sample; ``bads`` are rows, ``bad_rate`` is weighted."""

    sample: str
    rows: int
    bads: int
    bad_rate: float
    auc: Interval
    gini: Interval
    ks: Interval
    h_measure: Interval
    brier: float
    log_loss: float


class Curves(msgspec.Struct, frozen=True):
    """The ROC of a sample, and the shares of its goods and bads by log-odds, for plots."""

    sample: str
    good_share: tuple[float, ...]
    bad_share: tuple[float, ...]
    edges: tuple[float, ...]
    goods: tuple[float, ...]
    bads: tuple[float, ...]


def discrimination(sample: Sample, draws: int | None = None) -> Discrimination:
    """Ranking and accuracy of a sample whose outcomes are all known, both kinds among them.

    Intervals are bootstrap percentiles, by default of 400 draws (fewer where rows are many); the
    H-measure has a quarter of them.
    """
    columns = bad, probability, weight = sample.bad, sample.probability, sample.weight
    draws = draws or int(np.clip(_ROW_DRAWS / len(sample), 20, _DRAWS))
    area, gap = _ranking_intervals(sample, draws)
    spread = metrics.bootstrap_interval(metrics.h_measure, *columns, draws=max(draws // 4, 20))
    return Discrimination(
        sample=sample.name,
        rows=len(sample),
        bads=int(bad.sum()),
        bad_rate=float(np.average(bad, weights=weight)),
        auc=area,
        gini=Interval(*(2 * bound - 1 for bound in (area.value, area.low, area.high))),
        ks=gap,
        h_measure=Interval(metrics.h_measure(*columns), *spread),
        brier=metrics.brier(bad, probability, weight),
        log_loss=metrics.log_loss(bad, probability, weight),
    )


def auc_interval(bad: Vector, probability: Vector, weight: Vector | None = None) -> Interval | None:
    """AUC of a small slice with its interval in closed form; None under two goods or bads.

    The standard error is that of Hanley and McNeil, Radiology 143 (1982), equation 2.
    """
    bads, goods = float(bad.sum()), float(len(bad) - bad.sum())
    if min(bads, goods) < 2:
        return None
    area = metrics.auc(bad, probability, weight)
    both_bad, both_good = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area)
    variance += (bads - 1) * (both_bad - area**2) + (goods - 1) * (both_good - area**2)
    error = 1.96 * sqrt(variance / (bads * goods))
    return Interval(area, max(area - error, 0.0), min(area + error, 1.0))


def curves(sample: Sample) -> Curves:
    """The ROC at 101 points and histograms of the log-odds of goods and of bads."""
    good_share, bad_share, _ = roc_curve(
        sample.bad, sample.probability, sample_weight=sample.weight
    )
    grid = np.linspace(0, 1, _CURVE_POINTS)
    log_odds = _log_odds(sample.probability)
    lowest, highest = np.quantile(log_odds, [0.001, 0.999]).tolist()
    edges = np.linspace(lowest - 1e-9, highest + 1e-9, _BINS + 1)
    weight = np.ones(len(sample)) if sample.weight is None else sample.weight
    shares = {
        kind: np.histogram(log_odds[sample.bad == kind], edges, weights=weight[sample.bad == kind])[
            0
        ]
        / weight[sample.bad == kind].sum()
        for kind in (0, 1)
    }
    return Curves(
        sample=sample.name,
        good_share=_rounded(grid),
        bad_share=_rounded(np.interp(grid, good_share, bad_share)),
        edges=_rounded(edges),
        goods=_rounded(shares[0]),
        bads=_rounded(shares[1]),
    )


def _ranking_intervals(sample: Sample, draws: int) -> tuple[Interval, Interval]:
    """AUC and KS with bootstrap percentiles, from one ordering of the rows for all draws."""
    _, level = np.unique(sample.probability, return_inverse=True)
    weight = np.ones(len(sample)) if sample.weight is None else sample.weight
    bads, goods = weight * sample.bad, weight * (1 - sample.bad)
    random = np.random.default_rng(0)
    drawn = np.array(
        [_ranking(level, bads * n, goods * n) for n in _resamples(sample, random, draws)]
    )
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0).tolist()
    area, gap = _ranking(level, bads, goods)
    return Interval(area, low[0], high[0]), Interval(gap, low[1], high[1])


def _resamples(sample: Sample, random: np.random.Generator, draws: int) -> Iterator[Vector]:
    """How often each row is drawn, in ``draws`` samples that hold both goods and bads."""
    rows = len(sample)
    while draws:
        times = np.bincount(random.integers(0, rows, rows), minlength=rows).astype(np.float64)
        if 0 < times @ sample.bad < rows:
            draws -= 1
            yield times


def _ranking(level: NDArray[np.intp], bads: Vector, goods: Vector) -> tuple[float, float]:
    """AUC and KS of weighted bads and goods by level of risk, ties counted half."""
    bad, good = (np.bincount(level, mass) / mass.sum() for mass in (bads, goods))
    below, bads_below = np.cumsum(good), np.cumsum(bad)
    return float(bad @ (below - good / 2)), float(np.abs(below - bads_below).max())


def _log_odds(probability: Vector) -> Vector:
    inside = np.clip(probability, 1e-12, 1 - 1e-12)
    return np.asarray(np.log(inside / (1 - inside)))


def _rounded(values: Vector) -> tuple[float, ...]:
    return tuple(np.round(values, 6).tolist())
