"""The out-of-time sample month by month and segment by segment."""

from collections.abc import Iterator
from typing import NamedTuple

import msgspec
import numpy as np
import polars as pl

from models.validation.bands import Light, jeffreys_interval, light
from models.validation.discrimination import Interval, auc_interval
from models.validation.samples import Sample
from models.validation.stability import stability_index


class Slice(msgspec.Struct, frozen=True):
    """A month or a segment of the out-of-time sample; ``low`` and ``high`` as in `Calibration`.

    ``score_index`` compares a month with all of development, a segment with the same segment
    there; None where development has no such rows.
    """

    attribute: str
    value: str
    rows: int
    bads: int
    auc: Interval | None
    expected: float
    observed: float
    low: float
    high: float
    score_index: float | None
    light: Light


def months(then: Sample, now: Sample) -> tuple[Slice, ...]:
    """One slice for each calendar month of application; none without dates."""
    if now.applied_on is None:
        return ()
    month = now.applied_on.dt.strftime("%Y-%m").alias("month")
    return tuple(_slice("month", value, then, rows) for value, rows in _by(month, now))


def segments(then: Sample, now: Sample) -> tuple[Slice, ...]:
    """One slice for each value of each column of segments."""
    if now.segments is None:
        return ()
    return tuple(
        _slice(column.name, value, _same(then, column.name, value), rows)
        for column in now.segments.iter_columns()
        for value, rows in _by(column, now)
    )


def _by(column: pl.Series, sample: Sample) -> Iterator[tuple[str, Sample]]:
    """The rows of each value of a column, in the order of values."""
    values = column.cast(pl.String).fill_null("unknown")
    for value in values.unique().sort().to_list():
        yield value, sample.where(np.asarray(values == value))


def _same(sample: Sample, attribute: str, value: str) -> Sample | None:
    """The rows of one segment, if the sample has any."""
    if sample.segments is None or attribute not in sample.segments.columns:
        return None
    values = sample.segments[attribute].cast(pl.String).fill_null("unknown")
    rows = sample.where(np.asarray(values == value))
    return rows if len(rows) else None


def _slice(attribute: str, value: str, then: Sample | None, rows: Sample) -> Slice:
    level = level_of(rows)
    return Slice(
        attribute=attribute,
        value=value,
        rows=len(rows),
        bads=int(rows.bad.sum()),
        auc=auc_interval(rows.bad, rows.probability, rows.weight),
        score_index=None if then is None else score_index(then, rows),
        **level._asdict(),
    )


class Level(NamedTuple):
    """Mean probability and bad rate of rows, bounds of the latter at 95 %, and how they agree."""

    expected: float
    observed: float
    low: float
    high: float
    light: Light


def level_of(rows: Sample) -> Level:
    """Whether a sample's probabilities lie at the height of its outcomes."""
    expected = float(np.average(rows.probability, weights=rows.weight))
    observed = float(np.average(rows.bad, weights=rows.weight))
    effective = rows.effective_rows
    bads = observed * effective
    low, high = jeffreys_interval(bads, effective)
    return Level(expected, observed, low, high, light(expected, observed, bads, effective))


def score_index(then: Sample, now: Sample) -> float:
    """Population stability index of the score; without weights, as the rows came."""
    return stability_index(
        pl.Series("score", then.probability), pl.Series("score", now.probability)
    )
