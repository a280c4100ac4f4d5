"""The decision: pure, the same for a request, a batch, a back-test and a replay."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache, partial
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from numpy.typing import NDArray

from features.build import BUSINESS_ZONE
from features.definition import Feature
from models.gate_record import Override
from serving.decision.adverse import AdverseReason, Spoken, Status, adverse_reasons, statuses
from serving.decision.scoring import RowDoubt, RowScorer, probabilities_if, score_row
from serving.decision.sources import Dates, ages_on
from serving.decision.verdict import Evidence, Fired, judge
from serving.decision.way_to_yes import Scores, Way, ways_to_yes
from serving.policy.asked import Asked
from serving.policy.instalments import Repayment
from serving.policy.offers import Offer
from serving.policy.policy import Outcome, Policy
from serving.policy.values import Row

_ZONE = ZoneInfo(BUSINESS_ZONE)


def business_day(at: datetime) -> date:
    """The day of a moment in the business's time zone."""
    return at.astimezone(_ZONE).date()


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for. ``amount`` is in yuan; ``applied_at`` is in UTC."""

    application_id: str
    business_id: str
    revision: int
    amount: int
    term_months: int
    purpose: str
    repayment: Repayment
    applied_at: datetime
    guaranteed: bool = False

    @property
    def applied_on(self) -> date:
        """The day in the business's time zone."""
        return business_day(self.applied_at)

    @property
    def asked(self) -> Asked:
        """The request as policy sees it."""
        return Asked(
            self.amount, self.applied_on, self.term_months, self.repayment, self.guaranteed
        )


class Model(msgspec.Struct, frozen=True):
    """Which model spoke: its registered name and version, its features' and its bundle's hash.

    ``override`` says who lets it serve against the gate, and why.
    """

    name: str
    version: str
    fingerprint: str
    bundle: str
    override: Override | None = None


class PolicyVersion(msgspec.Struct, frozen=True):
    """Which policy decided: its version and the SHA-256 of its file."""

    version: str
    sha256: str


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """A decision in full precision. ``limit`` is in yuan, ``score`` in points."""

    decision_id: str
    application_id: str
    revision: int
    outcome: Outcome
    probability_of_default: float
    score: float
    grade: str
    limit: int
    reasons: tuple[AdverseReason, ...]
    rules: tuple[Fired, ...]
    model: Model
    policy: PolicyVersion
    decided_at: datetime
    features_as_of: dict[str, date | None]
    doubt: float | None = None  # standard error of the log-odds
    offers: tuple[Offer, ...] = ()
    ways_to_yes: tuple[Way, ...] = ()
    statuses: tuple[Status, ...] = ()


def decide(
    application: Application,
    row: Row,
    scorer: RowScorer,
    policy: Policy,
    *,
    features: Sequence[Feature],
    neutral: Mapping[str, float],
    sources: Dates,
    model: Model,
    policy_version: PolicyVersion,
    decided_at: datetime,
    decision_id: str,
    doubt: RowDoubt | None = None,
    changed_trials: int = 0,
    approved_before: int = 0,
    propose: bool = True,
) -> Decision:
    """Score an application and decide it under the policy; nothing else is looked at.

    Args:
        application: what is asked for.
        row: feature values by name; None is unknown.
        scorer: the fitted scorer.
        policy: grades, limit and rules.
        features: the scorer's features, for reasons and departments.
        neutral: contribution of each feature for an applicant approved at the cut-off; harm is
            counted against it.
        sources: newest day known of each table, up to the application's day.
        model: named in the answer.
        policy_version: named in the answer.
        decided_at: moment of the decision, UTC.
        decision_id: name of the decision.
        doubt: tells how unsure the scorer is of a row.
        changed_trials: how often the application was changed and tried again before.
        approved_before: yuan approved lately that the loan book may not know of.
        propose: look for ways to yes, which takes most of the time of whoever is not approved.
    """
    scored, asked = score_row(scorer, doubt, row), application.asked
    ages = ages_on(application.applied_on, sources)
    evidence = Evidence(
        row, scored.probability, ages, scored.doubt, changed_trials, approved_before
    )
    verdict = judge(policy, evidence, asked)
    spoken: list[Spoken] = []  # an approval tells only why less is lent than was asked for
    ways: tuple[Way, ...] = ()
    if verdict.outcome != "approve":
        spoken = _spoken(features, scorer.names_, scored.contributions, neutral)
    if verdict.outcome != "approve" and propose:
        scores = Scores(partial(probabilities_if, scorer, row), partial(score_row, scorer, doubt))
        ways = ways_to_yes(policy, evidence, application.purpose, asked, verdict, scores)
    return Decision(
        decision_id=decision_id,
        application_id=application.application_id,
        revision=application.revision,
        outcome=verdict.outcome,
        probability_of_default=scored.probability,
        score=float(scorer.points.score(scored.log_odds)),
        grade=verdict.grade,
        limit=verdict.limit,
        reasons=adverse_reasons(verdict.outcome, verdict.fired, spoken, row),
        rules=verdict.fired,
        model=model,
        policy=policy_version,
        decided_at=decided_at,
        features_as_of=dict(sources),
        doubt=scored.doubt,
        offers=verdict.offers,
        ways_to_yes=ways,
        statuses=statuses(verdict.fired),
    )


def _spoken(
    features: Sequence[Feature],
    names: Sequence[str],
    contributions: NDArray[Any],
    neutral: Mapping[str, float],
) -> list[Spoken]:
    """What each feature adds beyond the neutral applicant, of those that add anything."""
    declared = _declared(tuple(features))
    return [
        Spoken(declared[name], harm)
        for name, added in zip(names, contributions.tolist(), strict=True)
        if (harm := added - neutral[name])
    ]


@lru_cache(maxsize=4)
def _declared(features: tuple[Feature, ...]) -> dict[str, Feature]:
    """The features by name; a bundle's never change."""
    return {feature.name: feature for feature in features}
