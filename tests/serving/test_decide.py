"""A decision is pure, and its reasons are true of the model and the applicant."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.reasons import REASONS
from serving.bundles.bundle import Bundle
from serving.decision.adverse import AdverseReason
from serving.decision.decide import Decision
from serving.decision.rows import clean
from serving.desk.replay import decide_with
from serving.policy.values import Row
from serving.wire.schemas import answer
from tests.serving.conftest import ASKED, NOW, SOURCES, applicants

ROWS = [clean(row) for row in applicants(300, seed=5).to_dicts()]


def decided(bundle: Bundle, row: Row, sources: dict[str, date] = SOURCES) -> Decision:
    return decide_with(bundle, ASKED, row, sources, NOW, "dec_1")


def test_the_same_evidence_gives_the_same_bytes(bundle: Bundle) -> None:
    in_another_order = decided(bundle, dict(reversed(ROWS[0].items())))
    assert answer(decided(bundle, ROWS[0]), "store") == answer(in_another_order, "store")


def test_the_probability_is_the_scorers(bundle: Bundle) -> None:
    frame = applicants(300, seed=5)
    for served, row in zip(bundle.scorer.predict_proba(frame)[:, 1], ROWS, strict=True):
        assert decided(bundle, row).probability_of_default == served


def test_reasons_are_few_distinct_and_each_harmful(bundle: Bundle) -> None:
    for row in ROWS:
        reasons = decided(bundle, row).reasons
        told = [
            (reason.code, reason.department if reason.code == "R32" else "") for reason in reasons
        ]
        assert len(reasons) <= 4
        assert len(set(told)) == len(told)
        assert all(reason.contribution is None or reason.contribution > 0 for reason in reasons)
        assert all(reason.text.zh and reason.text.en for reason in reasons)


def test_whoever_is_not_approved_is_told_why(bundle: Bundle) -> None:
    outcomes = [decided(bundle, row) for row in ROWS]
    refused = [decision for decision in outcomes if decision.outcome != "approve"]
    assert refused
    assert all(decision.reasons for decision in refused)


def test_whoever_is_above_the_cut_off_has_harm_against_the_neutral_applicant(
    bundle: Bundle,
) -> None:
    above = [row for row in ROWS if decided(bundle, row).grade in ("D", "E")]
    assert above
    for row in above:
        spoken = [r for r in decided(bundle, row).reasons if r.contribution is not None]
        fired = [r for r in decided(bundle, row).reasons if r.contribution is None]
        assert spoken or len(fired) == 4


def test_rules_speak_before_the_model_and_the_strictest_first(bundle: Bundle) -> None:
    row = {**ROWS[0], "tax_grade_rank": 5.0, "tax_arrears": 100.0, "business_age_months": 60.0}
    decision = decided(bundle, row)
    assert [reason.code for reason in decision.reasons[:2]] == ["R20", "R18"]
    assert decision.outcome == "decline"


def test_a_decline_for_the_probability_is_told_by_the_model_not_by_rules_that_only_refer(
    bundle: Bundle,
) -> None:
    row = {**ROWS[0], "tax_grade_rank": 4.0, "late_utility_bills_12m": 12.0, "tax_arrears": 5000.0}
    row |= {"business_age_months": 7.0, "declared_sales_monthly_12m": 500.0}
    decision = decided(bundle, row)
    assert decision.outcome == "decline"
    assert {rule.outcome for rule in decision.rules} == {"refer"}
    assert decision.reasons[0].contribution is not None


def test_an_unknown_value_is_told_as_missing_never_as_bad(bundle: Bundle) -> None:
    for row in ROWS:
        for name in ("declared_sales_growth_12m", "electricity_yoy_3m"):
            reasons = decided(bundle, {**row, name: None}).reasons
            assert not [r for r in reasons if r.feature == name and r.code != "R32"]


def test_a_contribution_is_the_difference_to_the_neutral_applicant(bundle: Bundle) -> None:
    row = {**ROWS[0], "late_utility_bills_12m": 6.0}
    added = dict(
        zip(
            bundle.scorer.names_,
            bundle.scorer.explain_row(bundle.scorer.encode_row(row)),
            strict=True,
        )
    )
    decision = decided(bundle, {**row, "is_listed_abnormal": 1.0})
    assert decision.outcome == "refer"
    late = next(r for r in decision.reasons if r.code == "R29")
    expected = added["late_utility_bills_12m"] - bundle.neutral["late_utility_bills_12m"]
    assert late.contribution == pytest.approx(expected, abs=1e-12)


def test_an_approval_tells_only_why_less_is_lent_than_was_asked_for(bundle: Bundle) -> None:
    decisions = [decided(bundle, row) for row in ROWS]
    approved = [decision for decision in decisions if decision.outcome == "approve"]
    assert approved
    for decision in approved:
        told = [reason.code for reason in decision.reasons]
        told += [status.code for status in decision.statuses]
        assert sorted(told) == sorted({r.reason for r in decision.rules if r.cap is None})
        assert bool(told) == (not any(offer.amount == ASKED.amount for offer in decision.offers))
    assert all(d.reasons for d in decisions if d.outcome != "approve")


class Unsure:
    """Log-odds that may be so far off, whatever the row."""

    def __init__(self, doubt: float) -> None:
        self._doubt = doubt

    def row(self, _encoded: Any) -> float:
        return self._doubt


@pytest.mark.parametrize(("doubt", "fires"), [(0.0, False), (1.2, False), (1.21, True)])
def test_a_doubtful_probability_is_told_as_an_interval_and_referred(
    bundle: Bundle, doubt: float, fires: bool
) -> None:
    doubtful = replace(bundle, doubt=Unsure(doubt))  # type: ignore[arg-type]
    decision = decided(doubtful, ROWS[0])
    told = json.loads(answer(decision, "store"))
    low, high = told["probability_between"]
    assert low <= told["probability_of_default"] <= high
    assert (low < high) == (doubt > 0)
    assert ("automatic_doubt" in {rule.rule for rule in decision.rules}) == fires
    assert json.loads(answer(decided(bundle, ROWS[0]), "store"))["probability_between"] is None


def test_the_answer_gives_rate_and_instalment_of_the_first_offer(bundle: Bundle) -> None:
    approved = next(d for row in ROWS if (d := decided(bundle, row)).outcome == "approve")
    told = json.loads(answer(approved, "store"))
    assert told["rate_bp"] == told["offers"][0]["rate_bp"] == approved.offers[0].rate_bp
    assert told["instalment"] == str(approved.offers[0].instalment)
    assert told["limit"] >= told["offers"][0]["amount"]


def test_a_declined_application_has_no_offer_rate_or_limit(bundle: Bundle) -> None:
    declined = next(d for row in ROWS if (d := decided(bundle, row)).outcome == "decline")
    told = json.loads(answer(declined, "store"))
    assert (told["offers"], told["rate_bp"], told["instalment"]) == ([], None, None)
    assert told["limit"] == 0


def test_a_decision_with_offers_and_ways_is_kept_without_loss(bundle: Bundle) -> None:
    decisions = [decided(bundle, row) for row in ROWS[:60]]
    assert any(decision.offers for decision in decisions)
    assert any(decision.ways_to_yes for decision in decisions)
    for decision in decisions:
        assert msgspec.json.decode(msgspec.json.encode(decision), type=Decision) == decision


def test_nobody_is_told_that_the_score_was_too_low() -> None:
    for reason in REASONS.values():
        assert "score" not in reason.english.lower()
        assert "评分" not in reason.chinese


@settings(max_examples=60, deadline=None)
@given(
    row=st.sampled_from(ROWS),
    days=st.dictionaries(st.sampled_from(sorted(SOURCES)), st.integers(0, 3000), max_size=3),
)
def test_no_fault_of_a_source_turns_into_an_approval(
    bundle: Bundle, row: Row, days: dict[str, int]
) -> None:
    sources = {
        name: date.fromordinal(ASKED.applied_on.toordinal() - age) for name, age in days.items()
    }
    decision = decided(bundle, row, sources)
    if len(sources) < 3:
        assert decision.outcome != "approve"
        missing = {"registry", "tax", "utility"} - {
            {"registrations": "registry", "tax_returns": "tax", "linked_bills": "utility"}[name]
            for name in sources
        }
        if decision.outcome == "refer":
            assert missing <= _departments(decision.reasons)


def _departments(reasons: tuple[AdverseReason, ...]) -> set[str | None]:
    return {reason.department for reason in reasons if reason.code == "R32"}


@pytest.mark.parametrize(
    ("applied_at", "day"),
    [
        (datetime(2024, 7, 21, 15, 59, tzinfo=UTC), date(2024, 7, 21)),
        (datetime(2024, 7, 21, 16, 0, tzinfo=UTC), date(2024, 7, 22)),
        (datetime(2024, 2, 29, 16, 0, tzinfo=UTC), date(2024, 3, 1)),
    ],
)
def test_the_day_of_an_application_is_the_day_in_shanghai(applied_at: datetime, day: date) -> None:
    assert msgspec.structs.replace(ASKED, applied_at=applied_at).applied_on == day
