"""A quote: what would be decided if this were asked, or the applicant had acted; kept nowhere."""

from collections.abc import Sequence
from datetime import datetime

from features.errors import UnknownName
from serving.bundles.bundle import Bundle
from serving.decision.decide import Application, Decision
from serving.decision.sources import Dates
from serving.decision.way_to_yes import would_help
from serving.decision.what_if import Variant, rows_if, values_after
from serving.desk.replay import decide_with
from serving.policy.values import Row


def quote(
    bundle: Bundle,
    application: Application,
    row: Row,
    sources: Dates,
    now: datetime,
    *,
    actions: Sequence[str] = (),
    changed_trials: int = 0,
    approved_before: int = 0,
) -> Decision:
    """Decide as if the policy's ``actions`` had been taken; only they may move a fact.

    ``row`` holds the whole catalogue. An action that changes nothing, or an unknown fact, is void.

    Raises:
        UnknownName: the policy has no such action.
    """
    after = _after(bundle, application, row, actions) if actions else row
    return decide_with(
        bundle, application, after, sources, now, "quote", changed_trials, approved_before
    )


def _after(bundle: Bundle, application: Application, row: Row, actions: Sequence[str]) -> Row:
    """The row once the actions were taken, with whatever is computed from what they move."""
    known = {action.id: action for action in bundle.policy.actions}
    for name in actions:
        if name not in known:
            raise UnknownName("action", name, known)
    done = [action for name in actions if would_help(action := known[name], row)]
    asked = application.asked
    variant = Variant(asked.amount, asked.term_months, asked.repayment, values_after(done, row))
    return rows_if(row, application.purpose, [variant])[0]
