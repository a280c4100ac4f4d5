"""What a policy says of an applicant: one pure function for requests, batches and worked cases."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from features.catalog import CATALOG
from features.reasons import IMPLAUSIBLE, UNKNOWN
from features.tables import TABLES
from serving.policy.asked import Asked
from serving.policy.condition import Condition, all_hold
from serving.policy.limit import Bound, Most, limit_of, yearly_sales
from serving.policy.offers import Borrower, Offer, offers
from serving.policy.policy import (
    STRICTNESS,
    Ceiling,
    Expectation,
    Grade,
    Outcome,
    Policy,
    SourceRule,
    strictest,
)
from serving.policy.values import Row, number

Ages = Mapping[str, int | None]
Bounds = Sequence[tuple[str, float, float, str]]  # feature, lowest, highest, department

# Told where less is lent than is asked for, by what bounds it; a rule tells its own reason.
_BOUND_BY: Mapping[Bound, str] = {
    "policy": "C03",
    "grade": "R37",
    "sales": "R14",
    "need": "R62",
    "owed": "R33",
}
_NUMBERS = (int, float)  # a union would be made anew for each feature of each proposal
_PLAUSIBLE: Bounds = tuple((f.name, *f.plausible, f.department) for f in CATALOG if f.plausible)


class Fired(msgspec.Struct, frozen=True):
    """A rule that fired: what it asked for, and the reason told to the applicant.

    One whose outcome is approve only caps what is lent: at ``cap`` yuan, if it names a cap; where
    that is less than is asked for, its reason is told by the rule ``limit_below_amount``.
    """

    rule: str
    outcome: Outcome
    reason: str
    department: str | None = None
    cap: int | None = None


class Verdict(msgspec.Struct, frozen=True):
    """Outcome, grade and limit (yuan), the rules that fired, strictest first, and the offers."""

    outcome: Outcome
    grade: str
    limit: int
    fired: tuple[Fired, ...]
    offers: tuple[Offer, ...] = ()


class Evidence(msgspec.Struct, frozen=True):
    """What is known of an applicant: features, probability of default, and how it is known.

    ``ages`` are days since the newest record by table, None or absent if there is none; ``doubt``
    is the standard error of the log-odds, None if the scorer tells none; ``changed_trials`` how
    often this application was changed and tried again; ``approved_before`` yuan that were approved
    lately and are not in the loan book yet.
    """

    row: Row
    probability: float
    ages: Ages
    doubt: float | None = None
    changed_trials: int = 0
    approved_before: int = 0

    def owing(self, policy: Policy) -> Row:
        """The row as it will be once what was approved lately is owed."""
        if not self.approved_before:
            return self.row
        owed = (number(self.row, policy.limit.owed) or 0.0) + self.approved_before
        return {**self.row, policy.limit.owed: owed}


def judge(policy: Policy, evidence: Evidence, asked: Asked) -> Verdict:
    """Apply ``policy``: the strictest of the grade's outcome and of every rule that fires wins."""
    grade = grade_of(policy, evidence.probability)
    fired = rules_fired(policy, evidence, asked)
    row = evidence.owing(policy)
    most = limit_under(policy, grade, row, fired)
    limit = most.amount
    asks_for = grade.outcome_for(guaranteed=asked.guaranteed)
    found: tuple[Offer, ...] = ()
    if strictest([asks_for, *(rule.outcome for rule in fired)]) != "decline":
        borrower = Borrower(row, grade.grade, evidence.probability, limit)
        found = offers(policy.market, policy.limit, borrower, asked) if policy.market else ()
        without = limit_under(policy, grade, evidence.row, fired).amount
        bound = _bound(most, without, fired, asked)
        fired += _too_small(policy, borrower, bound, found, asked)
        fired += _not_as_asked(found, asked)
    outcome = strictest([asks_for, *(rule.outcome for rule in fired)])
    ordered = tuple(sorted(fired, key=lambda rule: -STRICTNESS[rule.outcome]))
    return Verdict(outcome, grade.grade, 0 if outcome == "decline" else limit, ordered, found)


