"""The gate before the champion: checks that a challenger must pass.

A check passes only on a figure that exists and meets its limit; what was not measured fails.
"""

from collections.abc import Iterator, Mapping
from math import isfinite

from models.gate_record import Check, GateRecord, Limits, Override
from models.validation.metrics import PairedTest
from models.validation.validation import Validation


def judge(
    validation: Validation,
    *,
    model: str,
    model_hash: str,
    fingerprint: str,
    judged_at: str,
    audits: Mapping[str, int],
    champion: str | None = None,
    against_champion: PairedTest | None = None,
    limits: Limits | None = None,
    override: Override | None = None,
) -> GateRecord:
    """Hold a challenger's validation against the limits.

    ``fingerprint`` is that of the features it was fitted on. ``audits`` are what the caller counted
    outside the validation, by name; each must be 0. Where there is a ``champion``,
    ``against_champion`` is the paired test on the same rows, the challenger first; its absence
    fails the check.
    """
    limits = limits or Limits()
    checks = (
        *_power(validation, limits),
        *_accuracy(validation, limits),
        *_behaviour(validation, limits),
        *(_check(name, "0", found, high=0) for name, found in audits.items()),
        *([_not_worse(against_champion, limits)] if champion is not None else []),
    )
    return GateRecord(
        model=model,
        model_hash=model_hash,
        fingerprint=fingerprint,
        champion=champion,
        judged_at=judged_at,
        limits=limits,
        checks=checks,
        passed=all(check.passed for check in checks),
        override=override,
    )


def _power(validation: Validation, limits: Limits) -> Iterator[Check]:
    figures = validation.out_of_time
    yield _check("bads out of time", f"at least {limits.bads}", figures.bads, low=limits.bads)
    yield _check(
        "lower bound of the AUC out of time",
        f"at least {limits.auc}",
        figures.auc.low,
        low=limits.auc,
    )


def _accuracy(validation: Validation, limits: Limits) -> Iterator[Check]:
    calibration = validation.calibration
    low, high = limits.level
    yield _level(validation, low, high)
    yield _check(
        "calibration error out of time",
        f"at most {limits.calibration_error}",
        calibration.error,
        high=limits.calibration_error,
    )
    yield _check(
        "stability index of the score",
        f"at most {limits.score_index}",
        validation.score_index,
        high=limits.score_index,
    )


def _level(validation: Validation, low: float, high: float) -> Check:
    """Observed over expected may be outside its bounds only so far as chance allows."""
    figures = validation.calibration
    name, asked = "observed over expected out of time", f"{low} to {high}, or within chance of it"
    if not (isfinite(figures.ratio) and figures.expected > 0):
        return Check(name, asked, None, False)
    possible = figures.low <= high * figures.expected and figures.high >= low * figures.expected
    return Check(name, asked, figures.ratio, possible)


def _behaviour(validation: Validation, limits: Limits) -> Iterator[Check]:
    faithful = validation.faithfulness.share if validation.faithfulness else None
    broken, leaks = len(validation.violations), len(validation.suspicious)
    yield _check(
        "declines whose first reason holds",
        f"at least {limits.faithfulness}",
        faithful,
        low=limits.faithfulness,
    )
    yield _check("features against their direction", "0", broken, high=0)
    yield _check("columns that know too much", "0", leaks, high=0)
    yield _check("the same after loading", "1", float(validation.survives_saving), low=1)
    groups = (one for one in validation.fairness if one.attribute in limits.protected)
    ratios = [one.ratio.high for one in groups if one.light and one.ratio]
    yield _check(
        "upper bound of the lowest approval ratio",
        f"at least {limits.approval_ratio}",
        min(ratios, default=None),
        low=limits.approval_ratio,
    )


def _not_worse(test: PairedTest | None, limits: Limits) -> Check:
    return _check(
        "standard errors of AUC above the champion",
        f"at least {-limits.worse}",
        None if test is None else test.z,
        low=-limits.worse,
    )


def _check(
    name: str,
    asked: str,
    figure: float | None,
    *,
    low: float = float("-inf"),
    high: float = float("inf"),
) -> Check:
    known = figure is not None and isfinite(figure)
    return Check(name, asked, figure if known else None, known and low <= (figure or 0.0) <= high)
