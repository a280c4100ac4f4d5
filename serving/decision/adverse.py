"""The reasons told to an applicant: true of this model, this applicant and these rules."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from features.definition import Feature
from features.reasons import IMPLAUSIBLE, REASONS, UNKNOWN
from serving.decision.verdict import Fired
from serving.policy.bilingual import Text
from serving.policy.policy import Outcome
from serving.policy.values import Row

MOST = 4
_BY_DEPARTMENT = (UNKNOWN, IMPLAUSIBLE)  # told with the department's name, once for each
_DEPARTMENTS = {"registry": "市场监管", "tax": "税务", "utility": "水电气", "bank": "本行贷款"}


class AdverseReason(msgspec.Struct, frozen=True):
    """What counted against an application; ``contribution`` is in log-odds, None for a rule's."""

    code: str
    feature: str | None
    department: str | None
    text: Text
    contribution: float | None


class Status(msgspec.Struct, frozen=True):
    """Why an application is outside what can be asked for; no reason of credit."""

    code: str
    text: Text


class Spoken(NamedTuple):
    """A feature as the model heard it; ``harm`` is its log-odds beyond the neutral applicant's."""

    feature: Feature
    harm: float


def adverse_reasons(
    outcome: Outcome, fired: Sequence[Fired], spoken: Sequence[Spoken], row: Row
) -> tuple[AdverseReason, ...]:
    """At most four reasons: those of the rules that fired, then the model's, most harmful first.

    Where no rule asked for the outcome, the probability did, and the model speaks first: a decline
    is not told by rules that only refer.
    Features of one reason are summed, so that two that cancel out are no reason; an unknown value
    is told as missing data, never as the bad value it might have been.
    """
    from_rules = [_of_rule(rule) for rule in fired if _is_told(rule) and not _is_status(rule)]
    from_model = _of_model(spoken, row)
    by_rule = any(rule.outcome == outcome for rule in fired)
    ordered = (*from_rules, *from_model) if by_rule else (*from_model, *from_rules)
    distinct: dict[tuple[str, str | None], AdverseReason] = {}
    for reason in ordered:
        department = reason.department if reason.code in _BY_DEPARTMENT else None
        distinct.setdefault((reason.code, department), reason)
    return tuple(distinct.values())[:MOST]


def statuses(fired: Sequence[Fired]) -> tuple[Status, ...]:
    """The statuses of the process among the rules that fired, each once."""
    codes = dict.fromkeys(rule.reason for rule in fired if _is_told(rule) and _is_status(rule))
    return tuple(Status(code, _text(code, None)) for code in codes)


def _is_told(rule: Fired) -> bool:
    """Whether it moved the outcome or the amount: a cap that binds is told with the limit."""
    return rule.outcome != "approve" or rule.cap is None


def _is_status(rule: Fired) -> bool:
    return REASONS[rule.reason].family == "process"


def _of_rule(rule: Fired) -> AdverseReason:
    return AdverseReason(
        rule.reason, None, rule.department, _text(rule.reason, rule.department), None
    )


def _of_model(spoken: Sequence[Spoken], row: Row) -> list[AdverseReason]:
    """What the model held against the applicant, by the reasons that are true of the values."""
    groups: dict[tuple[str, str | None], list[Spoken]] = {}
    for word in spoken:
        code = word.feature.reason_of(row.get(word.feature.name))
        department = word.feature.department if code == UNKNOWN else None
        groups.setdefault((code, department), []).append(word)
    found = []
    for (code, department), words in groups.items():
        harm = sum(word.harm for word in words)
        if harm > 0:
            loudest = max(words, key=lambda word: word.harm).feature
            text = _text(code, department)
            found.append(AdverseReason(code, loudest.name, loudest.department, text, harm))
    return sorted(found, key=lambda reason: -(reason.contribution or 0.0))


def _text(code: str, department: str | None) -> Text:
    reason = REASONS[code]
    if code not in _BY_DEPARTMENT or department not in _DEPARTMENTS:
        return Text(reason.chinese, reason.english)
    name = _DEPARTMENTS[department]
    return Text(f"{reason.chinese}({name})", f"{reason.english} ({department})")
