"""A way to yes: what an applicant who is not approved could ask for, or do, to be approved.

Every proposal is scored and judged by the whole policy before it is made, as the changed trial it
would be. Only the request and the actions that the policy lists may move; all else is frozen.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import NamedTuple

import msgspec

from features.catalog import CATALOG
from serving.decision.scoring import Scored
from serving.decision.verdict import (
    Evidence,
    Fired,
    Verdict,
    grade_of,
    judge,
    limit_under,
    part_reading,
    rules_fired,
)
from serving.decision.what_if import (
    Variant,
    is_computable,
    moved_by,
    moved_with,
    moves_if,
    values_after,
)
from serving.policy.asked import Asked
from serving.policy.bilingual import Text
from serving.policy.instalments import Repayment
from serving.policy.limit import in_steps
from serving.policy.offers import Money, Offer
from serving.policy.policy import Action, Grade, Policy
from serving.policy.values import Row, number

LADDER = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05)  # of the amount asked for
_BY_REQUEST = frozenset(
    {
        "limit_below_amount",
        "approved_before",
        "amount_beyond_capacity",
        "no_product_for_amount",
        "automatic_amount",
        "near_cut_off",
    }
)
_RISK = {feature.name: feature.risk for feature in CATALOG}


class Scores(NamedTuple):
    """How an applicant is scored: the probability after each of some moves, and a row in full."""

    chances: Callable[[Sequence[Row]], Sequence[float]]
    score: Callable[[Row], Scored]


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """A request that would be approved just as it is, the steps to it, and its best offer.

    ``actions`` name the policy's actions that have to be done first; what they move, and nothing
    else beside the request, was taken as moved.
    """

    steps: tuple[Text, ...]
    actions: tuple[str, ...]
    amount: int
    term_months: int
    repayment: Repayment
    guaranteed: bool
    product: str
    rate_bp: int
    instalment: Money


class _Actions(NamedTuple):
    """Actions that come before a request, and where the features that they move stand then."""

    done: tuple[Action, ...] = ()
    moved: tuple[tuple[str, float], ...] = ()


class _Proposal(NamedTuple):
    """A request and the actions before it."""

    asked: Asked
    actions: _Actions = _Actions()

    @property
    def variant(self) -> Variant:
        """What it changes in the applicant's features."""
        asked = self.asked
        return Variant(asked.amount, asked.term_months, asked.repayment, self.actions.moved)


def ways_to_yes(
    policy: Policy, evidence: Evidence, purpose: str, asked: Asked, verdict: Verdict, scores: Scores
) -> tuple[Way, ...]:
    """At most one proposal of each kind: ask for less, otherwise, with a guarantee, or act first.

    Kinds combine only where they have to: guarantee and actions with less, and all of them if
    nothing else leads to yes.

    Args:
        policy: whose actions, products and funds may be proposed.
        evidence: what is known of the applicant.
        purpose: of the loan.
        asked: the request that was not approved.
        verdict: what was said of it.
        scores: scores the applicant as a proposal would have it.

    Returns:
        What would be lent just as proposed; nothing if a rule stands in the way for good.
    """
    row = evidence.row
    if not is_computable(row) or not all(_is_mendable(policy, rule) for rule in verdict.fired):
        return ()
    reach = _reach(policy, evidence)
    kinds = [
        [proposal for proposal in kind if proposal.asked.amount <= reach]
        for kind in _proposals(policy, row, asked, verdict.limit)
    ]
    trials = _Trials(policy, evidence, purpose, asked, scores, chain.from_iterable(kinds))
    *ordinary, last_resort = kinds
    ways = [way for kind in ordinary if (way := _first_granted(trials, kind, asked))]
    if not ways and (way := _first_granted(trials, last_resort, asked)):
        ways = [way]
    return tuple(ways)


