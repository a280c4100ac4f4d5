"""Does the scorer behave as it says: monotone, true to its reasons, the same after loading?"""

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.scoring.scorer import Scorer
from models.validation.samples import Sample

_SWEPT_ROWS = 200
_SWEEP_POINTS = 11
_NEUTRAL_ROWS = 40
_TRIED = 1000
_SLACK = 1e-9


class Faithfulness(msgspec.Struct, frozen=True):
    """Of ``declines``, the share whose risk falls when the first reason's feature is neutral.

    A decline without any reason counts as unfaithful.
    """

    declines: int
    share: float


class Violation(msgspec.Struct, frozen=True):
    """A feature along which the risk of some rows moves against the declared direction."""

    feature: str
    rows: int
    largest: float


def faithfulness(scorer: Scorer, sample: Sample, cut_off: float) -> Faithfulness | None:
    """Neutralise the feature of each decline's first reason, and see whether the risk falls.

    Declines have a probability of ``cut_off`` or more. Neutral are the approved applicants nearest
    to it: the feature takes the value of each of them in turn, and the mean log-odds must fall. Of
    many declines an even thousand are tried. None without declines or without approvals.
    """
    declined = np.flatnonzero(sample.probability >= cut_off)
    approved = len(sample) - len(declined)
    if not (len(declined) and approved):
        return None
    risk = np.where(sample.probability >= cut_off, -np.inf, sample.probability)
    nearest = np.argsort(-risk, kind="stable")[: min(_NEUTRAL_ROWS, approved)]
    tried = declined[np.unique(np.linspace(0, len(declined) - 1, _TRIED).astype(np.intp))]
    rows, neutral = sample.features[tried], sample.features[nearest]
    first = _first_reasons(scorer, rows, neutral)
    swapped = [scorer.decision_function(_swap(rows, first, one)) for one in neutral.iter_slices(1)]
    fell = np.mean(swapped, axis=0) < scorer.decision_function(rows)
    return Faithfulness(len(tried), float((fell & (first != "")).mean()))


def violations(
    scorer: Scorer, features: pl.DataFrame, directions: Mapping[str, int]
) -> tuple[Violation, ...]:
    """Features against whose direction the risk of some row moves, swept over their quantiles."""
    rows = features.head(_SWEPT_ROWS)
    found = (
        _violation(scorer, rows, features[name], direction)
        for name, direction in directions.items()
        if direction and features[name].dtype.is_numeric() and features[name].n_unique() > 1
    )
    return tuple(violation for violation in found if violation.rows)


def survives_saving(scorer: Scorer, features: pl.DataFrame) -> bool:
    """True where the scorer, written and read again, says the same to the last bit."""
    again = Scorer.from_bytes(scorer.to_bytes())
    before, after = scorer.decision_function(features), again.decision_function(features)
    return bool(np.array_equal(before, after))


def _first_reasons(scorer: Scorer, rows: pl.DataFrame, neutral: pl.DataFrame) -> NDArray[Any]:
    reasons = scorer.reasons(rows, top=1, neutral=neutral)
    first = np.full(rows.height, "", dtype=object)
    first[reasons["row"].to_numpy(dtype=np.intp)] = reasons["feature"].to_numpy(dtype=object)
    return first


def _swap(rows: pl.DataFrame, first: NDArray[Any], one: pl.DataFrame) -> pl.DataFrame:
    """The rows, each with the value that the row ``one`` has for the feature in ``first``."""
    return rows.with_columns(
        pl.when(pl.Series(first == name))
        .then(pl.lit(one[name].item(), dtype=one[name].dtype))
        .otherwise(name)
        .alias(name)
        for name in set(first) - {""}
    )


def _violation(scorer: Scorer, rows: pl.DataFrame, column: pl.Series, direction: int) -> Violation:
    known = column.drop_nulls().drop_nans() if column.dtype.is_float() else column.drop_nulls()
    quantiles = np.linspace(0, 1, _SWEEP_POINTS)
    points = np.unique(np.quantile(known.to_numpy(), quantiles, method="nearest"))
    swept = pl.concat(
        rows.with_columns(pl.lit(point).cast(column.dtype).alias(column.name)) for point in points
    )
    log_odds = scorer.decision_function(swept).reshape(len(points), rows.height)
    against = -direction * np.diff(log_odds, axis=0)
    broken = (against > _SLACK).any(axis=0)
    return Violation(column.name, int(broken.sum()), float(against.max(initial=0.0)))
