"""The gate before the champion: checks a challenger must pass, and a signed record that it did.

A check passes only on a figure that exists and meets its limit; what was not measured fails.
"""

import hmac
from collections.abc import Iterator
from hashlib import sha256
from math import isfinite

import msgspec

from features.errors import MicroloanError
from models.metrics import PairedTest
from models.validation import Validation


class GateClosed(MicroloanError):
    """A challenger that did not pass every check."""


class BadSignature(MicroloanError):
    """A gate record that was not signed with the key it is verified with."""


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked of a challenger.

    Args:
        bads: Bads out of time, below which nothing can be judged.
        auc: Lower bound of the interval of the AUC out of time.
        worse: How many standard errors (DeLong) the AUC may lie below the champion's.
        level: Observed over expected out of time is shown to be outside these bounds.
        calibration_error: Expected calibration error out of time.
        score_index: Population stability index of the score since development.
        faithfulness: Share of declines whose first reason holds.
        approval_ratio: Approval rate of every group over its reference; None asks nothing.
    """

    bads: int = 30
    auc: float = 0.55
    worse: float = 1.645
    level: tuple[float, float] = (0.8, 1.25)
    calibration_error: float = 0.02
    score_index: float = 0.25
    faithfulness: float = 0.99
    approval_ratio: float | None = None


class Check(msgspec.Struct, frozen=True):
    """One check: what was asked, what was measured (None if nothing was) and how it went."""

    name: str
    asked: str
    figure: float | None
    passed: bool


class GateRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the gate said of one model, known by the hash of its files and of its features."""

    model: str
    model_hash: str
    fingerprint: str
    champion: str | None
    judged_at: str
    limits: Limits
    checks: tuple[Check, ...]
    passed: bool

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that did not pass."""
        return tuple(check for check in self.checks if not check.passed)

    def demand(self) -> "GateRecord":
        """Itself if all checks passed; raises GateClosed with every failure otherwise."""
        if self.passed:
            return self
        told = "; ".join(
            f"{one.name} is {_told(one.figure)}, asked {one.asked}" for one in self.failures
        )
        raise GateClosed(
            f"{self.model} does not pass the gate: {told}. "
            "Hint: read its validation report, and keep the champion meanwhile."
        )

    def to_dict(self) -> dict[str, object]:
        """The record as plain values."""
        return dict(msgspec.to_builtins(self))


def judge(
    validation: Validation,
    *,
    model: str,
    model_hash: str,
    fingerprint: str,
    code_fingerprint: str,
    judged_at: str,
    champion: str | None = None,
    against_champion: PairedTest | None = None,
    limits: Limits | None = None,
) -> GateRecord:
    """Hold a challenger's validation against the limits.

    ``fingerprint`` is that of the features it was fitted on, ``code_fingerprint`` that of the
    features this code builds. Where there is a ``champion``, ``against_champion`` is the paired
    test on the same rows, the challenger first; its absence fails the check.
    """
    limits = limits or Limits()
    checks = (
        *_power(validation, limits),
        *_accuracy(validation, limits),
        *_behaviour(validation, limits),
        _check(
            "features are those of the code", "1", float(fingerprint == code_fingerprint), low=1
        ),
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
    )


def sign(record: GateRecord, key: bytes) -> bytes:
    """The record as JSON with its signature (HMAC-SHA256 under ``key``)."""
    body = msgspec.json.encode(record)
    return msgspec.json.encode({"record": msgspec.Raw(body), "signature": _signature(body, key)})


def verify(content: bytes, key: bytes) -> GateRecord:
    """The record that `sign` wrote; raises BadSignature unless ``key`` signed these very bytes."""
    try:
        signed = msgspec.json.decode(content, type=_Signed)
        if not hmac.compare_digest(_signature(bytes(signed.record), key), signed.signature):
            raise BadSignature("The gate record was changed, or signed with another key.")
        return msgspec.json.decode(signed.record, type=GateRecord)
    except (msgspec.DecodeError, TypeError) as error:
        raise BadSignature(f"The gate record cannot be read: {error}.") from error


class _Signed(msgspec.Struct, forbid_unknown_fields=True):
    record: msgspec.Raw
    signature: str


def _signature(body: bytes, key: bytes) -> str:
    return hmac.new(key, body, sha256).hexdigest()


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
    if limits.approval_ratio is not None:
        ratios = [one.ratio.high for one in validation.fairness if one.light and one.ratio]
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


def _told(figure: float | None) -> str:
    return "not measured" if figure is None else f"{figure:.4g}"
