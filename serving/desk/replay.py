"""The record of a decision holds all that made it, and a replay makes it again, byte for byte."""

from datetime import date, datetime

import msgspec

from serving.bundles.bundle import Bundle
from serving.decision.decide import Application, Decision, decide
from serving.decision.sources import Dates
from serving.desk.trials import Trials
from serving.policy.values import Row
from serving.wire.schemas import DecisionRequest, answer


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything a decision rested on, and the decision in full precision."""

    request: DecisionRequest
    application: Application
    organisation: str
    key_id: str
    row: dict[str, float | str | None]
    sources: dict[str, date | None]
    bundle_id: str
    policy_sha256: str
    snapshot: str
    decided_at: datetime
    decision: Decision
    branch: str = ""
    by: str = ""
    trials: Trials = Trials()
    approved_before: tuple[str, ...] = ()
    approved_before_yuan: int = 0


def decide_with(
    bundle: Bundle,
    application: Application,
    row: Row,
    sources: Dates,
    decided_at: datetime,
    decision_id: str,
    changed_trials: int = 0,
    approved_before: int = 0,
    *,
    propose: bool = True,
) -> Decision:
    """``decide`` with the scorer, the policy and the names of ``bundle``."""
    return decide(
        application,
        row,
        bundle.scorer,
        bundle.policy,
        features=bundle.features,
        neutral=bundle.neutral,
        sources=sources,
        model=bundle.model,
        policy_version=bundle.policy_version,
        decided_at=decided_at,
        decision_id=decision_id,
        doubt=bundle.doubt,
        changed_trials=changed_trials,
        approved_before=approved_before,
        propose=propose,
    )


def replay(record: bytes, bundle: Bundle) -> tuple[Decision, bytes]:
    """Decision and answer made anew from a record and the bundle it names."""
    kept = msgspec.json.decode(record, type=Record)
    decision = decide_with(
        bundle,
        kept.application,
        kept.row,
        kept.sources,
        kept.decided_at,
        kept.decision.decision_id,
        kept.trials.changed,
        kept.approved_before_yuan,
    )
    return decision, answer(
        decision, kept.request.source, kept.trials.decision_ids, kept.approved_before
    )
