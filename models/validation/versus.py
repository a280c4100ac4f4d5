"""Two scorers on the same rows: figures side by side, and tests of their differences."""

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.validation import metrics
from models.validation.bands import Band, deciles
from models.validation.discrimination import Curves, Discrimination, curves, discrimination
from models.validation.metrics import PairedTest, delong_test, paired_mean
from models.validation.samples import Sample

Vector = NDArray[np.float64]


class Side(msgspec.Struct, frozen=True):
    """One scorer's figures; ``observed_over_expected`` is of defaults."""

    figures: Discrimination
    observed_over_expected: float
    calibration_error: float
    curves: Curves
    deciles: tuple[Band, ...]


class Versus(msgspec.Struct, frozen=True):
    """Both scorers, the first one's AUC less the second's, and likewise the log loss."""

    first: Side
    second: Side
    auc: PairedTest
    log_loss: PairedTest


def versus(bad: Vector, first: tuple[str, Vector], second: tuple[str, Vector]) -> Versus:
    """Compare two named scorers by their probabilities of default of the same rows."""
    (one, own), (two, other) = first, second
    return Versus(
        first=_side(one, bad, own),
        second=_side(two, bad, other),
        auc=delong_test(bad, own, other),
        log_loss=paired_mean(_loss(bad, own), _loss(bad, other)),
    )


def _side(name: str, bad: Vector, probability: Vector) -> Side:
    sample = Sample(name, pl.DataFrame(), bad, probability)
    return Side(
        figures=discrimination(sample),
        observed_over_expected=metrics.observed_over_expected(bad, probability),
        calibration_error=metrics.expected_calibration_error(bad, probability),
        curves=curves(sample),
        deciles=deciles(bad, probability),
    )


def _loss(bad: Vector, probability: Vector) -> Vector:
    inside = np.clip(probability, 1e-15, 1 - 1e-15)
    return np.asarray(-np.log(np.where(bad > 0, inside, 1 - inside)))
