"""What a policy says of an applicant: one pure function for requests, batches and worked cases."""

import operator
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from features.catalog import CATALOG
from features.tables import TABLES
from serving.policy import STRICTNESS, Condition, Expectation, Grade, Outcome, Policy, strictest

Row = Mapping[str, float | str | None]
Ages = Mapping[str, int | None]

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "in": lambda value, values: value in values,
    "not in": lambda value, values: value not in values,
}


class Fired(msgspec.Struct, frozen=True):
    """A rule that fired: what it asked for, and the reason told to the applicant."""

    rule: str
    outcome: Outcome
    reason: str
    department: str | None = None


class Verdict(msgspec.Struct, frozen=True):
    """Outcome, grade and limit (yuan), and the rules that fired, strictest first."""

    outcome: Outcome
    grade: str
    limit: int
    fired: tuple[Fired, ...]


def judge(policy: Policy, row: Row, probability: float, amount: int, ages: Ages) -> Verdict:
    """Apply ``policy``: the strictest of the grade's outcome and of every rule that fires wins.

    Args:
        policy: grades, limit and rules.
        row: feature values by name; None is unknown.
        probability: of default, 0 to 1.
        amount: asked for, yuan.
        ages: days since the newest record, by table; None or absent if there is no record.
    """
    grade = grade_of(policy, probability)
    limit = limit_of(policy, grade, row)
    fired = (
        *_stale(policy, ages),
        *_implausible(row),
        *_broken(policy, row),
        *_too_small(policy, grade, limit, amount),
    )
    outcome = strictest([grade.outcome, *(rule.outcome for rule in fired)])
    ordered = sorted(fired, key=lambda rule: -STRICTNESS[rule.outcome])
    return Verdict(outcome, grade.grade, 0 if outcome == "decline" else limit, tuple(ordered))


def failing_cases(policy: Policy) -> list[str]:
    """The worked cases of ``policy`` that it does not decide as they say, a sentence each."""
    found = []
    for case in policy.cases:
        verdict = judge(policy, case.features, case.probability_of_default, case.amount, case.ages)
        rules = tuple(fired.rule for fired in verdict.fired)
        given = Expectation(
            outcome=verdict.outcome, grade=verdict.grade, limit=verdict.limit, rules=rules
        )
        if given != case.expect:
            found.append(f"{case.name}: expected {case.expect}, decided {given}")
    return found


def grade_of(policy: Policy, probability: float) -> Grade:
    """The first grade whose bound is above ``probability``; the last one for 1."""
    return next((g for g in policy.grades if probability < g.pd_below), policy.grades[-1])


def limit_of(policy: Policy, grade: Grade, row: Row) -> int:
    """The most the bank would lend now, yuan; 0 while no sales are known."""
    terms = policy.limit
    sales = next((float(v) for n in terms.sales if isinstance(v := row.get(n), int | float)), 0.0)
    owed = row.get(terms.owed)
    most = min(terms.cap, grade.cap, grade.sales_multiple * 12 * sales)
    room = most - (float(owed) if isinstance(owed, int | float) else 0.0)
    limit = int(room // terms.step) * terms.step
    return limit if limit >= terms.smallest else 0


def _stale(policy: Policy, ages: Ages) -> list[Fired]:
    """A source that is absent or too old refers, whatever the score."""
    found = []
    for rule in policy.sources:
        age = ages.get(rule.table)
        too_old = age is not None and rule.oldest_days is not None and age > rule.oldest_days
        if age is None or too_old:
            state = "missing" if age is None else "stale"
            department = TABLES[rule.table].department
            found.append(Fired(f"{rule.table}_{state}", "refer", "R32", department))
    return found


def _implausible(row: Row) -> list[Fired]:
    """A value outside the bounds its feature declares refers: somewhere the data are wrong."""
    found = []
    for feature in CATALOG:
        value = row.get(feature.name)
        if feature.plausible is None or not isinstance(value, int | float):
            continue
        low, high = feature.plausible
        if not low <= value <= high:
            rule = f"{feature.name}_implausible"
            found.append(Fired(rule, "refer", "R32", feature.department))
    return found


def _broken(policy: Policy, row: Row) -> list[Fired]:
    return [
        Fired(rule.id, rule.outcome, rule.reason)
        for rule in policy.rules
        if all(holds(condition, row) for condition in rule.when)
    ]


def _too_small(policy: Policy, grade: Grade, limit: int, amount: int) -> list[Fired]:
    """The grade lends, but sales carry less than is asked for: a counter-offer, or a talk."""
    if grade.cap == 0 or limit >= amount:
        return []
    outcome: Outcome = "approve" if limit >= policy.limit.least_share * amount else "refer"
    return [Fired("limit_below_amount", outcome, "R14")]


def holds(condition: Condition, row: Row) -> bool:
    """Whether the feature is known and compares as asked."""
    value = row.get(condition.feature)
    return value is not None and _COMPARE[condition.op](value, condition.value)
