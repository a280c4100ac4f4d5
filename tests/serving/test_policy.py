"""A policy is data: its cases hold, its mistakes have lines, and the strictest rule wins."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.catalog import CATALOG
from serving.policy import STRICTNESS, BadPolicy, load, parse
from serving.verdict import failing_cases, grade_of, judge, limit_of

POLICIES = sorted((Path(__file__).parents[2] / "policies").glob("*.yaml"))
TEXT = POLICIES[-1].read_text()
POLICY = parse(TEXT.encode())
FRESH = {"registrations": 10, "tax_returns": 10, "linked_bills": 10}


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_every_worked_case_holds(path: Path) -> None:
    assert failing_cases(load(path)) == []


MISTAKES = [
    ("feature: tax_arrears, op", "feature: tax_arears, op", "There is no feature 'tax_arears'"),
    ("outcome: decline\n    reason: C03", "outcome: deny\n    reason: C03", "Invalid enum value"),
    ("pd_below: 0.02", "pd_below: 0.002", "pd_below must rise"),
    ("pd_below: 0.02,", "pd_below: 2,", "Expected `float` <= 1"),
    ("outcome: approve, cap: 1000000", "outcome: refer, cap: 1000000", "must not become milder"),
    ("reason: R01", "reason: R99", "There is no reason 'R99'"),
    ("table: tax_returns", "table: tax_return", "There is no table 'tax_return'"),
    ("oldest_days: 130", "oldest_days: 130\n    oldest_days: 2", "given twice"),
    ("value: 6.0}", "value: abc}", "cannot take such a value"),
    ("value: 6.0}", "value: .nan}", "cannot take such a value"),
    ("smallest:", "smalest:", "unknown field"),
    ("rules:\n", "rules: [\n", "expected"),
    ("version:", "version: !!python/name:os.system", "could not determine a constructor"),
    ("why: There is no year", "wy: There is no year", "unknown field"),
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
    assert abs(line - first) <= 4


def test_a_policy_without_cases_is_refused() -> None:
    without = TEXT.split("\ncases:")[0] + "\ncases: []\n"
    with pytest.raises(BadPolicy, match="at least one worked case"):
        parse(without.encode())


def test_a_missing_policy_is_a_clear_mistake(tmp_path: Path) -> None:
    with pytest.raises(BadPolicy, match="There is no policy"):
        load(tmp_path / "none.yaml")


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


@settings(max_examples=80)
@given(row=VALUES, probability=st.floats(0, 1), amount=st.integers(1, 2_000_000), ages=AGES)
def test_the_outcome_is_the_strictest_of_the_grade_and_the_rules(
    row: dict[str, float], probability: float, amount: int, ages: dict[str, int]
) -> None:
    verdict = judge(POLICY, row, probability, amount, ages)
    voices = [grade_of(POLICY, probability).outcome, *(fired.outcome for fired in verdict.fired)]
    assert STRICTNESS[verdict.outcome] == max(STRICTNESS[voice] for voice in voices)
    if verdict.outcome == "approve":
        assert amount <= verdict.limit <= POLICY.limit.cap


@settings(max_examples=80)
@given(row=VALUES, probability=st.floats(0, 1), table=st.sampled_from(sorted(FRESH)))
def test_losing_a_source_never_makes_an_outcome_milder_nor_approves(
    row: dict[str, float], probability: float, table: str
) -> None:
    seen = judge(POLICY, row, probability, 10_000, FRESH)
    dark = judge(POLICY, row, probability, 10_000, {**FRESH, table: None})
    stale = judge(POLICY, row, probability, 10_000, {**FRESH, table: 10**6})
    assert STRICTNESS[dark.outcome] >= STRICTNESS[seen.outcome]
    assert dark.outcome != "approve"
    assert stale.outcome != "approve" or table == "registrations"


@settings(max_examples=50)
@given(row=VALUES, low=st.floats(0, 1), high=st.floats(0, 1))
def test_more_risk_never_gives_a_higher_limit(
    row: dict[str, float], low: float, high: float
) -> None:
    low, high = sorted((low, high))
    limits = [limit_of(POLICY, grade_of(POLICY, p), row) for p in (low, high)]
    assert limits[0] >= limits[1]


def test_a_value_out_of_its_bounds_is_referred_to_a_person() -> None:
    sound = dict(POLICY.cases[0].features)
    case = POLICY.cases[0]
    verdict = judge(POLICY, sound | {"term": 1e6}, 0.001, case.amount, FRESH)
    assert "term_implausible" in {fired.rule for fired in verdict.fired}
    assert verdict.outcome == "refer"
