"""What was approved to a business lately: the loan book may not know of it yet.

An approval is a promise: until the days of the policy have passed, or the bank reported that the
loan was not taken up or has ended, it comes off what the business may still be lent.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from serving.desk.history import since
from serving.desk.outcomes import has_ended
from serving.desk.overrides import outcome_of
from serving.desk.replay import Record
from serving.journal.entries import OF_DECISION, Stored, moment
from serving.journal.journal import Journal

APPROVED = """SELECT decision_id, min(sequence) AS first FROM entry
WHERE business = ? AND at >= ? AND outcome = 'approve' GROUP BY decision_id ORDER BY first"""


class Approvals(NamedTuple):
    """Decisions whose approval is still open, and their amounts together, yuan."""

    decision_ids: tuple[str, ...] = ()
    amount: int = 0


def approvals_of(journal: Journal, business: bytes, now: datetime, days: int) -> Approvals:
    """The open approvals of a business in the ``days`` before ``now``, whoever made them."""
    if not days:
        return Approvals()
    since_day = moment(now - timedelta(days=days))
    histories = [
        journal.select(OF_DECISION, decision_id)
        for decision_id, _ in journal.rows(APPROVED, business, since_day)
    ]
    lent = {history[0].decision_id: _lent(history) for history in histories}
    return Approvals(tuple(name for name, yuan in lent.items() if yuan), sum(lent.values()))


def _lent(history: list[Stored]) -> int:
    """What may still be paid out on a decision, yuan; 0 if it is in force no more."""
    decision = next(stored for stored in history if stored.kind == "decision")
    told = since(history)
    if decision.is_erased or outcome_of(decision.outcome, told.overrides) != "approve":
        return 0
    if has_ended(told.loan):
        return 0
    record = msgspec.json.decode(decision.record, type=Record)
    offered = max((offer.amount for offer in record.decision.offers), default=0)
    return offered if decision.outcome == "approve" else record.application.amount