class _Trials:
    """Judges proposals, each by the features it would have.

    Only what a proposal moves is computed, scored and held against rules anew; who then still looks
    like an approval is scored and judged as a whole.
    """

    def __init__(
        self,
        policy: Policy,
        evidence: Evidence,
        purpose: str,
        asked: Asked,
        scores: Scores,
        proposals: Iterable[_Proposal],
    ) -> None:
        variants = list(dict.fromkeys(proposal.variant for proposal in proposals))
        moves = moves_if(evidence.row, purpose, variants)
        self._moves = dict(zip(variants, moves, strict=True))
        self._chances = dict(zip(variants, scores.chances(moves), strict=True))
        self._scores = scores
        self._policy = policy
        self._evidence = evidence
        self._part, self._bounds = part_reading(policy, moved_by(variants))
        fired = rules_fired(policy, evidence, asked)
        moving = rules_fired(self._part, evidence, asked, self._bounds)
        self._frozen = [rule for rule in fired if rule not in moving]

    def granted(self, proposal: _Proposal) -> Offer | None:
        """The best offer that is just what is proposed, if the proposal is approved."""
        variant = proposal.variant
        chance, asked = self._chances[variant], proposal.asked
        grade = grade_of(self._policy, chance)
        if grade.outcome_for(guaranteed=asked.guaranteed) != "approve":
            return None
        row = {**self._evidence.row, **self._moves[variant]}
        if not self._is_promising(row, chance, grade, asked):
            return None
        scored, trials = self._scores.score(row), self._evidence.changed_trials + 1
        evidence = msgspec.structs.replace(
            self._evidence,
            row=row,
            probability=scored.probability,
            doubt=scored.doubt,
            changed_trials=trials,
        )
        verdict = judge(self._policy, evidence, asked)
        if verdict.outcome != "approve":
            return None
        return next((offer for offer in verdict.offers if _is_as_asked(offer, asked)), None)

    def _is_promising(self, row: Row, chance: float, grade: Grade, asked: Asked) -> bool:
        """Whether neither rule nor limit stand against it.

        The policy's own words, said early: doubt and offers only ever make an outcome stricter.
        """
        evidence = msgspec.structs.replace(
            self._evidence,
            row=row,
            probability=chance,
            doubt=None,
            changed_trials=self._evidence.changed_trials + 1,
        )
        fired = [*self._frozen, *rules_fired(self._part, evidence, asked, self._bounds)]
        if any(rule.outcome != "approve" for rule in fired):
            return False
        owing = evidence.owing(self._policy)
        return limit_under(self._policy, grade, owing, fired).amount >= asked.amount


def _is_mendable(policy: Policy, fired: Fired) -> bool:
    """Whether another request, or an action, could keep the rule from firing."""
    if fired.outcome == "approve" or fired.rule in _BY_REQUEST:
        return True
    rule = next((rule for rule in policy.rules if rule.id == fired.rule), None)
    movable = _movable(policy)
    return rule is not None and any(condition.feature in movable for condition in rule.when)


def _movable(policy: Policy) -> frozenset[str]:
    """The features that a request or an action could move."""
    return moved_with(move.feature for action in policy.actions for move in action.moves)


def _reach(policy: Policy, evidence: Evidence) -> float:
    """The most that any grade would be lent, yuan; no bound where a proposal could move it."""
    if policy.limit.reads & _movable(policy):
        return math.inf
    owing = evidence.owing(policy)
    return max(limit_under(policy, grade, owing, ()).amount for grade in policy.grades)


