"""How much of the hazard of its horizon each loan has lived through while it was watched.

Every loan then teaches in one row whatever its age: default over exposure is its rate, exposure its
weight, and Poisson regression of one on the other is the discrete-time hazard model with a row for
each loan and month (Holford 1980; Laird and Olivier 1981), without those rows.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import MicroloanError

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Places = NDArray[np.int64]

PRIOR_DEFAULTS = 10.0  # a stratum or year is drawn to the whole as if it held so many more
YEAR = 12


class ShortHistory(MicroloanError, ValueError):
    """Loans too young, or too healthy, to tell when defaults come."""


@dataclass(frozen=True)
class Watch:
    """Loans as far as they were watched, one entry each, cut off at the horizon.

    Args:
        months: Months on book that were seen, the month of the payout included.
        defaulted: 1.0 if the loan defaulted in the last of them, else 0.0.
        started: Number of the calendar month of the payout.
        stratum: Loans of one stratum default at the same ages; numbered from 0.
        weight: Weights of mean one.
        horizon: Months on book that matter, by stratum.
        newest: Number of the last calendar month that was seen.
    """

    months: Places
    defaulted: Vector
    started: Places
    stratum: Places
    weight: Vector
    horizon: Places
    newest: int

    def __len__(self) -> int:
        return len(self.months)

    def at(self, places: NDArray[Any]) -> "Watch":
        """The loans at these places."""
        names = ("months", "defaulted", "started", "stratum", "weight")
        return replace(self, **{name: getattr(self, name)[places] for name in names})


@dataclass(frozen=True)
class Timing:
    """When defaults come: the share of its horizon's hazard behind a loan of so many months.

    `shares` has shape (strata, months + 1), from 0 at the payout to 1 at a stratum's horizon.
    """

    shares: Matrix

    def exposure(self, watch: Watch, months: Places | None = None) -> Vector:
        """Share of the hazard that each loan lived through while watched, or in its `months`."""
        lived = watch.months if months is None else months
        return np.asarray(self.shares[watch.stratum, lived])


def fit_timing(watch: Watch, risk: Vector) -> Timing:
    """Monthly defaults over the `risk` of the loans at risk (Breslow 1972), summed up by month.

    Without it the ages that only young loans have reached would seem as risky as those loans.

    Raises:
        ShortHistory: no loan defaulted, or none was watched into some month of the horizon.
    """
    defaults, at_risk = _by_month(watch, risk)
    _demand_history(defaults, at_risk)
    whole = defaults.sum(axis=0) / at_risk.sum(axis=0)
    prior = PRIOR_DEFAULTS / whole.sum()  # risk that meets so many defaults in all months
    monthly = (defaults + prior * whole) / (at_risk + prior)
    monthly *= np.arange(monthly.shape[1]) < watch.horizon[:, None]
    cumulative = np.cumsum(np.pad(monthly, ((0, 0), (1, 0))), axis=1)
    return Timing(cumulative / cumulative[:, -1:])


def calendar_factor(watch: Watch, hazard: Vector, timing: Timing) -> float:
    """Defaults of the last twelve months over those expected of the same loans at their ages.

    `hazard` is each loan's of its whole horizon.
    """
    first = watch.newest - YEAR + 1
    before = np.clip(first - watch.started, 0, watch.months)
    lived = timing.exposure(watch) - timing.exposure(watch, before)
    recent = watch.started + watch.months > first
    expected = (watch.weight * hazard * lived).sum()
    defaults = (watch.weight * watch.defaulted * recent).sum()
    return float((defaults + PRIOR_DEFAULTS) / (expected + PRIOR_DEFAULTS))


def _by_month(watch: Watch, risk: Vector) -> tuple[Matrix, Matrix]:
    """Defaults in, and risk at risk in, each month on book; shape (strata, months)."""
    shape = (len(watch.horizon), int(watch.horizon.max()) + 1)
    last = np.ravel_multi_index((watch.stratum, watch.months), shape)

    def total(values: Vector) -> Matrix:
        cells = np.bincount(last, values, shape[0] * shape[1])
        return np.asarray(cells.reshape(shape), dtype=np.float64)

    defaults, ended = total(watch.weight * watch.defaulted), total(watch.weight * risk)
    at_risk = np.cumsum(ended[:, ::-1], axis=1)[:, ::-1]
    return defaults[:, 1:], at_risk[:, 1:]


def _demand_history(defaults: Matrix, at_risk: Matrix) -> None:
    unseen = np.flatnonzero(at_risk.sum(axis=0) <= 0)
    if unseen.size:
        raise ShortHistory(
            f"No loan was watched into month {unseen[0] + 1} on book of the horizon's "
            f"{defaults.shape[1]}. Hint: shorten the horizon, or give older loans."
        )
    if defaults.sum() == 0:
        raise ShortHistory("No loan defaulted inside the horizon. Hint: give older loans.")
