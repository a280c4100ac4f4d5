"""Erasure of a decision's content once no law keeps it; that it was made stays proved."""

import asyncio
import hashlib
from datetime import UTC, datetime, time
from typing import Annotated

import msgspec
from msgspec import Meta

from serving.desk.caller import Caller
from serving.desk.history import since
from serving.desk.outcomes import has_ended, newest
from serving.desk.overrides import Sentence, follow_up, outcome_of
from serving.desk.recorder import Answer, Asked, Place, Recorder
from serving.journal.entries import OF_DECISION, Entry, Stored
from serving.journal.journal import Journal
from serving.wire.problems import Problem

ROUTE = "POST /v1/erasures"


class ErasureRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which decision to erase, and on what ground."""

    decision_id: Annotated[str, Meta(pattern=r"^dec_[0-9a-f]{24}$")]
    text: Annotated[Sentence, Meta(description="The ground, as the request of the business")]


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """What was erased, by whom and when."""

    decision_id: str
    text: str
    by: str
    at: datetime


async def erase(
    recorder: Recorder,
    decision: Stored,
    request: ErasureRequest,
    key: str,
    caller: Caller,
    now: datetime,
    retention_years: int,
) -> Answer:
    """Destroy the key of a decision, and record that. Raises ``Problem`` while it must be kept.

    The retention counts from the end of the business relation (as the rules of customer
    identification against money laundering count their five years): from the end of the loan, or
    from the decision where nothing was lent. A loan whose end was not reported goes on.
    """
    ended = await asyncio.to_thread(_ended_on, recorder.journal, decision)
    if ended is None or now < _kept_until(ended, retention_years):
        raise Problem("retention-period")
    place = Place(decision.decision_id, "erasure", 0)
    content = msgspec.json.encode(request, order="deterministic")
    alone = (decision.decision_id,)
    asked = recorder.asked(caller, ROUTE, key, content, place, alone_with=alone)
    return await recorder.once(asked, caller, lambda: _entry(decision, request, asked, caller, now))


def _entry(
    decision: Stored, request: ErasureRequest, asked: Asked, caller: Caller, now: datetime
) -> Entry:
    made = Erasure(decision_id=decision.decision_id, text=request.text, by=caller.name, at=now)
    erasure_id = f"era_{hashlib.sha256(decision.decision_id.encode()).hexdigest()[:24]}"
    return follow_up(decision, "erasure", erasure_id, 0, made, asked, caller, now)


def _ended_on(journal: Journal, decision: Stored) -> datetime | None:
    """When the business relation of a decision ended; None while its loan may run."""
    history = journal.select(OF_DECISION, decision.decision_id)
    made_at = datetime.fromisoformat(decision.at)
    told = since(history)
    if last := newest(told.loan):  # whatever was decided: the loan was paid out
        end = datetime.combine(last.as_of, time.max, UTC)
        return max(made_at, end) if has_ended(told.loan) else None
    is_approved = outcome_of(decision.outcome, told.overrides) == "approve"
    return None if is_approved and not decision.is_erased else made_at


def _kept_until(at: datetime, years: int) -> datetime:
    """The same day of the year, so many years later; 1 March stands for 29 February."""
    at = at.astimezone(UTC)
    try:
        return at.replace(year=at.year + years)
    except ValueError:
        return at.replace(year=at.year + years, month=3, day=1)
