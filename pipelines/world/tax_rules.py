"""Value-added tax of small-scale taxpayers by date: what is exempt, and the rate above it."""

from typing import NamedTuple

import numpy as np

from pipelines.world.economy import Floats
from pipelines.world.months import Ints, month_index


class Regime(NamedTuple):
    """Rule from a month on: quarterly sales (yuan) up to which nothing is due, and the rate."""

    since: str
    exempt: float
    rate: float


# Announcements of the Ministry of Finance and the State Taxation Administration; domain notes B1.
REGIMES = (
    Regime("2014-10", 90_000, 0.03),
    Regime("2019-01", 300_000, 0.03),
    Regime("2020-03", 300_000, 0.01),
    Regime("2021-04", 450_000, 0.01),
    Regime("2022-04", 10**12, 0.0),
    Regime("2023-01", 300_000, 0.01),
)
NOTCHES = (("2019-01", 300_000.0), ("2021-04", 450_000.0), ("2023-01", 300_000.0))


def small_scale_vat(quarter: Ints, sales: Floats) -> Floats:
    """Tax due in yuan on a quarter's sales: none up to the threshold, above it on the whole."""
    position = _position(quarter, [regime.since for regime in REGIMES])
    exempt = np.array([regime.exempt for regime in REGIMES])[position]
    rate = np.array([regime.rate for regime in REGIMES])[position]
    return np.asarray(np.where(sales > exempt, np.round(sales * rate, 2), 0.0))


def notch(quarter: Ints) -> Floats:
    """Quarterly sales (yuan) that households like to stay under in that quarter."""
    position = _position(quarter, [since for since, _ in NOTCHES])
    bar = np.array([bar for _, bar in NOTCHES])[np.maximum(position, 0)]
    return np.where(position >= 0, bar, 0.0)


def _position(month: Ints, since: list[str]) -> Ints:
    starts = np.array([month_index(name) for name in since])
    return np.asarray(np.searchsorted(starts, month, side="right") - 1)
