"""What became of a loan: reported by the bank, recorded beside the decision that granted it."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from serving.decision.decide import business_day
from serving.desk.caller import Caller
from serving.desk.overrides import follow_up, outcome_of, overrides_of
from serving.desk.recorder import Answer, Asked, Recorder
from serving.journal.entries import OF_DECISION, Entry, Stored
from serving.wire.bodies import invalid
from serving.wire.problems import FieldError

ROUTE = "POST /v1/outcomes"

State = Literal[
    "not_taken_up", "performing", "repaid", "renewed", "deferred", "written_off", "guarantee_paid"
]
ENDED = ("not_taken_up", "repaid", "written_off", "guarantee_paid")  # a renewed loan goes on


class OutcomeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The state of a loan on a day; the loan is named by the decision that granted it.

    A later report of the same day corrects the one before.
    """

    decision_id: Annotated[str, Meta(pattern=r"^dec_[0-9a-f]{24}$")]
    as_of: Annotated[date, Meta(description="Day the state speaks of (Asia/Shanghai)")]
    state: Annotated[State, Meta(description="State of the loan on that day")]
    days_past_due: Annotated[int, Meta(ge=0, le=10_000)] = 0
    worst_days_past_due: Annotated[
        int, Meta(ge=0, le=10_000, description="Highest on any day up to then")
    ] = 0
    balance: Annotated[int, Meta(ge=0, le=1_000_000_000, description="Principal, yuan")] = 0


class LoanOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What was reported of a loan, by whom and when."""

    outcome_id: str
    decision_id: str
    as_of: date
    state: State
    days_past_due: int
    worst_days_past_due: int
    balance: int
    by: str
    at: datetime


def newest(loan: Sequence[LoanOutcome]) -> LoanOutcome | None:
    """The report of the latest day, the last one of that day; None if there is none."""
    return max(reversed(loan), key=lambda told: told.as_of, default=None)


def has_ended(loan: Sequence[LoanOutcome]) -> bool:
    """Whether the loan was reported to have ended, and not otherwise since."""
    last = newest(loan)
    return last is not None and last.state in ENDED


async def report(
    recorder: Recorder,
    decision: Stored,
    request: OutcomeRequest,
    key: str,
    caller: Caller,
    now: datetime,
) -> Answer:
    """Record what became of the loan of a decision the caller may see. Raises ``Problem``."""
    content = msgspec.json.encode(request, order="deterministic")
    asked = recorder.asked(caller, ROUTE, key, content, alone_with=(decision.decision_id,))

    def make() -> Entry:
        return _entry(recorder, decision, request, asked, caller, now)

    return await recorder.once(asked, caller, make)


def _entry(
    recorder: Recorder,
    decision: Stored,
    request: OutcomeRequest,
    asked: Asked,
    caller: Caller,
    now: datetime,
) -> Entry:
    history = recorder.journal.select(OF_DECISION, decision.decision_id)
    if contradictions := list(_contradictions(decision, request, history)):
        raise invalid(*contradictions)
    number = sum(stored.kind == "outcome" for stored in history) + 1
    named = f"{decision.decision_id}|{number}"
    outcome_id = f"out_{hashlib.sha256(named.encode()).hexdigest()[:24]}"
    fields = msgspec.structs.asdict(request)
    made = LoanOutcome(outcome_id=outcome_id, **fields, by=caller.name, at=now)
    return follow_up(
        decision, "outcome", outcome_id, number, made, asked, caller, now, request.state
    )


def _contradictions(
    decision: Stored, request: OutcomeRequest, history: Sequence[Stored]
) -> Iterator[FieldError]:
    """What cannot be, of this loan or of any."""
    if outcome_of(decision.outcome, overrides_of(history)) != "approve":
        yield FieldError("/state", "not-approved")
    if request.as_of < business_day(datetime.fromisoformat(decision.at)):
        yield FieldError("/as_of", "before-the-decision")
    if request.worst_days_past_due < request.days_past_due:
        yield FieldError("/worst_days_past_due", "below-days-past-due")
    if request.state in ("not_taken_up", "repaid"):
        owing = {"/balance": request.balance, "/days_past_due": request.days_past_due}
        yield from (FieldError(field, "nothing-owed") for field, value in owing.items() if value)
