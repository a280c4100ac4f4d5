"""What became of a loan: reported by the bank, recorded beside the decision that granted it."""

import hashlib
from datetime import date, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from serving.desk.caller import Caller
from serving.desk.overrides import follow_up
from serving.desk.recorder import Answer, Asked, Recorder
from serving.journal.entries import OF_DECISION, Entry, Stored

ROUTE = "POST /v1/outcomes"

State = Literal[
    "not_taken_up", "performing", "repaid", "renewed", "deferred", "written_off", "guarantee_paid"
]


class OutcomeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The state of a loan on a day; the loan is named by the decision that granted it."""

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
    number = sum(stored.kind == "outcome" for stored in history) + 1
    named = f"{decision.decision_id}|{number}"
    outcome_id = f"out_{hashlib.sha256(named.encode()).hexdigest()[:24]}"
    fields = msgspec.structs.asdict(request)
    made = LoanOutcome(outcome_id=outcome_id, **fields, by=caller.name, at=now)
    return follow_up(
        decision, "outcome", outcome_id, number, made, asked, caller, now, request.state
    )
