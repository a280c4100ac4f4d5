"""What is wrong with a policy beyond its types: unknown names, and risk that would be rewarded."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

import msgspec

from features.catalog import CATALOG
from features.definition import Feature
from features.errors import UnknownName
from features.reasons import REASONS
from features.tables import DATED, LEGAL_FORMS, PURPOSES, REPAYMENT_FORMS, TABLES
from serving.policy.condition import Condition
from serving.policy.limit import Limit
from serving.policy.policy import STRICTNESS, Action, Case, Grade, Move, Policy

_FEATURES = {feature.name: feature for feature in CATALOG}
_NAMES = {
    "legal_form": LEGAL_FORMS,
    "loan_purpose": PURPOSES,
    "repayment_form": REPAYMENT_FORMS,
}
_INDUSTRY = re.compile(r"[A-T]([0-9]{2})?")  # GB/T 4754, as the register tells it
_KNOWN = {name: f"name one of {', '.join(names)}" for name, names in _NAMES.items()} | {
    "industry": "write a section and two digits, as C18, or the section alone"
}


def mistakes(policy: Policy) -> Iterator[tuple[str, str]]:
    """What the types cannot say: path and sentence of each mistake."""
    yield from _unknown_names(policy)
    yield from _wrong_sources(policy)
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


def _wrong_sources(policy: Policy) -> Iterator[tuple[str, str]]:
    """A table without dates of its own would be missing of everybody."""
    dated = [table.name for table in DATED]
    for at, source in enumerate(policy.sources):
        if source.table in TABLES and source.table not in dated:
            told = f"nobody's {source.table} are dated; name one of {', '.join(dated)}"
            yield f"$.sources[{at}].table", told
    yield from _repeated("$.sources", [source.table for source in policy.sources], "table")


def _wrong_grades(grades: Sequence[Grade]) -> Iterator[tuple[str, str]]:
    """Risk must never be rewarded: bounds rise, outcomes do not soften, nothing lent grows."""
    yield from _repeated("$.grades", [grade.grade for grade in grades], "grade")
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
        elif told := _never(condition):
            yield path, told


def _never(condition: Condition) -> str:
    """Why a condition can never hold, or not be asked of its feature; "" if it can."""
    feature = _FEATURES.get(condition.feature)
    if feature is None:
        return ""  # told as an unknown name
    if not feature.is_category:
        return _never_of_number(condition, feature)
    if isinstance(condition.value, float):
        return f"{feature.name} is a name; compare it with names"
    named = (condition.value,) if isinstance(condition.value, str) else condition.value or ()
    strange = [name for name in named if not _is_known(feature.name, name)]
    return f"{feature.name} is never {strange[0]!r}: {_KNOWN[feature.name]}" if strange else ""


def _is_known(category: str, name: str) -> bool:
    if names := _NAMES.get(category):
        return name in names
    return _INDUSTRY.fullmatch(name) is not None


def _never_of_number(condition: Condition, feature: Feature) -> str:
    value = condition.value
    if not isinstance(value, float):
        return f"{feature.name} is a number; compare it with one"
    low, high = feature.plausible or (0.0, 1.0)
    can_hold = {
        "<": value > low,
        "<=": value >= low,
        ">": value < high,
        ">=": value <= high,
        "==": low <= value <= high,
    }
    if can_hold.get(condition.op, True):
        return ""
    return f"{feature.name} lies between {low:g} and {high:g}: this never holds"


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
    yield from _repeated("$.actions", [action.id for action in actions])
    for at, action in enumerate(actions):
        for number, move in enumerate(action.moves):
            yield from _wrong_move(f"$.actions[{at}].moves[{number}]", move)


def _wrong_move(path: str, move: Move) -> Iterator[tuple[str, str]]:
    feature = _FEATURES.get(move.feature)
    if feature is None:
        return  # told as an unknown name
    if (move.to is None) == (move.plus is None):
        yield path, f"say where {move.feature} stands then (to), or by what it grows (plus)"
    if not REASONS[feature.reason].actionable and move.plus is None:
        yield f"{path}.feature", f"nobody can act on {move.feature}: it is frozen"
    if feature.risk is None:
        yield f"{path}.feature", f"{move.feature} declares no direction of risk"
    low, high = feature.plausible or (0.0, 1.0)
    if move.to is not None and not low <= move.to <= high:
        yield f"{path}.to", f"{move.feature} cannot be {move.to}"
    if move.plus is not None and move.plus not in _FEATURES:
        yield f"{path}.plus", str(UnknownName("feature", move.plus, _FEATURES))


def _wrong_market(policy: Policy) -> Iterator[tuple[str, str]]:
    market = policy.market
    if market is None:
        return
    yield from _repeated("$.market.products", [product.id for product in market.products])
    yield from _repeated("$.market.funds", [fund.id for fund in market.funds])
    yield from _repeated("$.market.subsidies", [subsidy.id for subsidy in market.subsidies])
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


def _repeated(path: str, ids: Iterable[str], field: str = "id") -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for at, name in enumerate(ids):
        if name in seen:
            yield f"{path}[{at}].{field}", f"{name} is given twice"
        seen.add(name)