def rules_fired(
    policy: Policy, evidence: Evidence, asked: Asked, bounds: Bounds = _PLAUSIBLE
) -> list[Fired]:
    """The rules that fire whatever products there are; ``bounds`` are those of plausible values."""
    return [
        *_unseen(policy, evidence),
        *_implausible(evidence.row, bounds),
        *_broken(policy, evidence.row),
        *_not_automatic(policy, evidence, asked),
    ]


def part_reading(policy: Policy, names: frozenset[str]) -> tuple[Policy, Bounds]:
    """What of ``policy`` and of the bounds reads the request, or one of these features.

    For an applicant of whom nothing else changes, all other rules fire as they did.
    """

    def reads(conditions: Iterable[Condition]) -> bool:
        return any(condition.feature in names for condition in conditions)

    thin = policy.automatic.thin_file
    is_told = thin is not None and not names.isdisjoint(thin.features)
    part = msgspec.structs.replace(
        policy,
        sources=tuple(rule for rule in policy.sources if rule.without and reads(rule.without.when)),
        rules=tuple(rule for rule in policy.rules if reads(rule.when)),
        automatic=msgspec.structs.replace(policy.automatic, thin_file=thin if is_told else None),
    )
    return part, tuple(bound for bound in _PLAUSIBLE if bound[0] in names)


def limit_under(policy: Policy, grade: Grade, row: Row, fired: Sequence[Fired]) -> Most:
    """The most that would be lent to this grade under the caps of the rules that fired."""
    caps = [rule.cap for rule in fired if rule.cap is not None]
    return limit_of(policy.limit, row, grade, caps)


def failing_cases(policy: Policy) -> list[str]:
    """The worked cases of ``policy`` that it does not decide as they say, a sentence each."""
    return [sentence for _, sentence in failures(policy)]


def failures(policy: Policy) -> list[tuple[int, str]]:
    """Place and sentence of each worked case that does not hold."""
    found = []
    for at, case in enumerate(policy.cases):
        evidence = Evidence(
            case.features,
            case.probability_of_default,
            case.ages,
            case.doubt,
            case.changed_trials,
            case.approved_before,
        )
        given = _told(judge(policy, evidence, policy.asked(case)), case.expect)
        if given != case.expect:
            found.append((at, f"{case.name}: {_difference(case.expect, given)}"))
    return found


def grade_of(policy: Policy, probability: float) -> Grade:
    """The first grade whose bound is above ``probability``; the last one for 1."""
    return next((g for g in policy.grades if probability < g.pd_below), policy.grades[-1])


def _difference(expected: Expectation, given: Expectation) -> str:
    """What came out otherwise, field by field."""
    pairs = [(n, getattr(expected, n), getattr(given, n)) for n in expected.__struct_fields__]
    return "; ".join(f"{n} should be {a!r}, is {b!r}" for n, a, b in pairs if a != b)


def _told(verdict: Verdict, expected: Expectation) -> Expectation:
    """A verdict in the words of an expectation, which may leave the first offer open."""
    first = verdict.offers[0] if verdict.offers else None
    return Expectation(
        outcome=verdict.outcome,
        grade=verdict.grade,
        limit=verdict.limit,
        rules=tuple(fired.rule for fired in verdict.fired),
        product=first.product if first and expected.product is not None else None,
        rate_bp=first.rate_bp if first and expected.rate_bp is not None else None,
    )


def _unseen(policy: Policy, evidence: Evidence) -> list[Fired]:
    """A source that is absent or too old refers, whatever the score; or caps, if policy says so."""
    found = []
    for rule in policy.sources:
        age = evidence.ages.get(rule.table)
        department = TABLES[rule.table].department
        if age is None:
            cap = _cap_without(rule, evidence.row)
            outcome: Outcome = "refer" if cap is None else "approve"
            found.append(Fired(f"{rule.table}_missing", outcome, UNKNOWN, department, cap))
        elif rule.oldest_days is not None and age > rule.oldest_days:
            found.append(Fired(f"{rule.table}_stale", "refer", UNKNOWN, department))
    return found


def _cap_without(rule: SourceRule, row: Row) -> int | None:
    """What is lent without the source, yuan; None if nothing is without an officer."""
    without = rule.without
    return without.cap if without is not None and all_hold(without.when, row) else None


