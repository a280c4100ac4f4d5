"""How well a probability of default ranks and how true it is, weighted, with its uncertainty.

Everywhere `bad` is 1 for default and 0 otherwise, `risk` anything that rises with risk and
`chance` a probability of default; all have shape (rows,), as has the optional `weight`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import beta, norm, rankdata
from sklearn.metrics import brier_score_loss, roc_auc_score, roc_curve
from sklearn.metrics import log_loss as sklearn_log_loss

Vector = NDArray[np.float64]
Metric = Callable[..., float]


def auc(bad: ArrayLike, risk: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Chance that a bad applicant is ranked riskier than a good one."""
    return float(roc_auc_score(bad, risk, sample_weight=weight))


def gini(bad: ArrayLike, risk: ArrayLike, weight: ArrayLike | None = None) -> float:
    """2 x AUC - 1: 0 for a coin, 1 for a perfect ranking."""
    return 2.0 * auc(bad, risk, weight) - 1.0


def ks(bad: ArrayLike, risk: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Largest gap between the cumulative shares of bad and of good (Kolmogorov-Smirnov)."""
    good_share, bad_share, _ = roc_curve(bad, risk, sample_weight=weight)
    return float(np.max(np.abs(bad_share - good_share)))


def brier(bad: ArrayLike, chance: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Mean squared distance of probability and outcome."""
    return float(brier_score_loss(bad, chance, sample_weight=weight, pos_label=1))


def log_loss(bad: ArrayLike, chance: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Mean surprise of the outcomes, in nats."""
    return float(sklearn_log_loss(bad, chance, sample_weight=weight, labels=[0, 1]))


def expected_calibration_error(
    bad: ArrayLike, chance: ArrayLike, weight: ArrayLike | None = None, bins: int = 10
) -> float:
    """Mean distance of expected and observed bad rate over bins of equally many rows."""
    table = decile_table(bad, chance, weight, bins)
    gap = (table["expected"] - table["observed"]).abs()
    return float(np.average(gap, weights=table["weight"]))


def observed_over_expected(
    bad: ArrayLike, chance: ArrayLike, weight: ArrayLike | None = None
) -> float:
    """Defaults that happened for each one predicted."""
    bad, chance, weight = _vectors(bad, chance, weight)
    return float((weight * bad).sum() / (weight * chance).sum())


def decile_table(
    bad: ArrayLike, chance: ArrayLike, weight: ArrayLike | None = None, bins: int = 10
) -> pd.DataFrame:
    """Expected and observed bad rate by bin of risk, the safest first; ties share a bin.

    Columns: bin, rows, weight, bads (weighted), lowest, highest, expected, observed.
    """
    bad, chance, weight = _vectors(bad, chance, weight)
    bin_of = _equal_bins(chance, weight, bins)
    frame = pd.DataFrame({"bin": bin_of, "chance": chance, "weight": weight})
    frame["expected"], frame["bads"] = weight * chance, weight * bad
    table = frame.groupby("bin", as_index=False).agg(
        rows=("chance", "size"),
        weight=("weight", "sum"),
        bads=("bads", "sum"),
        lowest=("chance", "min"),
        highest=("chance", "max"),
        expected=("expected", "sum"),
    )
    table["expected"] /= table["weight"]
    table["observed"] = table["bads"] / table["weight"]
    table["bin"] = range(1, len(table) + 1)
    return table


def _equal_bins(risk: Vector, weight: Vector, bins: int) -> NDArray[np.intp]:
    """Bins of about equal weight, from 0; equal risks are in one bin."""
    levels, level = np.unique(risk, return_inverse=True)
    mass = np.bincount(level, weight, len(levels))
    middle = (np.cumsum(mass) - mass / 2) / mass.sum()
    return np.asarray(np.minimum((middle * bins).astype(np.intp), bins - 1)[level])


def h_measure(bad: ArrayLike, risk: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Share of the avoidable loss avoided, costs distributed as Beta(1 + bad rate, 2 - bad rate).

    Unlike the AUC it weighs errors alike for every scorer (Hand 2009; this distribution of
    costs: Hand and Anagnostopoulos 2014). 0 for a coin, 1 for a perfect ranking.
    """
    bad, risk, weight = _vectors(bad, risk, weight)
    rate = float(np.average(bad, weights=weight))
    good_share, bad_share, _ = roc_curve(bad, risk, sample_weight=weight, drop_intermediate=False)
    good, caught = _upper_hull(good_share, bad_share)
    # cost of a false alarm at which the optimum moves from one corner of the hull to the next
    gain, alarm = rate * np.diff(caught), (1 - rate) * np.diff(good)
    cost = np.concatenate([[1.0], gain / (gain + alarm), [0.0]])
    costs = beta(1 + rate, 2 - rate)
    loss = _mean_loss(costs, cost, (1 - rate) * good, rate * (1 - caught))
    # knowing nothing, all are accepted or all refused
    all_or_none = np.array([1.0, rate, 0.0])
    worst = _mean_loss(costs, all_or_none, np.array([0.0, 1 - rate]), np.array([rate, 0.0]))
    return float(1.0 - loss / worst)


def _mean_loss(costs: object, cost: Vector, alarms: Vector, misses: Vector) -> float:
    """Mean of cost x alarms + (1 - cost) x misses, each corner used between its two costs."""
    shape_a, shape_b = costs.args  # type: ignore[attr-defined]
    whole = beta(shape_a, shape_b).cdf(cost)
    mean = shape_a / (shape_a + shape_b) * beta(shape_a + 1, shape_b).cdf(cost)
    used, used_cost = whole[:-1] - whole[1:], mean[:-1] - mean[1:]
    return float(np.sum(alarms * used_cost + misses * (used - used_cost)))


def _upper_hull(x: Vector, y: Vector) -> tuple[Vector, Vector]:
    hull: list[tuple[float, float]] = []
    for point in zip(x.tolist(), y.tolist(), strict=True):
        while len(hull) > 1 and _turns_left(hull[-2], hull[-1], point):
            hull.pop()
        hull.append(point)
    corners = np.array(hull)
    return corners[:, 0], corners[:, 1]


def _turns_left(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> bool:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]) >= 0


@dataclass(frozen=True)
class PairedTest:
    """Two scorers on the same rows: `difference` is the first one's figure less the second's."""

    first: float
    second: float
    difference: float
    standard_error: float
    z: float
    p_value: float


def delong_test(bad: ArrayLike, first: ArrayLike, second: ArrayLike) -> PairedTest:
    """Paired two-sided test of equal AUC (DeLong, DeLong and Clarke-Pearson 1988), unweighted.

    Placements come from mid-ranks (Sun and Xu 2014), so it takes n log n.
    """
    is_bad = np.asarray(bad).astype(bool)
    placed = [_placements(is_bad, np.asarray(risk, dtype=np.float64)) for risk in (first, second)]
    areas = [float(of_bad.mean()) for of_bad, _ in placed]
    of_bad, of_good = placed[0][0] - placed[1][0], placed[0][1] - placed[1][1]
    variance = of_bad.var(ddof=1) / len(of_bad) + of_good.var(ddof=1) / len(of_good)
    return _paired(areas[0], areas[1], float(np.sqrt(variance)))


def paired_mean(first: Vector, second: Vector) -> PairedTest:
    """Paired two-sided test of equal means, such as of the log losses of the same rows."""
    gap = first - second
    error = float(gap.std(ddof=1) / np.sqrt(len(gap)))
    return _paired(float(first.mean()), float(second.mean()), error)


def _paired(first: float, second: float, error: float) -> PairedTest:
    difference = first - second
    z = difference / error if error > 0 else 0.0
    return PairedTest(first, second, difference, error, z, float(2 * norm.sf(abs(z))))


def _placements(is_bad: NDArray[np.bool_], risk: Vector) -> tuple[Vector, Vector]:
    """For each bad the share of good below it, and for each good the share of bad above it."""
    bads, goods = int(is_bad.sum()), int((~is_bad).sum())
    among_all = rankdata(risk)
    of_bad = (among_all[is_bad] - rankdata(risk[is_bad])) / goods
    of_good = 1.0 - (among_all[~is_bad] - rankdata(risk[~is_bad])) / bads
    return of_bad, of_good


def bootstrap_interval(
    metric: Metric,
    bad: ArrayLike,
    risk: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    draws: int = 500,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile interval of a metric over resampled rows; draws of one class are drawn again."""
    bad, risk, weight = _vectors(bad, risk, weight)
    if bad.min() == bad.max():
        raise ValueError("bad holds one class only; an interval needs both.")
    random = np.random.default_rng(seed)
    values: list[float] = []
    while len(values) < draws:
        rows = random.integers(0, len(bad), len(bad))
        if 0 < bad[rows].sum() < len(rows):
            values.append(metric(bad[rows], risk[rows], weight[rows]))
    tail = (1 - level) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


def _vectors(
    bad: ArrayLike, risk: ArrayLike, weight: ArrayLike | None
) -> tuple[Vector, Vector, Vector]:
    bad = np.asarray(bad, dtype=np.float64)
    risk = np.asarray(risk, dtype=np.float64)
    weight = np.ones(len(bad)) if weight is None else np.asarray(weight, dtype=np.float64)
    return bad, risk, weight
