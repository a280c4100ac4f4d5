"""Has the population changed since the scorer was made? PSI of the score, CSI of each feature."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.validation.bands import Light

AMBER, RED = 0.10, 0.25
_BINS = 10
_SMALLEST_SHARE = 1e-4
_DRAWS, _SELDOM = 1000, 0.999


class Drift(msgspec.Struct, frozen=True):
    """How far a quantity's distribution has moved; ``missing`` is the change of that share."""

    name: str
    index: float
    missing: float
    light: Light


def stability_index(then: pl.Series, now: pl.Series) -> float:
    """Population stability index of a column between two populations.

    The sum over bins of (now - then) · ln(now / then) in shares. Bins are deciles of ``then`` for
    numbers and the values themselves for text; missing values are a bin of their own. Shares are
    floored at 0.0001, so that a bin that is empty on one side counts for much, not for infinity.
    """
    before, after = _shares(then, now)
    return float(((after - before) * np.log(after / before)).sum())


def chance_index(then: pl.Series, rows: int) -> float:
    """The index that ``rows`` rows drawn from ``then`` itself exceed once in a thousand times.

    From draws with a fixed seed. Few rows leave bins empty and look moved: below this nothing is
    told but chance (Yurdakul, Statistical properties of population stability index, 2018).
    """
    before, _ = _shares(then, then)
    drawn = np.random.default_rng(0).multinomial(rows, before / before.sum(), _DRAWS) / rows
    after = np.maximum(drawn, _SMALLEST_SHARE)
    return float(np.quantile(((after - before) * np.log(after / before)).sum(axis=1), _SELDOM))


def drift(then: pl.DataFrame, now: pl.DataFrame) -> tuple[Drift, ...]:
    """The index of every column that both frames have, largest first."""
    return tuple(
        sorted(
            (_drift(then[name], now[name]) for name in then.columns if name in now.columns),
            key=lambda moved: (-moved.index, moved.name),
        )
    )


def light(index: float) -> Light:
    """Green under .10, amber up to .25, red above."""
    return "green" if index < AMBER else "amber" if index <= RED else "red"


def _drift(then: pl.Series, now: pl.Series) -> Drift:
    index = stability_index(then, now)
    more = missing(now).mean() - missing(then).mean()
    return Drift(then.name, index, float(more), light(index))


def missing(column: pl.Series) -> NDArray[np.bool_]:
    """Where a column holds nothing, or not a number."""
    empty = column.is_null()
    return np.asarray(
        empty | column.is_nan().fill_null(False) if column.dtype.is_float() else empty
    )


def _shares(then: pl.Series, now: pl.Series) -> tuple[NDArray[Any], NDArray[Any]]:
    places = _binned(then, now) if then.dtype.is_numeric() else _valued(then, now)
    size = 1 + max(int(place.max(initial=0)) for place in places)
    before, after = (np.bincount(place, minlength=size) / max(len(place), 1) for place in places)
    used = (before > 0) | (after > 0)
    return (
        np.maximum(before[used], _SMALLEST_SHARE),
        np.maximum(after[used], _SMALLEST_SHARE),
    )


def _binned(then: pl.Series, now: pl.Series) -> Sequence[NDArray[np.intp]]:
    known = then.filter(pl.Series(~missing(then))).to_numpy()
    quantiles = np.linspace(0, 1, _BINS + 1)[1:-1]
    edges = np.unique(np.quantile(known, quantiles)) if len(known) else np.empty(0)
    return [
        np.where(
            missing(column),
            0,
            1 + np.searchsorted(edges, column.fill_null(0).to_numpy(), side="left"),
        )
        for column in (then, now)
    ]


def _valued(then: pl.Series, now: pl.Series) -> Sequence[NDArray[np.intp]]:
    text = [column.cast(pl.String).fill_null("") for column in (then, now)]
    values = sorted(set(text[0]) | set(text[1]))
    places = {value: place for place, value in enumerate(values)}
    return [np.array([places[value] for value in column], dtype=np.intp) for column in text]
