"""A policy: dated rules of a bank as data, validated on load with the line of the mistake.

Every part refuses fields it does not know: a misspelt rule must not be silently off.
"""

import hashlib
import math
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from features.catalog import CATALOG
from features.errors import MicroloanError, UnknownName
from features.reasons import REASONS
from features.tables import TABLES
from serving.located_yaml import LocatedYaml, YamlMistake

Outcome = Literal["approve", "refer", "decline"]
Operator = Literal["<", "<=", ">", ">=", "==", "!=", "in", "not in"]
Value = float | str | tuple[str, ...] | None
Probability = Annotated[float, Meta(ge=0, le=1)]
Yuan = Annotated[int, Meta(ge=0)]
Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]*$")]


class BadPolicy(MicroloanError):
    """A policy file that is not valid; the message names the file and the line."""


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A comparison of one feature; false while the feature is unknown."""

    feature: str
    op: Operator
    value: Value


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """If all conditions hold, the decision is at least as strict as ``outcome``."""

    id: Name
    when: tuple[Condition, ...]
    outcome: Literal["refer", "decline"]
    reason: str
    why: str
    source: str


class SourceRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table without which, or without whose fresh rows, no decision is automatic."""

    table: str
    oldest_days: int | None = None
    why: str
    source: str


class Grade(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Probabilities of default below ``pd_below`` (and not of a better grade), and their terms."""

    grade: str
    pd_below: Probability
    outcome: Outcome
    cap: Yuan
    sales_multiple: Annotated[float, Meta(ge=0, le=1)]


class Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Limit = min(cap, the grade's cap, its multiple of yearly sales) less what is owed, in steps.

    ``sales`` names features of monthly sales in yuan; the first known one counts. A limit below
    ``least_share`` of the amount asked for is no counter-offer: an officer talks to the applicant.
    """

    smallest: Yuan
    cap: Yuan
    step: Annotated[int, Meta(gt=0)]
    sales: tuple[str, ...]
    owed: str
    least_share: Annotated[float, Meta(ge=0, le=1)]
    source: str


class Expectation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a worked case must give."""

    outcome: Outcome
    grade: str
    limit: Yuan
    rules: tuple[str, ...] = ()


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A worked case: an applicant, and what the policy says of it. ``ages``: days, by table."""

    name: str
    why: str
    probability_of_default: Probability
    amount: Yuan
    ages: dict[str, int | None]
    features: dict[str, float | str | None]
    expect: Expectation


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything of a decision that is not the model. ``version`` names it in every answer."""

    version: str
    valid_from: date
    sources: tuple[SourceRule, ...]
    grades: tuple[Grade, ...]
    limit: Limit
    rules: tuple[Rule, ...]
    cases: tuple[Case, ...]

    @property
    def cut_off(self) -> float:
        """The probability of default from which nothing is approved."""
        return max((g.pd_below for g in self.grades if g.outcome == "approve"), default=0.0)


def load(path: Path) -> Policy:
    """Read a policy file. Raises ``BadPolicy``."""
    try:
        return parse(path.read_bytes(), path.name)
    except FileNotFoundError:
        hint = "Hint: policies/ holds the dated ones."
        raise BadPolicy(f"There is no policy {path}. {hint}") from None


def parse(content: bytes, name: str = "policy.yaml") -> Policy:
    """The policy in ``content``. Raises ``BadPolicy`` with the line of the mistake."""
    try:
        located = LocatedYaml.read(content)
    except YamlMistake as error:
        raise BadPolicy(_at(name, error.line, str(error))) from None
    try:
        policy = msgspec.convert(located.value, Policy)
    except msgspec.ValidationError as error:
        mistake, _, path = str(error).partition(" - at ")
        raise BadPolicy(_at(name, located.line(path.strip("`") or "$"), mistake)) from None
    for path, mistake in _mistakes(policy):
        raise BadPolicy(_at(name, located.line(path), mistake))
    return policy


def digest(content: bytes) -> str:
    """SHA-256 of a policy file."""
    return hashlib.sha256(content).hexdigest()


def _at(name: str, line: int, mistake: str) -> str:
    return f"{name}, line {line}: {mistake.rstrip('.?')}."


def _mistakes(policy: Policy) -> Iterator[tuple[str, str]]:
    """What the types cannot say: names that do not exist, grades out of order, no cases."""
    yield from _unknown_names(policy)
    bounds = [grade.pd_below for grade in policy.grades]
    if not bounds or bounds[-1] != 1 or any(a >= b for a, b in pairwise(bounds)):
        yield "$.grades", "pd_below must rise from grade to grade and end at 1"
    order = [STRICTNESS[grade.outcome] for grade in policy.grades]
    if order != sorted(order):
        yield "$.grades", "outcomes must not become milder as the probability of default rises"
    for at, rule in enumerate(policy.rules):
        for number, condition in enumerate(rule.when):
            if not _comparable(condition):
                yield f"$.rules[{at}].when[{number}]", f"{condition.op} cannot take such a value"
    if not policy.cases:
        yield "$.cases", "a policy carries at least one worked case"


def _unknown_names(policy: Policy) -> Iterator[tuple[str, str]]:
    features = [feature.name for feature in CATALOG]
    named = [("$.limit.owed", "feature", policy.limit.owed, features)]
    named += [
        (f"$.limit.sales[{at}]", "feature", name, features)
        for at, name in enumerate(policy.limit.sales)
    ]
    named += [
        (f"$.sources[{at}].table", "table", rule.table, list(TABLES))
        for at, rule in enumerate(policy.sources)
    ]
    for at, rule in enumerate(policy.rules):
        named.append((f"$.rules[{at}].reason", "reason", rule.reason, list(REASONS)))
        named += [
            (f"$.rules[{at}].when[{number}].feature", "feature", condition.feature, features)
            for number, condition in enumerate(rule.when)
        ]
    for at, case in enumerate(policy.cases):
        named += [(f"$.cases[{at}].features.{n}", "feature", n, features) for n in case.features]
    for path, kind, name, known in named:
        if name not in known:
            yield path, str(UnknownName(kind, name, known))


def _comparable(condition: Condition) -> bool:
    """Whether the operator can compare with such a value."""
    if condition.op in ("in", "not in"):
        return isinstance(condition.value, tuple)
    if condition.op in ("==", "!="):
        return isinstance(condition.value, float | str)
    return isinstance(condition.value, float) and math.isfinite(condition.value)


STRICTNESS: dict[Outcome, int] = {"approve": 0, "refer": 1, "decline": 2}


def strictest(outcomes: Sequence[Outcome]) -> Outcome:
    """The strictest of several outcomes; approve if there are none."""
    return max(outcomes, key=STRICTNESS.__getitem__, default="approve")
