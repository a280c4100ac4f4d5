"""Finding decisions: by business, branch, outcome and day, page by page, newest first."""

from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from features.build import BUSINESS_ZONE
from serving.desk.caller import Caller
from serving.desk.overrides import outcome_of, overrides_of
from serving.desk.trials import business_hash
from serving.journal.entries import Stored, moment
from serving.journal.journal import Journal
from serving.policy.policy import Outcome
from serving.wire.bodies import Rules
from serving.wire.schemas import EARLIEST

_ZONE = ZoneInfo(BUSINESS_ZONE)
LAST_DAY = date(2999, 12, 31)
COLUMNS = "sequence, decision_id, application_id, revision, branch, outcome, at"
LATER = """SELECT * FROM entry WHERE kind IN ('override', 'approval') AND decision_id IN
({}) ORDER BY sequence"""


class Search(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What to find; everything given must hold."""

    business_id: Annotated[str, Meta(pattern=r"^[0-9A-Z]{18}$")] | None = None
    branch: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    outcome: Annotated[Outcome | None, Meta(description="As decided, before any override")] = None
    day: Annotated[date | None, Meta(description="Day of the decision, Asia/Shanghai")] = None
    limit: Annotated[int, Meta(ge=1, le=200, description="Decisions on a page")] = 50
    cursor: Annotated[int, Meta(ge=1, le=2**62, description="`next` of the page before")] | None = (
        None
    )


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A decision in a list; ``effective_outcome`` is that of the last override that counts."""

    decision_id: str
    application_id: str
    revision: int
    branch: str
    outcome: str
    effective_outcome: str
    awaits_approval: bool
    decided_at: str


class Page(msgspec.Struct, frozen=True):
    """Decisions, newest first, and the cursor of the next page; null on the last."""

    decisions: tuple[Summary, ...]
    next: int | None


class _Condition(NamedTuple):
    sql: str
    value: Any


def _day(day: date | None) -> str:
    if day is None:
        return ""
    return "too-small" if day < EARLIEST.date() else "too-large" if day > LAST_DAY else ""


RULES: Rules = {"day": _day}  # what the types of ``Search`` cannot say


def find(journal: Journal, wanted: Search, caller: Caller) -> Page:
    """A page of the decisions that the caller may see."""
    where = _conditions(journal, wanted, caller)
    conditions = " AND ".join(condition.sql for condition in where)
    statement = (
        f"SELECT {COLUMNS} FROM entry WHERE kind = 'decision' AND {conditions} "  # noqa: S608  # ours
        "ORDER BY sequence DESC LIMIT ?"
    )
    rows = journal.scan(statement, *(condition.value for condition in where), wanted.limit + 1)
    shown = rows[: wanted.limit]
    later = _later(journal, [row[1] for row in shown])
    summaries = tuple(_summary(row, later[row[1]]) for row in shown)
    return Page(summaries, shown[-1][0] if len(rows) > wanted.limit else None)


def _conditions(journal: Journal, wanted: Search, caller: Caller) -> list[_Condition]:
    found = [_Condition("organisation = ?", caller.organisation)]
    if caller.branch:
        found.append(_Condition("branch = ?", caller.branch))
    if wanted.branch:
        found.append(_Condition("branch = ?", wanted.branch))
    if wanted.business_id:
        business = business_hash(journal, caller.organisation, wanted.business_id)
        found.append(_Condition("business = ?", business))
    if wanted.outcome:
        found.append(_Condition("outcome = ?", wanted.outcome))
    if wanted.day:
        found.append(_Condition("at >= ?", midnight(wanted.day)))
        found.append(_Condition("at < ?", midnight(wanted.day + timedelta(days=1))))
    if wanted.cursor:
        found.append(_Condition("sequence < ?", wanted.cursor))
    return found


def _later(journal: Journal, decision_ids: list[str]) -> dict[str, list[Stored]]:
    """Overrides and approvals by decision."""
    found: dict[str, list[Stored]] = defaultdict(list)
    statement = LATER.format(", ".join("?" * len(decision_ids)) or "NULL")
    for stored in journal.select(statement, *decision_ids):
        found[stored.decision_id].append(stored)
    return found


def _summary(row: Any, later: list[Stored]) -> Summary:
    _, decision_id, application_id, revision, branch, outcome, at = row
    overrides = overrides_of(later)
    return Summary(
        decision_id=decision_id,
        application_id=application_id,
        revision=revision,
        branch=branch,
        outcome=outcome,
        effective_outcome=outcome_of(outcome, overrides),
        awaits_approval=any(each.status == "awaiting_approval" for each in overrides),
        decided_at=at,
    )


def midnight(day: date) -> str:
    """The moment at which a day begins in the business's time zone, as entries hold it."""
    return moment(datetime.combine(day, time(), _ZONE).astimezone(UTC))