def _proposals(policy: Policy, row: Row, asked: Asked, limit: int) -> list[list[_Proposal]]:
    """Proposals by kind, in each kind the nearest to what was asked first."""
    less = [asked._replace(amount=amount) for amount in _smaller(policy, asked.amount, limit)]
    can_be_guaranteed = bool(policy.market and policy.market.funds) and not asked.guaranteed
    guaranteed = [a._replace(guaranteed=True) for a in (asked, *less)] if can_be_guaranteed else []
    helping = tuple(action for action in policy.actions if would_help(action, row))
    actions = _Actions(helping, values_after(helping, row))
    singly = [_Actions((action,), values_after((action,), row)) for action in helping]
    alone = [_Proposal(asked, action) for action in singly] if len(helping) > 1 else []
    together = [_Proposal(each, actions) for each in (asked, *less)] if helping else []
    return [
        [_Proposal(each) for each in less],
        [_Proposal(each) for each in _otherwise(policy, asked, less)],
        [_Proposal(each) for each in guaranteed],
        [*alone, *together],
        [_Proposal(each, actions) for each in guaranteed] if helping else [],
    ]


def _smaller(policy: Policy, amount: int, limit: int) -> list[int]:
    """Amounts below ``amount`` in whole steps, largest first: the limit, and ladders below it.

    A declined application has no limit yet; nothing above the limit would be lent in full.
    """
    most = min(amount - 1, limit or amount)
    steps = {limit, *(in_steps(policy.limit, share * amount) for share in LADDER)}
    if policy.automatic.amount is not None:
        steps.add(in_steps(policy.limit, policy.automatic.amount.most))
    return sorted((a for a in steps if policy.limit.smallest <= a <= most), reverse=True)


def _otherwise(policy: Policy, asked: Asked, less: Sequence[Asked]) -> list[Asked]:
    """The same amount for another term, longer first, or repaid in the other way; then less so."""
    longest = {product.longest for product in policy.market.products} if policy.market else set()
    terms = sorted(longest - {asked.term_months}, key=lambda m: (m < asked.term_months, m))
    other: Repayment = "instalment" if asked.repayment == "bullet" else "bullet"
    repaid_otherwise = [each._replace(repayment=other) for each in (asked, *less)]
    return [*(asked._replace(term_months=months) for months in terms), *repaid_otherwise]


def would_help(action: Action, row: Row) -> bool:
    """Whether a feature is known and stands on the risky side of where the action puts it."""
    return any(
        move.to is not None
        and (value := number(row, move.feature)) is not None
        and (value > move.to if _RISK[move.feature] == "rises" else value < move.to)
        for move in action.moves
    )


def _first_granted(trials: _Trials, kind: Sequence[_Proposal], asked: Asked) -> Way | None:
    for proposal in kind:
        if offer := trials.granted(proposal):
            return _way(proposal, asked, offer)
    return None


def _is_as_asked(offer: Offer, asked: Asked) -> bool:
    wanted = (asked.amount, asked.term_months, asked.repayment)
    return (offer.amount, offer.term_months, offer.repayment) == wanted


def _way(proposal: _Proposal, asked: Asked, offer: Offer) -> Way:
    to = proposal.asked
    return Way(
        steps=(*(action.advice for action in proposal.actions.done), *_changes(asked, to)),
        actions=tuple(action.id for action in proposal.actions.done),
        amount=to.amount,
        term_months=to.term_months,
        repayment=to.repayment,
        guaranteed=to.guaranteed,
        product=offer.product,
        rate_bp=offer.rate_bp,
        instalment=offer.instalment,
    )


def _changes(asked: Asked, to: Asked) -> list[Text]:
    """What to ask for instead, a sentence for each change."""
    texts = {
        "amount": Text(f"将申请金额调整为{to.amount}元", f"Ask for {to.amount:,} yuan"),
        "term_months": Text(
            f"将期限调整为{to.term_months}个月", f"Ask for a term of {to.term_months} months"
        ),
        "repayment": _REPAYMENTS[to.repayment],
        "guaranteed": Text("申请政府性融资担保", "Ask with a guarantee of the public fund"),
    }
    return [text for name, text in texts.items() if getattr(asked, name) != getattr(to, name)]


_REPAYMENTS: dict[Repayment, Text] = {
    "bullet": Text("改为按月付息、到期还本", "Pay interest monthly and the principal at maturity"),
    "instalment": Text("改为等额本息还款", "Repay in equal instalments"),
}
