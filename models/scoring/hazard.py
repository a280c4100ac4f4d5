"""A scorer learnt from loans of every age: young ones teach as far as they were watched.

A flag such as "bad within 12 months" leaves out every loan younger than that, so the newest
vintages teach nothing. Here the hazard of default is the risk of the applicant times a baseline by
months on book that does not interact with it (proportional hazards, Cox 1972), and a loan counts by
its exposure to the baseline (`models.scoring.exposure`). The risk is learnt by the trees of any
scorer, and every PD up to the horizon follows from the one that scorer serves.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from itertools import chain
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.utils.validation import check_consistent_length

from features.errors import UnknownName
from models.scoring.boosting import Recipe
from models.scoring.calibration import Calibration, fit_calibration
from models.scoring.columns import Columns, Matrix, one_column
from models.scoring.exposure import ShortHistory, Timing, Watch, calendar_factor, fit_timing
from models.scoring.files import write_files
from models.scoring.fitting import calibrated
from models.scoring.folds import FOLDS, Places, content_order
from models.scoring.growing import grow_recipe, judged_at_random
from models.scoring.rates import rate_slope
from models.scoring.rows import Rows, UnfitRows
from models.scoring.scorer import Scorer

Vector = NDArray[np.float64]

Search = Callable[[Recipe, Columns, Rows], Mapping[str, float]]

ALL = "all"
NO_PRIOR = 1e6


@dataclass(frozen=True)
class Hazard:
    """A scorer of the PD over the horizon, and when the defaults come that it foretells.

    `timing` holds by stratum the share of the horizon's hazard that lies before the end of each
    month on book, so it ends in 1.
    """

    scorer: Scorer
    timing: Mapping[str, tuple[float, ...]]

    def term_structure(self, X: Any, stratum: str = ALL) -> Matrix:
        """PD by the end of each month on book, shape (rows, months).

        The last column is `scorer.predict_proba`'s, the twelfth the PD of the first twelve months.
        """
        if stratum not in self.timing:
            raise UnknownName("stratum", stratum, tuple(self.timing))
        no_default = self.scorer.predict_proba(X)[:, :1]
        return np.asarray(1.0 - no_default ** np.array(self.timing[stratum]))

    def watched(self, months_at_risk: Any, strata: Any) -> Vector:
        """Share of the horizon's hazard that loans had lived through after so many months."""
        shares = {name: np.append(0.0, months) for name, months in self.timing.items()}
        seen = zip(np.asarray(strata).tolist(), np.asarray(months_at_risk).tolist(), strict=True)
        return np.array([shares[name][min(m, len(shares[name]) - 1)] for name, m in seen])

    def to_bytes(self) -> dict[str, bytes]:
        """The files of the scorer, and `timing.json`."""
        return self.scorer.to_bytes() | {"timing.json": json.dumps(self.timing, indent=1).encode()}

    @classmethod
    def from_bytes(cls, files: Mapping[str, bytes]) -> "Hazard":
        """What `to_bytes` wrote."""
        timing = json.loads(files["timing.json"])
        shares = {stratum: tuple(months) for stratum, months in timing.items()}
        return cls(Scorer.from_bytes(files), shares)


def fit_hazard(
    scorer: Scorer,
    X: Any,
    *,
    months_at_risk: Any,
    defaulted: Any,
    started_on: Any,
    as_of: date,
    horizon_months: int | Mapping[str, int],
    strata: Any = None,
    groups: Any = None,
    sample_weight: Any = None,
    calendar: bool = True,
    search: Search | None = None,
) -> Hazard:
    """Learn the PD over `horizon_months` from loans as far as they were watched by `as_of`.

    Args:
        scorer: Lends its parameters; it is not fitted itself. The one returned has `out_of_fold_`
            where a loan was judged by trees that had not seen it.
        X: Features as known at the application, shape (loans, features).
        months_at_risk: Months on book seen, that of the payout and that of the default included.
            A repaid loan can no longer default and stays at risk, so that the PD is a share of all
            loans granted (the subdistribution hazard of Fine and Gray 1999).
        defaulted: Whether the loan defaulted in the last of these months.
        started_on: Day of the payout.
        as_of: Day whose knowledge this is; the month before it is the last one seen.
        horizon_months: Months on book the PD speaks of, counted likewise; by stratum if it differs.
        strata: Name of each loan's stratum, such as its form of repayment, where defaults come at
            other ages. How many come is for a feature to say.
        groups: Loans of one group (a business) are never on both sides of a fold.
        sample_weight: Weights; only their proportions count.
        calendar: Serve PDs at the level of the last twelve months instead of that of all years.
        search: Finds settings of the trees from a recipe and the rows, as `trials.search` does;
            those found are parameters of the scorer returned.

    Raises:
        ShortHistory: too few defaults, or no loan as old as the horizon.
        UnfitRows: a default in no month, or a weight that is none.
    """
    months = np.asarray(months_at_risk, dtype=np.int64)
    if (months < np.asarray(defaulted, dtype=bool)).any():
        raise UnfitRows("months_at_risk counts the month of a default: it is 1 or more there.")
    names, stratum, horizon = _strata(strata, horizon_months, len(months))
    watch = Watch(
        months=np.minimum(months, horizon[stratum]),
        defaulted=np.asarray(defaulted, dtype=np.float64) * (months <= horizon[stratum]),
        started=_month_numbers(started_on),
        stratum=stratum,
        weight=_weights(sample_weight, len(months)),
        horizon=horizon,
        newest=as_of.year * 12 + as_of.month - 2,
    )
    columns = Columns.of(X)
    rows, watch = _exposed(columns, X, watch, groups)
    recipes = [replace(one, objective="poisson") for one in scorer.recipes(columns, len(rows))]
    parameters = scorer.get_params()
    if search is not None:
        parameters["settings"] = {**recipes[0].tuned, **search(recipes[0], columns, rows)}
        recipes = [replace(recipes[0], tuned=parameters["settings"])]
    grown = grow_recipe(recipes, columns, rows)
    judged = ~np.isnan(grown.out_of_fold)
    log_rate = np.where(judged, grown.out_of_fold, grown.in_sample())
    slope = rate_slope(log_rate[judged], rows, judged) if scorer.calibrate else 1.0
    risk = np.exp(slope * log_rate)
    timing = fit_timing(watch, risk)
    level = np.log(_level(risk, watch, timing, calendar=calendar))
    served = _in_log_odds(Calibration(slope, level), log_rate, watch.weight)
    bad_rate = float(np.average(expit(served(log_rate)), weights=watch.weight))
    fitted = calibrated(grown, served, bad_rate, judged_at_random(grown, columns, rows))
    hazard = Scorer.from_bytes(write_files(fitted, parameters, np.array([0, 1])))
    hazard.out_of_fold_ = np.full(len(months), np.nan)
    hazard.out_of_fold_[rows.places] = fitted.out_of_fold
    shares = {
        name: tuple(row[1 : months + 1].tolist())
        for name, row, months in zip(names, timing.shares, horizon, strict=True)
    }
    return Hazard(hazard, shares)


