"""A decision as it was answered, and what happened to it since."""

from collections.abc import Sequence

import msgspec

from serving.desk.outcomes import LoanOutcome
from serving.desk.overrides import DecisionOverride, overrides_of
from serving.journal.entries import Stored
from serving.wire.problems import Problem


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
    """The answer byte for byte, and after its last field what happened since, if anything did."""
    decision = next(stored for stored in history if stored.kind == "decision")
    if decision.is_erased:
        raise Problem("erased")
    later = msgspec.json.encode(since(history))
    return decision.response if later == b"{}" else decision.response[:-1] + b"," + later[1:]
