"""Erasure of a decision's content once no law keeps it; that it was made stays proved."""

import hashlib
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from serving.desk.caller import Caller
from serving.desk.overrides import Sentence, follow_up
from serving.desk.recorder import Answer, Asked, Place, Recorder
from serving.journal.entries import Entry, Stored
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

    The retention counts from the decision (bookkeeping against money laundering: five years from
    the end of the business relation, so a bank sets it longer than its longest loan needs).
    """
    if now < _kept_until(datetime.fromisoformat(decision.at), retention_years):
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


def _kept_until(at: datetime, years: int) -> datetime:
    """The same day of the year, so many years later; 1 March stands for 29 February."""
    at = at.astimezone(UTC)
    try:
        return at.replace(year=at.year + years)
    except ValueError:
        return at.replace(year=at.year + years, month=3, day=1)
