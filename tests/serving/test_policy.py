"""A policy is data: its cases hold, its mistakes have lines, and the strictest rule wins."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.catalog import CATALOG
from features.request import LARGEST
from serving.decision.adverse import adverse_reasons, statuses
from serving.decision.verdict import Evidence, failing_cases, grade_of, judge
from serving.policy.asked import Asked
from serving.policy.condition import Condition, holds
from serving.policy.limit import limit_of
from serving.policy.policy import STRICTNESS
from serving.policy.policy_file import BadPolicy, load, parse
from serving.policy.values import Row

POLICIES = sorted((Path(__file__).parents[2] / "policies").glob("*.yaml"))
TEXT = POLICIES[-1].read_text(encoding="utf-8")
POLICY = parse(TEXT.encode())
FRESH: dict[str, int | None] = {"registrations": 10, "tax_returns": 10, "linked_bills": 10}
TODAY = date(2026, 11, 23)
SOUND: Row = POLICY.cases[0].features


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_every_worked_case_holds(path: Path) -> None:
    assert failing_cases(load(path)) == []


MISTAKES = [
    ("feature: tax_arrears, op", "feature: tax_arears, op", "There is no feature 'tax_arears'"),
    ("outcome: decline\n    reason: C03", "outcome: deny\n    reason: C03", "Invalid enum value"),
    ("pd_below: 0.02", "pd_below: 0.002", "pd_below must rise"),
    ("pd_below: 0.02,", "pd_below: 2,", "Expected `float` <= 1"),
    ("outcome: approve, cap: 1000000", "outcome: refer, cap: 1000000", "must not become milder"),
    ("cap: 800000, floor", "cap: 1100000, floor", "must not lend more than A"),
    ("floor: 30000", "floor: 60000", "must not lend more than A"),
    ("reason: R01", "reason: R99", "There is no reason 'R99'"),
    ("table: tax_returns", "table: tax_return", "There is no table 'tax_return'"),
    ("oldest_days: 130", "oldest_days: 130\n    oldest_days: 2", "given twice"),
    ("value: 6.0}", "value: abc}", "cannot take such a value"),
    ("value: 6.0}", "value: .nan}", "cannot take such a value"),
    ("op: under, value: [J, K, R90]", "op: under, value: J", "cannot take such a value"),
    ("smallest:", "smalest:", "unknown field"),
    ("\nactions:", "\nacshuns:", "unknown field `acshuns`"),
    ("rules:\n", "rules: [\n", "expected"),
    ("version:", "version: !!python/name:os.system", "could not determine a constructor"),
    ("why: There is no year", "wy: There is no year", "unknown field"),
    ("    cap: 100000\n    reason: R01", "    reason: R01", "a cap if, and only if"),
    ("id: tax_grade_c", "id: tax_grade_d", "tax_grade_d is given twice"),
    ('      "": 5.0\n', "", "for every other industry"),
    ("most: 500000", "most: -1", "Expected `float` >= 0"),
    ("features: [declared_sales_monthly_12m, inv", "features: [declared_sale, inv", "no feature"),
    ("{feature: tax_arrears, to:", "{feature: tax_paid_12m, to:", "it is frozen"),
    ("missing_returns_24m, to: 0.0", "missing_returns_24m, to: -1.0", "cannot be -1"),
    ("{feature: tax_arrears, to: 0.0}", "{feature: tax_arrears}", "say where tax_arrears stands"),
    (
        "plus: returns_in_arrears",
        "plus: returns_in_arears",
        "did you mean one of returns_in_arrears",
    ),
    ("guarantee: city_guarantee", "guarantee: town_guarantee", "There is no fund 'town_guarantee'"),
    ("spread_bp: {A: 40, B: 90", "spread_bp: {A: 40, B: 30", "spreads must not fall"),
    ("spread_bp: {A: 40, B: 90", "spread_bp: {A: 40", "while a better one is not"),
    ("C: 220, D: 300", "C: 220, F: 300", "There is no grade 'F'"),
    ("largest: 800000", "largest: 20000", "must not exceed"),
    ("from_on: 2020-01-01\n      to_on", "from_on: soon\n      to_on", "Invalid"),
    ("{<<: *sound, industry: C18}", "{<<: 3, industry: C18}", "takes a mapping"),
    ('"!=", value: household', '"!=", value: houshold', "never 'houshold'"),
    ('op: "==", value: equipment', 'op: "<", value: 3.0', "is a name"),
    ("value: [J, K, R90]", "value: [J, K, X90]", "never 'X90'"),
    ('tax_grade_rank, op: "==", value: 5.0', 'tax_grade_rank, op: "==", value: D', "a number"),
    ('tax_grade_rank, op: "==", value: 5.0', 'tax_grade_rank, op: ">", value: 5.0', "never holds"),
    ('is_operating, op: "==", value: 0.0', 'is_operating, op: "<", value: 0.0', "never holds"),
    ("table: linked_bills", "table: utility_bills", "nobody's utility_bills"),
    ("table: linked_bills", "table: tax_returns", "tax_returns is given twice"),
    ("id: pay_utility_bills", "id: pay_tax_arrears", "pay_tax_arrears is given twice"),
    ("id: services_2026", "id: services_2025", "services_2025 is given twice"),
    ("grade: B, pd_below: 0.02", "grade: A, pd_below: 0.02", "A is given twice"),
]


@pytest.mark.parametrize(("right", "wrong", "said"), MISTAKES)
def test_a_mistake_is_told_with_its_line(right: str, wrong: str, said: str) -> None:
    spoilt = TEXT.replace(right, wrong, 1)
    assert spoilt != TEXT
    first = next(
        number
        for number, (old, new) in enumerate(
            zip(TEXT.splitlines(), spoilt.splitlines(), strict=False), start=1
        )
        if old != new
    )
    with pytest.raises(BadPolicy, match=said) as refused:
        parse(spoilt.encode(), "policy.yaml")
    line = int(str(refused.value).split("line ")[1].split(":")[0])
    assert abs(line - first) <= 6


def test_keys_of_a_mapping_override_those_it_merges() -> None:
    merged = next(case for case in POLICY.cases if case.features.get("industry") == "C18")
    assert merged.features == {**SOUND, "industry": "C18"}


def test_a_policy_without_cases_is_refused() -> None:
    without = TEXT.split("\ncases:")[0] + "\ncases: []\n"
    with pytest.raises(BadPolicy, match="at least one worked case"):
        parse(without.encode())


def test_a_missing_policy_is_a_clear_mistake(tmp_path: Path) -> None:
    with pytest.raises(BadPolicy, match="There is no policy"):
        load(tmp_path / "none.yaml")


def test_a_code_is_under_what_it_begins_with_and_an_unknown_one_under_nothing() -> None:
    under = Condition(feature="industry", op="under", value=("F5", "H62"))
    outside = Condition(feature="industry", op="not under", value=("F5", "H62"))
    assert holds(under, {"industry": "F52"})
    assert not holds(under, {"industry": "H61"})
    assert holds(outside, {"industry": "H61"})
    assert not holds(under, {})
    assert not holds(outside, {})


VALUES = st.fixed_dictionaries(
    {},
    optional={
        feature.name: st.none() | st.floats(*feature.plausible)
        for feature in CATALOG
        if feature.plausible
    },
)
AGES = st.fixed_dictionaries(
    {}, optional={table: st.none() | st.integers(0, 400) for table in FRESH}
)


@settings(max_examples=60, deadline=None)
@given(
    row=VALUES,
    probability=st.floats(0, 1),
    amount=st.integers(1, 2_000_000),
    ages=AGES,
    guaranteed=st.booleans(),
)
def test_the_outcome_is_the_strictest_of_the_grade_and_the_rules(
    row: dict[str, float],
    probability: float,
    amount: int,
    ages: dict[str, int | None],
    guaranteed: bool,
) -> None:
    asked = Asked(amount, TODAY, guaranteed=guaranteed)
    verdict = judge(POLICY, Evidence(row, probability, ages), asked)
    grade = grade_of(POLICY, probability).outcome_for(guaranteed=guaranteed)
    voices = [grade, *(fired.outcome for fired in verdict.fired)]
    assert STRICTNESS[verdict.outcome] == max(STRICTNESS[voice] for voice in voices)
    if verdict.outcome == "approve":
        assert verdict.offers
        assert verdict.limit <= POLICY.limit.cap
    if verdict.outcome == "decline":
        assert (verdict.limit, verdict.offers) == (0, ())


@settings(max_examples=60, deadline=None)
@given(changes=VALUES, probability=st.floats(0, 1), table=st.sampled_from(sorted(FRESH)))
def test_losing_a_source_never_makes_an_outcome_milder(
    changes: dict[str, float], probability: float, table: str
) -> None:
    row, asked = {**SOUND, **changes}, Asked(10_000, TODAY)
    seen = judge(POLICY, Evidence(row, probability, FRESH), asked)
    dark = judge(POLICY, Evidence(row, probability, {**FRESH, table: None}), asked)
    stale = judge(POLICY, Evidence(row, probability, {**FRESH, table: 10**6}), asked)
    assert STRICTNESS[dark.outcome] >= STRICTNESS[seen.outcome]
    assert dark.limit <= seen.limit
    assert dark.outcome != "approve" or table == "linked_bills"
    assert stale.outcome != "approve" or table == "registrations"


@pytest.mark.parametrize(
    ("table", "department"), [("tax_returns", "tax"), ("registrations", "registry")]
)
def test_a_dark_department_refers_the_best_applicant_and_is_named(
    table: str, department: str
) -> None:
    ages = {name: age for name, age in FRESH.items() if name != table}
    verdict = judge(POLICY, Evidence(SOUND, 0.0001, ages), Asked(10_000, TODAY))
    assert verdict.outcome == "refer"
    assert [(rule.reason, rule.department) for rule in verdict.fired] == [("R32", department)]


def test_a_business_that_never_had_a_meter_is_lent_the_cap_one_whose_bills_ended_nothing() -> None:
    asked = Asked(150_000, TODAY)
    never = judge(POLICY, Evidence(SOUND, 0.001, {**FRESH, "linked_bills": None}), asked)
    ended = judge(POLICY, Evidence(SOUND, 0.001, {**FRESH, "linked_bills": 100}), asked)
    assert (never.outcome, never.limit) == ("approve", 200_000)
    assert ended.outcome == "refer"


@settings(max_examples=60)
@given(changes=VALUES, low=st.floats(0, 1), high=st.floats(0, 1))
def test_more_risk_never_gives_a_higher_limit(
    changes: dict[str, float], low: float, high: float
) -> None:
    row = {**SOUND, **changes}
    safer, riskier = (grade_of(POLICY, p) for p in sorted((low, high)))
    least, most = (limit_of(POLICY.limit, row, grade).amount for grade in (riskier, safer))
    assert most >= least


def test_a_value_out_of_its_bounds_is_referred_to_a_person() -> None:
    verdict = judge(POLICY, Evidence({**SOUND, "term": 1e6}, 0.001, FRESH), Asked(100_000, TODAY))
    assert "term_implausible" in {fired.rule for fired in verdict.fired}
    assert verdict.outcome == "refer"


@pytest.mark.parametrize(
    ("changes", "amount", "rule", "reason"),
    [
        ({}, 400_000, "limit_below_amount", "R62"),
        ({"declared_sales_monthly_12m": 40_000.0}, 300_000, "limit_below_amount", "R14"),
        ({"balance_owed": 250_000.0}, 200_000, "limit_below_amount", "R33"),
        ({"business_age_months": 18.0}, 200_000, "limit_below_amount", "R01"),
        ({"declared_sales_monthly_12m": 2_000.0}, 50_000, "amount_beyond_capacity", "R36"),
    ],
)
def test_who_is_lent_less_is_told_what_bounds_it(
    changes: dict[str, float], amount: int, rule: str, reason: str
) -> None:
    verdict = judge(POLICY, Evidence({**SOUND, **changes}, 0.008, FRESH), Asked(amount, TODAY))
    assert (rule, reason) in [(fired.rule, fired.reason) for fired in verdict.fired]
    assert all(offer.amount < amount for offer in verdict.offers)


def test_a_cap_that_a_missing_source_sets_is_told_only_where_it_binds() -> None:
    unseen = {**FRESH, "linked_bills": None}
    for amount, told in [(150_000, []), (250_000, [("R32", "utility")])]:
        verdict = judge(POLICY, Evidence(SOUND, 0.001, unseen), Asked(amount, TODAY))
        reasons = adverse_reasons(verdict.outcome, verdict.fired, [], SOUND)
        assert [(reason.code, reason.department) for reason in reasons] == told


def test_what_is_outside_the_product_is_a_status_and_no_reason_of_credit() -> None:
    row = {**SOUND, "industry": "J66"}
    verdict = judge(POLICY, Evidence(row, 0.001, FRESH), Asked(100_000, TODAY))
    assert verdict.outcome == "decline"
    assert [status.code for status in statuses(verdict.fired)] == ["C03"]
    assert adverse_reasons(verdict.outcome, verdict.fired, [], row) == ()


def test_the_most_that_may_be_asked_for_is_one_number() -> None:
    [amount] = [feature for feature in CATALOG if feature.name == "amount"]
    assert amount.plausible == (1, LARGEST)
    verdict = judge(POLICY, Evidence({**SOUND, "amount": 1e8}, 0.1, FRESH), Asked(LARGEST, TODAY))
    assert "amount_implausible" not in {fired.rule for fired in verdict.fired}