def _strata(
    strata: Any, horizon_months: int | Mapping[str, int], loans: int
) -> tuple[list[str], Places, Places]:
    """Names of the strata, the number of each loan's, and their horizons in months."""
    labels = [ALL] * loans if strata is None else one_column("strata", strata).cast(pl.String)
    distinct, stratum = np.unique(np.asarray(labels, dtype=str), return_inverse=True)
    names = distinct.tolist()
    if isinstance(horizon_months, int):
        horizon_months = dict.fromkeys(names, horizon_months)
    for name in names:
        if name not in horizon_months:
            raise UnknownName("stratum", name, tuple(horizon_months))
    horizon = np.array([horizon_months[name] for name in names], dtype=np.int64)
    return names, stratum.astype(np.int64), horizon


def _month_numbers(days: Any) -> Places:
    day = one_column("started_on", days).dt
    number = day.year().cast(pl.Int64) * 12 + day.month().cast(pl.Int64) - 1
    return np.asarray(number.to_numpy(), dtype=np.int64)


def _weights(sample_weight: Any, loans: int) -> Vector:
    weight = np.ones(loans) if sample_weight is None else np.asarray(sample_weight, dtype=float)
    if not np.isfinite(weight).all() or (weight <= 0).any():
        raise UnfitRows("sample_weight holds a value that is missing, negative or zero.")
    return weight * (len(weight) / math.fsum(weight))  # exact, so in any order the same


def _exposed(columns: Columns, X: Any, watch: Watch, groups: Any) -> tuple[Rows, Watch]:
    """Loans that lived into an age of default, ordered by content: shuffled ones fit the same.

    What is learnt is defaults over exposure; exposure as its weight makes it the offset of the
    regression.
    """
    codes = columns.codes(X)
    group = None if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    facts = [watch.defaulted, watch.months, watch.started, watch.stratum]
    facts += [] if group is None else [group]
    check_consistent_length(codes, *facts, watch.weight)
    keys = chain(codes, (fact.astype(np.float64) for fact in facts))
    order = content_order(keys, tie=watch.weight)
    exposure = fit_timing(watch.at(order), np.ones(len(watch))).exposure(watch)
    order = order[exposure[order] > 0]
    watch, exposure = watch.at(order), exposure[order]
    _demand_defaults(watch)
    rows = Rows(
        places=order,
        codes=codes.at(order),
        target=watch.defaulted / exposure,
        weight=watch.weight * exposure,
        applied_on=watch.started.astype(np.float64),
        groups=None if group is None else group[order].astype(np.int64),
    )
    return rows, watch


def _demand_defaults(watch: Watch) -> None:
    defaults = int(watch.defaulted.sum())
    if defaults < FOLDS:
        raise ShortHistory(
            f"{defaults} loans defaulted inside the horizon; at least {FOLDS} are needed. "
            "Hint: give older loans."
        )


def _level(risk: Vector, watch: Watch, timing: Timing, *, calendar: bool) -> float:
    """Hazard of the whole horizon over `risk`: defaults over expected ones, the latest if asked."""
    expected = (watch.weight * risk * timing.exposure(watch)).sum()
    level = (watch.weight * watch.defaulted).sum() / expected
    latest = calendar_factor(watch, level * risk, timing) if calendar else 1.0
    return float(level * latest)


def _in_log_odds(log_hazard: Calibration, log_rate: Vector, weight: Vector) -> Calibration:
    """From log rates to log-odds of PD = 1 - exp(-hazard), by the nearest straight line.

    Straight, so that contributions stay additive; nearest in cross-entropy. Log-odds and log hazard
    are about half a hazard apart, so there is little to bend.
    """
    hazard = log_hazard(log_rate)
    line = fit_calibration(hazard, -np.expm1(-np.exp(hazard)), weight, doubt=NO_PRIOR)
    return log_hazard.then(line)