def _implausible(row: Row, bounds: Bounds) -> list[Fired]:
    """A value outside the bounds its feature declares refers: somewhere the data are wrong."""
    found = []
    for name, low, high, department in bounds:
        value = row.get(name)
        if value is not None and isinstance(value, _NUMBERS) and not low <= value <= high:
            found.append(Fired(f"{name}_implausible", "refer", IMPLAUSIBLE, department))
    return found


def _broken(policy: Policy, row: Row) -> list[Fired]:
    return [
        Fired(rule.id, rule.outcome, rule.reason, cap=rule.cap)
        for rule in policy.rules
        if all_hold(rule.when, row)
    ]


def _not_automatic(policy: Policy, evidence: Evidence, asked: Asked) -> list[Fired]:
    """What takes an officer because of its size, its uncertainty, its trials or its thin file."""
    bounds = policy.automatic
    approved = grade_of(policy, evidence.probability).outcome == "approve" and not asked.guaranteed
    near = evidence.probability if approved else None
    found = [
        *_above(bounds.amount, asked.amount, "automatic_amount"),
        *_above(bounds.probability, near, "near_cut_off"),
        *_above(bounds.doubt, evidence.doubt, "automatic_doubt"),
        *_above(bounds.trials, evidence.changed_trials, "automatic_trials"),
    ]
    thin = bounds.thin_file
    if thin and sum(evidence.row.get(name) is not None for name in thin.features) < thin.fewest:
        found.append(Fired("thin_file", "refer", thin.reason))
    return found


def _above(ceiling: Ceiling | None, value: float | None, rule: str) -> list[Fired]:
    if ceiling is None or value is None or value <= ceiling.most:
        return []
    return [Fired(rule, "refer", ceiling.reason)]


def _bound(
    most: Most, without: int, fired: Sequence[Fired], asked: Asked
) -> tuple[str, str, str | None]:
    """Rule, reason and its department, why the limit is no higher.

    ``without`` is the limit had nothing been approved lately.
    """
    if without >= asked.amount:
        return "approved_before", "C04", None
    bound = most.bound_below(asked.amount)
    if bound != "rule":
        return "limit_below_amount", _BOUND_BY[bound], None
    lowest = min((rule for rule in fired if rule.cap is not None), key=lambda rule: rule.cap or 0)
    return "limit_below_amount", lowest.reason, lowest.department


def _too_small(
    policy: Policy,
    borrower: Borrower,
    bound: tuple[str, str, str | None],
    found: Sequence[Offer],
    asked: Asked,
) -> list[Fired]:
    """Less can be lent than is asked for: a counter-offer, or a talk.

    Sales are unknown, the limit is too low, or no product lends as much as the limit would, be it
    for what the applicant can pay or for the product's own bounds.
    """
    if yearly_sales(policy.limit, borrower.row) is None:
        return [Fired("sales_unknown", "refer", UNKNOWN, "tax")]
    wanted = min(borrower.limit, asked.amount)
    lent = max((offer.amount for offer in found), default=0) if policy.market else wanted
    if lent >= asked.amount:
        return []
    outcome: Outcome = "approve" if lent >= policy.limit.least_share * asked.amount else "refer"
    fired = []
    if borrower.limit < asked.amount:
        rule, reason, department = bound
        fired.append(Fired(rule, outcome, reason, department))
    if lent < wanted:
        fired.append(_no_product(policy, borrower, lent, outcome, asked))
    return fired


def _no_product(
    policy: Policy, borrower: Borrower, lent: int, outcome: Outcome, asked: Asked
) -> Fired:
    """Whether more than ``lent`` would be lent if the yearly profit did not have to cover it."""
    carried = msgspec.structs.replace(policy.limit, capacity=None)
    if policy.market and any(
        offer.amount > lent for offer in offers(policy.market, carried, borrower, asked)
    ):
        return Fired("amount_beyond_capacity", outcome, "R36")
    return Fired("no_product_for_amount", outcome, "C03")


def _not_as_asked(found: Sequence[Offer], asked: Asked) -> list[Fired]:
    """No offer is repaid, or runs, as was asked for: what is offered differs, and is told so."""
    fired = []
    if found and all(offer.repayment != asked.repayment for offer in found):
        fired.append(Fired("repayment_beyond_capacity", "approve", "R36"))
    if found and all(offer.term_months != asked.term_months for offer in found):
        fired.append(Fired("no_product_for_term", "approve", "C03"))
    return fired
