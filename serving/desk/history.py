"""A decision as it was answered, what it answered, and what happened to it since."""

from collections.abc import Sequence

import msgspec

from serving.decision.decide import Application
from serving.desk.outcomes import LoanOutcome
from serving.desk.overrides import DecisionOverride, overrides_of
from serving.desk.replay import Record
from serving.journal.entries import Stored
from serving.wire.problems import Problem


class Whence(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked, and by whom and where."""

    application: Application
    by: str
    branch: str


class Since(msgspec.Struct, frozen=True, omit_defaults=True):
    """What happened to a decision after it was made; absent where there is nothing."""

    overrides: tuple[DecisionOverride, ...] = ()
    loan: tuple[LoanOutcome, ...] = ()


def since(history: Sequence[Stored]) -> Since:
    """Overrides and outcomes among the entries of a decision, in order."""
    outcomes = (stored for stored in history if stored.kind == "outcome" and not stored.is_erased)
    return Since(
        tuple(overrides_of(history)),
        tuple(msgspec.json.decode(stored.response, type=LoanOutcome) for stored in outcomes),
    )


def told(history: Sequence[Stored]) -> bytes:
    """The answer byte for byte, and after its last field what was asked and what happened since."""
    decision = next(stored for stored in history if stored.kind == "decision")
    if decision.is_erased:
        raise Problem("erased")
    record = msgspec.json.decode(decision.record, type=Record)
    whence = Whence(application=record.application, by=record.by, branch=record.branch)
    later = msgspec.to_builtins(whence) | msgspec.to_builtins(since(history))
    return decision.response[:-1] + b"," + msgspec.json.encode(later)[1:]
