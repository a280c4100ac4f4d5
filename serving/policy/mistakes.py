"""What is wrong with a policy beyond its types: unknown names, and risk that would be rewarded."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

import msgspec

from features.catalog import CATALOG
from features.errors import UnknownName
from features.reasons import REASONS
from features.tables import TABLES
from serving.policy.condition import Condition
from serving.policy.limit import Limit
from serving.policy.policy import STRICTNESS, Action, Case, Grade, Policy


def mistakes(policy: Policy) -> Iterator[tuple[str, str]]:
    """What the types cannot say: path and sentence of each mistake."""
    yield from _unknown_names(policy)
    yield from _wrong_grades(policy.grades)
    yield from _wrong_conditions(policy)
    yield from _wrong_rules(policy)
    yield from _wrong_actions(policy.actions)
    yield from _wrong_market(policy)
    formula = policy.limit.working_capital
    if formula is not None and "" not in formula.turns:
        yield "$.limit.working_capital.turns", 'turns needs "" for every other industry'
    if not policy.cases:
        yield "$.cases", "a policy carries at least one worked case"


def _unknown_names(policy: Policy) -> Iterator[tuple[str, str]]:
    features = [feature.name for feature in CATALOG]
    known = {"feature": features, "table": list(TABLES), "reason": list(REASONS)}
    for kind, path, name in _named(policy, "$"):
        if name not in known[kind]:
            yield path, str(UnknownName(kind, name, known[kind]))


def _named(part: object, path: str) -> Iterator[tuple[str, str, str]]:
    """Every name of a feature, table or reason in ``part``: kind, path, name."""
    if isinstance(part, tuple):
        for at, item in enumerate(part):
            yield from _named(item, f"{path}[{at}]")
    elif isinstance(part, Limit):
        yield "feature", f"{path}.owed", part.owed
        yield from (("feature", f"{path}.sales[{at}]", n) for at, n in enumerate(part.sales))
        if part.working_capital is not None:
            yield "feature", f"{path}.working_capital.growth", part.working_capital.growth
            yield "feature", f"{path}.working_capital.industry", part.working_capital.industry
    elif isinstance(part, Case):
        yield from (("feature", f"{path}.features.{name}", name) for name in part.features)
        yield from (("table", f"{path}.ages.{name}", name) for name in part.ages)
    elif isinstance(part, msgspec.Struct):
        for field in part.__struct_fields__:
            yield from _named_in(field, getattr(part, field), f"{path}.{field}")


def _named_in(field: str, value: object, path: str) -> Iterator[tuple[str, str, str]]:
    if field in ("feature", "table", "reason") and isinstance(value, str):
        yield field, path, value
    elif field == "features" and isinstance(value, tuple):
        yield from (("feature", f"{path}[{at}]", name) for at, name in enumerate(value))
    else:
        yield from _named(value, path)


def _wrong_grades(grades: Sequence[Grade]) -> Iterator[tuple[str, str]]:
    """Risk must never be rewarded: bounds rise, outcomes do not soften, nothing lent grows."""
    bounds = [grade.pd_below for grade in grades]
    if not bounds or bounds[-1] != 1 or any(a >= b for a, b in pairwise(bounds)):
        yield "$.grades", "pd_below must rise from grade to grade and end at 1"
    for guaranteed in (False, True):
        order = [STRICTNESS[grade.outcome_for(guaranteed=guaranteed)] for grade in grades]
        if order != sorted(order):
            yield "$.grades", "outcomes must not become milder as the probability of default rises"
    for at, (better, worse) in enumerate(pairwise(grades), start=1):
        lent = [(grade.cap, grade.floor, grade.sales_multiple) for grade in (better, worse)]
        if any(more > less for less, more in zip(*lent, strict=True)):
            yield f"$.grades[{at}]", f"grade {worse.grade} must not lend more than {better.grade}"


def _wrong_conditions(policy: Policy) -> Iterator[tuple[str, str]]:
    for path, condition in _conditions(policy, "$"):
        if not condition.is_comparable:
            yield path, f"{condition.op} cannot take such a value"


def _conditions(part: object, path: str) -> Iterator[tuple[str, Condition]]:
    if isinstance(part, Condition):
        yield path, part
    elif isinstance(part, tuple):
        for at, item in enumerate(part):
            yield from _conditions(item, f"{path}[{at}]")
    elif isinstance(part, msgspec.Struct) and not isinstance(part, Case):
        for field in part.__struct_fields__:
            yield from _conditions(getattr(part, field), f"{path}.{field}")


def _wrong_rules(policy: Policy) -> Iterator[tuple[str, str]]:
    yield from _repeated("$.rules", [rule.id for rule in policy.rules])
    for at, rule in enumerate(policy.rules):
        if (rule.outcome == "approve") != (rule.cap is not None):
            yield f"$.rules[{at}]", "a rule has a cap if, and only if, its outcome is approve"


def _wrong_actions(actions: Sequence[Action]) -> Iterator[tuple[str, str]]:
    """Only what an applicant can change may be advised, and only towards less risk."""
    declared = {feature.name: feature for feature in CATALOG}
    for at, action in enumerate(actions):
        feature = declared.get(action.feature)
        if feature is None:
            continue  # told as an unknown name
        if not REASONS[feature.reason].actionable:
            yield f"$.actions[{at}].feature", f"nobody can act on {action.feature}: it is frozen"
        if feature.risk is None:
            yield f"$.actions[{at}].feature", f"{action.feature} declares no direction of risk"
        if feature.plausible and not feature.plausible[0] <= action.to <= feature.plausible[1]:
            yield f"$.actions[{at}].to", f"{action.feature} cannot be {action.to}"


def _wrong_market(policy: Policy) -> Iterator[tuple[str, str]]:
    market = policy.market
    if market is None:
        return
    yield from _repeated("$.market.products", [product.id for product in market.products])
    funds = [fund.id for fund in market.funds]
    order = [grade.grade for grade in policy.grades]
    for at, product in enumerate(market.products):
        path = f"$.market.products[{at}]"
        if product.guarantee is not None and product.guarantee not in funds:
            yield f"{path}.guarantee", str(UnknownName("fund", product.guarantee, funds))
        if not (product.smallest <= product.largest and product.shortest <= product.longest):
            yield path, "smallest and shortest must not exceed largest and longest"
        yield from _wrong_spreads(f"{path}.price.spread_bp", product.price.spread_bp, order)


def _wrong_spreads(
    path: str, spread_bp: Mapping[str, int], order: Sequence[str]
) -> Iterator[tuple[str, str]]:
    for grade in spread_bp:
        if grade not in order:
            yield path, str(UnknownName("grade", grade, order))
    served = [grade in spread_bp for grade in order]
    if served != sorted(served, reverse=True):
        yield path, "a grade cannot be served while a better one is not"
    spreads = [spread_bp[grade] for grade in order if grade in spread_bp]
    if spreads != sorted(spreads):
        yield path, "spreads must not fall as the probability of default rises"


def _repeated(path: str, ids: Iterable[str]) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for at, name in enumerate(ids):
        if name in seen:
            yield f"{path}[{at}].id", f"{name} is given twice"
        seen.add(name)
