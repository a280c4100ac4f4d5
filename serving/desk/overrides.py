"""An officer overrides a decision, with a reason; above an amount a second person approves it."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from serving.desk.caller import Caller
from serving.desk.recorder import Answer, Asked, Recorder
from serving.desk.replay import Record
from serving.journal.entries import OF_DECISION, Entry, Kind, Stored, moment
from serving.policy.policy import Outcome
from serving.wire.problems import Problem

OVERRIDE = "POST /v1/decisions/{decision_id}/overrides"
APPROVAL = "POST /v1/overrides/{override_id}/approvals"

ReasonCode = Literal[
    "documents_seen",
    "collateral_or_guarantee",
    "relationship_with_the_bank",
    "data_wrong_or_late",
    "cause_is_past",
    "doubt_about_the_applicant",
    "outside_credit_policy",
    "other",
]
Status = Literal["effective", "awaiting_approval", "approved", "refused"]
Sentence = Annotated[str, Meta(min_length=10, max_length=2000, pattern=r"\S")]


class OverrideRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an officer decides instead, and why."""

    outcome: Outcome
    reason_code: Annotated[ReasonCode, Meta(description="Kind of the reason")]
    text: Annotated[Sentence, Meta(description="The reason in words, for whoever reviews it")]


class ApprovalRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the second person says."""

    approved: bool
    text: Annotated[Sentence, Meta(description="Why, in words")]


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """What the second person said, and when."""

    approved: bool
    text: str
    by: str
    at: datetime


class DecisionOverride(msgspec.Struct, frozen=True, kw_only=True):
    """An override: it counts if ``status`` is effective or approved, and it is the last that does.

    ``by`` is the holder of the key.
    """

    override_id: str
    decision_id: str
    outcome: Outcome
    reason_code: ReasonCode
    text: str
    by: str
    at: datetime
    status: Status
    approval: Approval | None = None

    @property
    def counts(self) -> bool:
        """Whether its outcome is in force."""
        return self.status in ("effective", "approved")


class Overrides:
    """Records overrides and their approvals."""

    def __init__(self, recorder: Recorder, second_person_above: int) -> None:
        self._recorder = recorder
        self._above = second_person_above

    async def override(
        self, decision: Stored, request: OverrideRequest, key: str, caller: Caller, now: datetime
    ) -> Answer:
        """Override a decision the caller may see. Raises ``Problem``."""
        content = decision.decision_id.encode() + b"\n" + _canonical(request)
        asked = self._recorder.asked(
            caller, OVERRIDE, key, content, alone_with=(decision.decision_id,)
        )
        return await self._recorder.once(
            asked, caller, lambda: self._override(decision, request, asked, caller, now)
        )

    async def approve(
        self, override_id: str, request: ApprovalRequest, key: str, caller: Caller, now: datetime
    ) -> Answer:
        """Approve or refuse an override as the second person. Raises ``Problem``."""
        override = self._recorder.journal.follow_up(override_id)
        if override is None or override.kind != "override" or not caller.may_see(override):
            raise Problem("not-found")
        content = override_id.encode() + b"\n" + _canonical(request)
        alone = (override.decision_id,)
        asked = self._recorder.asked(caller, APPROVAL, key, content, alone_with=alone)
        return await self._recorder.once(
            asked, caller, lambda: self._approval(override, request, asked, caller, now)
        )

    def _override(
        self,
        decision: Stored,
        request: OverrideRequest,
        asked: Asked,
        caller: Caller,
        now: datetime,
    ) -> Entry:
        earlier = overrides_of(self._recorder.journal.select(OF_DECISION, decision.decision_id))
        if any(override.status == "awaiting_approval" for override in earlier):
            raise Problem("override-awaits-approval")
        number = len(earlier) + 1
        amount = msgspec.json.decode(decision.record, type=Record).application.amount
        made = DecisionOverride(
            override_id=_id("ovr", decision.decision_id, number),
            decision_id=decision.decision_id,
            outcome=request.outcome,
            reason_code=request.reason_code,
            text=request.text,
            by=caller.name,
            at=now,
            status="awaiting_approval" if amount > self._above else "effective",
        )
        return follow_up(
            decision, "override", made.override_id, number, made, asked, caller, now, made.outcome
        )

    def _approval(
        self,
        entry: Stored,
        request: ApprovalRequest,
        asked: Asked,
        caller: Caller,
        now: datetime,
    ) -> Entry:
        history = self._recorder.journal.select(OF_DECISION, entry.decision_id)
        override = next(o for o in overrides_of(history) if o.override_id == entry.entry_id)
        if override.status != "awaiting_approval":
            raise Problem("override-awaits-nothing")
        if override.by == caller.name:
            raise Problem("second-person-needed")
        said = Approval(approved=request.approved, text=request.text, by=caller.name, at=now)
        answered = _with(override, said)
        approval_id = _id("apr", entry.decision_id, entry.revision)
        outcome = answered.outcome if request.approved else ""
        return follow_up(
            entry, "approval", approval_id, entry.revision, answered, asked, caller, now, outcome
        )


def overrides_of(history: Iterable[Stored]) -> list[DecisionOverride]:
    """The overrides of a decision as they stand, from its entries in order."""
    found: dict[str, DecisionOverride] = {}
    for stored in history:
        if stored.kind in ("override", "approval") and not stored.is_erased:
            override = msgspec.json.decode(stored.response, type=DecisionOverride)
            found[override.override_id] = override
    return list(found.values())


def outcome_of(decided: str, overrides: Sequence[DecisionOverride]) -> str:
    """The outcome in force: that of the last override that counts, else the decision's."""
    return next((override.outcome for override in reversed(overrides) if override.counts), decided)


def follow_up(
    about: Stored,
    kind: Kind,
    entry_id: str,
    number: int,
    said: msgspec.Struct,
    asked: Asked,
    caller: Caller,
    now: datetime,
    outcome: str = "",
) -> Entry:
    """The entry of what happened to a decision later; it is seen by whoever sees the decision."""
    record = {"key_id": caller.key_id, "by": caller.name, kind: said}
    return Entry(
        kind=kind,
        entry_id=entry_id,
        decision_id=about.decision_id,
        application_id=about.application_id,
        revision=number,
        organisation=about.organisation,
        branch=about.branch,
        business=about.business,
        outcome=outcome,
        at=moment(now),
        key_hash=asked.key_hash,
        fingerprint=asked.fingerprint,
        record=msgspec.json.encode(record),
        response=msgspec.json.encode(said),
    )


def _with(override: DecisionOverride, said: Approval) -> DecisionOverride:
    status: Status = "approved" if said.approved else "refused"
    return msgspec.structs.replace(override, status=status, approval=said)


def _canonical(request: msgspec.Struct) -> bytes:
    return msgspec.json.encode(request, order="deterministic")


def _id(prefix: str, decision_id: str, number: int) -> str:
    return f"{prefix}_{hashlib.sha256(f'{decision_id}|{number}'.encode()).hexdigest()[:24]}"
