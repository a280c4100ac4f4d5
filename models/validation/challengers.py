"""Three known rivals on the scorer's own rows, so that nobody need take its word for its worth."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import polars as pl
from numpy.typing import NDArray

from features.errors import UnknownName
from models.validation import metrics
from models.validation.samples import Sample

Vector = NDArray[np.float64]

# measured beside the libraries' defaults: AUC within .007, in a twentieth of the time
OUTER_BAGS, INTERACTIONS, MOST_BINS = 2, 10, 128
PREBINS, SMALLEST_BIN = 10, 0.05


class Comparison(msgspec.Struct, frozen=True):
    """A rival out of time; ``difference`` is the scorer's AUC less the rival's.

    Its standard error and two-sided p-value are DeLong's, unweighted.
    """

    auc: float
    log_loss: float
    calibration_error: float
    difference: float
    standard_error: float
    p_value: float


class Rival(msgspec.Struct, frozen=True, kw_only=True):
    """A scorer of another make, learnt from the same rows; without figures ``failure`` says why."""

    name: str
    settings: str
    figures: Comparison | None = None
    failure: str = ""


def challengers(
    features: pl.DataFrame,
    bad: Any,
    out_of_time: Sample,
    *,
    weight: Any = None,
    seed: int = 0,
    threads: int = 1,
    names: tuple[str, ...] | None = None,
) -> tuple[Rival, ...]:
    """Fit each rival on ``features`` and ``bad``, judge it beside the scorer in ``out_of_time``.

    The rivals are untuned: LightGBM's defaults, a scorecard of weights of evidence (optbinning),
    and an explainable boosting machine (interpret). One whose library is missing or fails is told
    as such; training goes on. ``weight`` is that of the rows learnt from.

    Raises:
        UnknownName: ``names`` holds one that is no rival.
    """
    chosen = tuple(RIVALS) if names is None else names
    for name in chosen:
        if name not in RIVALS:
            raise UnknownName("challenger", name, tuple(RIVALS))
    rows = Rows(
        learnt=_frame(features),
        bad=np.asarray(bad, dtype=np.float64).astype(np.int64),
        weight=_mean_one(weight),
        asked=_frame(out_of_time.features.select(features.columns)),
        seed=seed,
        threads=threads,
    )
    return tuple(_judged(name, rows, out_of_time) for name in chosen)


@dataclass(frozen=True)
class Rows:
    """Rows to learn from, and rows whose probabilities are asked; text columns are objects."""

    learnt: pd.DataFrame
    bad: NDArray[np.int64]
    weight: Vector | None
    asked: pd.DataFrame
    seed: int
    threads: int

    @property
    def texts(self) -> list[str]:
        """The columns that hold text."""
        return [str(name) for name in self.learnt if self.learnt[name].dtype == object]

    def categories(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Both frames with text as categories of the rows learnt from."""
        learnt, asked = self.learnt.copy(), self.asked.copy()
        for name in self.texts:
            levels = pd.CategoricalDtype(sorted(learnt[name].dropna().unique()))
            learnt[name], asked[name] = learnt[name].astype(levels), asked[name].astype(levels)
        return learnt, asked


def _lightgbm(rows: Rows) -> Vector:
    from lightgbm import LGBMClassifier

    learnt, asked = rows.categories()
    rival = LGBMClassifier(
        random_state=rows.seed,
        n_jobs=rows.threads,
        verbosity=-1,
        deterministic=True,
        force_row_wise=True,
    )
    rival.fit(learnt, rows.bad, sample_weight=rows.weight)
    return _chances(rival, asked)


def _scorecard(rows: Rows) -> Vector:
    from optbinning import BinningProcess
    from sklearn.linear_model import LogisticRegression

    binning = BinningProcess(
        list(rows.learnt),
        categorical_variables=rows.texts,
        max_n_prebins=PREBINS,
        min_prebin_size=SMALLEST_BIN,
        n_jobs=rows.threads,
    )
    binning.fit(rows.learnt, rows.bad, sample_weight=rows.weight)
    evidence = {"metric": "woe", "metric_missing": "empirical", "metric_special": "empirical"}
    rival = LogisticRegression(max_iter=1000, random_state=rows.seed)
    rival.fit(binning.transform(rows.learnt, **evidence), rows.bad, sample_weight=rows.weight)
    return _chances(rival, binning.transform(rows.asked, **evidence))


def _ebm(rows: Rows) -> Vector:
    from interpret.glassbox import ExplainableBoostingClassifier

    rival = ExplainableBoostingClassifier(
        outer_bags=OUTER_BAGS,
        interactions=INTERACTIONS,
        max_bins=MOST_BINS,
        random_state=rows.seed,
        n_jobs=rows.threads,
    )
    rival.fit(rows.learnt, rows.bad, sample_weight=rows.weight)
    return _chances(rival, rows.asked)


RIVALS: dict[str, tuple[Callable[[Rows], Vector], str]] = {
    "plain LightGBM": (_lightgbm, "its defaults: 100 rounds of 31 leaves; text as categories"),
    "WoE scorecard": (
        _scorecard,
        f"optbinning, at most {PREBINS} bins of at least {SMALLEST_BIN:.0%}, logistic regression",
    ),
    "EBM": (
        _ebm,
        f"interpret, {OUTER_BAGS} outer bags, {INTERACTIONS} interactions, {MOST_BINS} bins",
    ),
}


def _judged(name: str, rows: Rows, out_of_time: Sample) -> Rival:
    fit, settings = RIVALS[name]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            chance = fit(rows)
    except ImportError as error:
        return Rival(name=name, settings=settings, failure=f"{error.name} is not installed")
    except Exception as error:  # a rival's trouble is told in the report, never training's
        return Rival(name=name, settings=settings, failure=_told(error))
    return Rival(name=name, settings=settings, figures=_comparison(out_of_time, chance))


def _comparison(out_of_time: Sample, chance: Vector) -> Comparison:
    bad, weight = out_of_time.bad, out_of_time.weight
    test = metrics.delong_test(bad, out_of_time.probability, chance)
    return Comparison(
        auc=metrics.auc(bad, chance, weight),
        log_loss=metrics.log_loss(bad, chance, weight),
        calibration_error=metrics.expected_calibration_error(bad, chance, weight),
        difference=test.difference,
        standard_error=test.standard_error,
        p_value=test.p_value,
    )


def _told(error: Exception) -> str:
    first, *_ = str(error).splitlines() or [""]
    return f"{type(error).__name__}: {first}"


def _frame(features: pl.DataFrame) -> pd.DataFrame:
    """Numbers as float64 with NaN, anything else as objects with None, for every library alike."""
    return pd.DataFrame({column.name: _column(column) for column in features.iter_columns()})


def _column(column: pl.Series) -> "pd.Series[Any]":
    if column.dtype.is_numeric() or column.dtype in (pl.Boolean, pl.Null):
        return pd.Series(column.cast(pl.Float64).to_numpy())
    return pd.Series(column.cast(pl.String).to_list(), dtype=object)


def _mean_one(weight: Any) -> Vector | None:
    if weight is None:
        return None
    weights = np.asarray(weight, dtype=np.float64)
    return np.asarray(weights / weights.mean())


def _chances(rival: Any, asked: pd.DataFrame) -> Vector:
    return np.asarray(rival.predict_proba(asked)[:, 1], dtype=np.float64)
