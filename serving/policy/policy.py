"""A policy: dated rules of a bank as data, each with its reason and source.

Every part refuses fields it does not know: a misspelt rule must not be silently off.
"""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from serving.policy.asked import Asked
from serving.policy.bilingual import Text
from serving.policy.condition import Condition
from serving.policy.instalments import Repayment
from serving.policy.limit import Limit
from serving.policy.offers import Market
from serving.policy.support import Name, Yuan

Outcome = Literal["approve", "refer", "decline"]
Probability = Annotated[float, Meta(ge=0, le=1)]
STRICTNESS: dict[Outcome, int] = {"approve": 0, "refer": 1, "decline": 2}


def strictest(outcomes: Sequence[Outcome]) -> Outcome:
    """The strictest of several outcomes; approve if there are none."""
    return max(outcomes, key=STRICTNESS.__getitem__, default="approve")


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """If all conditions hold, the decision is at least as strict as ``outcome``.

    A rule that approves only caps what may be lent without an officer, at ``cap`` yuan.
    """

    id: Name
    when: tuple[Condition, ...]
    outcome: Outcome
    cap: Yuan | None = None
    reason: str
    why: str
    source: str


class Without(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is lent without any record of a source: at most ``cap``, if all conditions hold."""

    cap: Yuan
    when: tuple[Condition, ...]
    why: str


class SourceRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table without which, or without whose fresh rows, no decision is automatic.

    ``without`` softens the first half for businesses that never had a record of it (no meter of
    their own); a source that has gone silent always refers.
    """

    table: str
    oldest_days: int | None = None
    without: Without | None = None
    why: str
    source: str


class Grade(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Probabilities of default below ``pd_below`` (and not of a better grade), and their terms.

    ``floor`` yuan are lent however little is declared, as small operators declare less than they
    sell. ``guaranteed`` is the outcome if a guarantee fund stands behind the loan.
    """

    grade: str
    pd_below: Probability
    outcome: Outcome
    guaranteed: Outcome | None = None
    cap: Yuan
    floor: Yuan = 0
    sales_multiple: Probability

    def outcome_for(self, *, guaranteed: bool) -> Outcome:
        """What the grade asks for."""
        return self.guaranteed if guaranteed and self.guaranteed else self.outcome


class Ceiling(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Above ``most`` an officer decides."""

    most: Annotated[float, Meta(ge=0)]
    reason: str
    why: str
    source: str


class ThinFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """With fewer than ``fewest`` of these features known, an officer decides."""

    features: tuple[str, ...]
    fewest: Annotated[int, Meta(ge=1)]
    reason: str
    why: str
    source: str


class Automatic(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The limits of automatic approval; each refers on its own.

    ``amount`` is in yuan; ``probability`` that of default, of loans that would be approved
    without a guarantee; ``doubt`` the standard error of the log-odds, where the scorer tells one;
    ``trials`` how often the application was changed and tried again.
    """

    amount: Ceiling | None = None
    probability: Ceiling | None = None
    doubt: Ceiling | None = None
    trials: Ceiling | None = None
    thin_file: ThinFile | None = None


class Move(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an action does to a feature that is known: it stands at ``to``, or grows by ``plus``.

    ``plus`` names a feature as it was before: returns that are filed too late were missing before.
    """

    feature: str
    to: float | None = None
    plus: str | None = None


class Action(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Something the applicant can do, and all that it moves, for the worse too."""

    id: Name
    moves: tuple[Move, ...]
    advice: Text
    source: str


class Expectation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a worked case must give; ``product`` and ``rate_bp`` are of the first offer."""

    outcome: Outcome
    grade: str
    limit: Yuan
    rules: tuple[str, ...] = ()
    product: str | None = None
    rate_bp: int | None = None


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A worked case: an applicant, and what the policy says of it. ``ages``: days, by table."""

    name: str
    why: str
    probability_of_default: Probability
    doubt: Annotated[float, Meta(ge=0)] | None = None
    changed_trials: int = 0
    approved_before: Yuan = 0
    amount: Yuan
    term_months: int = 12
    repayment: Repayment = "bullet"
    guaranteed: bool = False
    on: date | None = None
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
    automatic: Automatic = Automatic()
    rules: tuple[Rule, ...]
    actions: tuple[Action, ...] = ()
    market: Market | None = None
    cases: tuple[Case, ...]

    @property
    def cut_off(self) -> float:
        """The probability of default from which nothing is approved."""
        return max((g.pd_below for g in self.grades if g.outcome == "approve"), default=0.0)

    def asked(self, case: Case) -> Asked:
        """What a worked case asks for."""
        on = case.on or self.valid_from
        return Asked(case.amount, on, case.term_months, case.repayment, case.guaranteed)
