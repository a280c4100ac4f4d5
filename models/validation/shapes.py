"""What each feature adds to the score: how much, and along which curve."""

from collections.abc import Mapping

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.scoring.scorer import Scorer

_MOST_ROWS = 20_000
_MOST_ROWS_BY_TREE = 500  # where a row is explained tree by tree, in milliseconds
_BINS = 20
_LEVELS = 12


class ShapePoint(msgspec.Struct, frozen=True):
    """Mean contribution in log-odds over one bin of values; ``at`` is None for text and missing."""

    label: str
    at: float | None
    contribution: float
    share: float


class Shape(msgspec.Struct, frozen=True):
    """One feature: ``importance`` is its mean absolute contribution, ``direction`` as declared."""

    feature: str
    direction: int
    importance: float
    points: tuple[ShapePoint, ...]


def shapes(
    scorer: Scorer, features: pl.DataFrame, directions: Mapping[str, int]
) -> tuple[Shape, ...]:
    """Importance and shape of every feature, the most important first.

    Numbers are shown over bins of equal size, text by its commonest levels. What two features add
    together is split between them as `Scorer.explain` says.
    """
    most = _MOST_ROWS if scorer.fitted_.form == "pairs" else _MOST_ROWS_BY_TREE
    places = np.unique(
        np.linspace(0, features.height - 1, min(features.height, most)).astype(np.intp)
    )
    rows = features[places]
    parts = scorer.explain(rows)
    drawn = (
        _shape(rows[name], parts[name].to_numpy(dtype=np.float64), directions.get(name, 0))
        for name in rows.columns
    )
    return tuple(sorted(drawn, key=lambda shape: (-shape.importance, shape.feature)))


def _shape(column: pl.Series, parts: NDArray[np.float64], direction: int) -> Shape:
    table = pl.DataFrame({"value": column, "part": parts})
    binned = _by_bins(table) if column.dtype.is_numeric() else _by_levels(table)
    points = (
        ShapePoint(label, at, contribution, rows / max(len(parts), 1))
        for label, at, contribution, rows in binned.iter_rows()
    )
    return Shape(column.name, direction, float(np.abs(parts).mean()), tuple(points))


def _by_bins(table: pl.DataFrame) -> pl.DataFrame:
    value = pl.col("value").cast(pl.Float64).fill_nan(None)
    place = (pl.col("value").rank("max") * _BINS / pl.col("value").count()).ceil()
    label = pl.col("at").round_sig_figs(4).cast(pl.String).fill_null("missing")
    return (
        table.with_columns(value=value)
        .with_columns(place=place)
        .group_by("place")
        .agg(at=pl.col("value").mean(), part=pl.col("part").mean(), rows=pl.len())
        .sort("at", nulls_last=True)
        .select(label.alias("label"), "at", "part", "rows")
    )


def _by_levels(table: pl.DataFrame) -> pl.DataFrame:
    label = pl.col("value").cast(pl.String).fill_null("missing")
    return (
        table.group_by(label=label)
        .agg(part=pl.col("part").mean(), rows=pl.len())
        .sort("rows", "label", descending=[True, False])
        .head(_LEVELS)
        .select("label", pl.lit(None, dtype=pl.Float64).alias("at"), "part", "rows")
    )
