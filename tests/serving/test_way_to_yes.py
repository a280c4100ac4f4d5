"""A way to yes keeps its promise: submitted as proposed, it is approved as was said."""

import math
from functools import partial
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.bundles.bundle import Bundle
from serving.decision.decide import Application, Decision
from serving.decision.rows import clean, evidence
from serving.decision.scoring import probabilities_if, score_row
from serving.decision.sources import ages_on
from serving.decision.verdict import Evidence, judge
from serving.decision.way_to_yes import Scores, Way, _is_as_asked, _proposals, _reach, _Trials
from serving.decision.what_if import Variant, is_computable, moved_with, rows_if, values_after
from serving.desk.replay import decide_with
from serving.policy.instalments import Repayment
from serving.policy.values import Row
from serving.records import Records
from tests.pipelines.feeds import credit_code
from tests.serving.conftest import ASKED as SMALL
from tests.serving.conftest import NOW, SOURCES, applicants
from tests.serving.test_policy import POLICY

ACTIONS = {action.id: action for action in POLICY.actions}
ASKED = msgspec.structs.replace(SMALL, amount=200_000)


def whole(row: Row) -> Row:
    """A drawn applicant with the features that only policy reads, none of them in the way."""
    more = {"tax_grade_rank": 1.0, "declared_months_24m": 24.0, "legal_form": "company"}
    return {**clean(dict(row)), **more, "utility_days_overdue": 0.0}


ROWS = [whole(row) for row in applicants(400, seed=11).to_dicts()]


def submitted(application: Application, way: Way) -> Application:
    return msgspec.structs.replace(
        application,
        amount=way.amount,
        term_months=way.term_months,
        repayment=way.repayment,
        guaranteed=way.guaranteed,
    )


def acted(row: Row, way: Way) -> Row:
    return {**row, **dict(values_after([ACTIONS[name] for name in way.actions], row))}


def decided(bundle: Bundle, application: Application, row: Row, trials: int = 0) -> Decision:
    return decide_with(bundle, application, row, SOURCES, NOW, "dec_1", changed_trials=trials)


def keeps_promise(way: Way, again: Decision) -> bool:
    offered = [
        (o.product, o.amount, o.term_months, o.repayment, o.rate_bp, o.instalment)
        for o in again.offers
    ]
    promised = (way.product, way.amount, way.term_months, way.repayment)
    return again.outcome == "approve" and (*promised, way.rate_bp, way.instalment) in offered


@settings(max_examples=60, deadline=None)
@given(
    row=st.sampled_from(ROWS),
    amount=st.sampled_from([10_000, 35_000, 200_000, 450_000, 800_000, 3_000_000]),
    months=st.sampled_from([6, 12, 36]),
    repayment=st.sampled_from(["bullet", "instalment"]),
    guaranteed=st.booleans(),
    trouble=st.fixed_dictionaries(
        {},
        optional={
            "tax_arrears": st.just(3000.0),
            "utility_days_overdue": st.just(40.0),
            "is_listed_abnormal": st.just(1.0),
            "tax_grade_rank": st.just(4.0),
        },
    ),
)
def test_every_way_submitted_again_gets_what_it_promised(
    bundle: Bundle,
    row: Row,
    amount: int,
    months: int,
    repayment: Repayment,
    guaranteed: bool,
    trouble: dict[str, float],
) -> None:
    asked = msgspec.structs.replace(
        ASKED, amount=amount, term_months=months, repayment=repayment, guaranteed=guaranteed
    )
    row = {**row, **trouble, "amount": float(amount), "term": float(months)}
    decision = decided(bundle, asked, row)
    assert decision.outcome != "approve" or not decision.ways_to_yes
    for way in decision.ways_to_yes:
        next_request = submitted(asked, way)
        moved = {"amount": float(way.amount), "term": float(way.term_months)}
        again = decided(bundle, next_request, {**acted(row, way), **moved}, trials=1)
        assert keeps_promise(way, again)
        assert way.steps


@settings(max_examples=25, deadline=None)
@given(
    row=st.sampled_from(ROWS),
    amount=st.sampled_from([35_000, 200_000, 800_000]),
    trouble=st.sampled_from(["tax_arrears", "is_listed_abnormal", "term"]),
)
def test_a_proposal_is_granted_as_if_it_were_judged_whole(
    bundle: Bundle, row: Row, amount: int, trouble: str
) -> None:
    row = {**row, "amount": float(amount), trouble: 200.0}
    asked = msgspec.structs.replace(ASKED, amount=amount).asked
    whole = partial(score_row, bundle.scorer, bundle.doubt)
    scores = Scores(partial(probabilities_if, bundle.scorer, row), whole)
    ages = ages_on(asked.on, SOURCES)
    evidence = Evidence(row, whole(row).probability, ages)
    proposals = [each for kind in _proposals(POLICY, row, asked, 0) for each in kind]
    trials = _Trials(POLICY, evidence, ASKED.purpose, asked, scores, proposals)
    for proposal in proposals:
        after = rows_if(row, ASKED.purpose, [proposal.variant])[0]
        scored = whole(after)
        verdict = judge(
            POLICY, Evidence(after, scored.probability, ages, scored.doubt, 1), proposal.asked
        )
        offers = verdict.offers if verdict.outcome == "approve" else ()
        as_proposed = [offer for offer in offers if _is_as_asked(offer, proposal.asked)]
        assert trials.granted(proposal) == next(iter(as_proposed), None)
        assert not as_proposed or proposal.asked.amount <= _reach(POLICY, evidence)


def test_nothing_is_out_of_reach_where_an_action_moves_what_the_limit_reads() -> None:
    """Sales are frozen, so the first policy has a bound; in the second an action raises them."""
    evidence = Evidence(ROWS[0], 0.02, {})
    assert _reach(POLICY, evidence) <= POLICY.limit.cap
    raised = msgspec.structs.replace(POLICY.actions[0].moves[0], feature=POLICY.limit.sales[0])
    action = msgspec.structs.replace(POLICY.actions[0], moves=(raised,))
    assert _reach(msgspec.structs.replace(POLICY, actions=(action,)), evidence) == math.inf


def test_ways_are_found_for_those_who_ask_too_much(bundle: Bundle) -> None:
    asked = msgspec.structs.replace(ASKED, amount=900_000)
    refused = [
        decision
        for row in ROWS[:80]
        if (decision := decided(bundle, asked, {**row, "amount": 9e5})).outcome == "refer"
    ]
    ways = [decision.ways_to_yes for decision in refused]
    assert sum(map(bool, ways)) >= 0.2 * len(ways) > 0
    assert any(way.amount < 900_000 for found in ways for way in found)


def test_frozen_features_never_move(bundle: Bundle) -> None:
    frozen = {**ROWS[0], "tax_grade_rank": 5.0}
    assert decided(bundle, ASKED, frozen).ways_to_yes == ()
    young = {**ROWS[0], "business_age_months": 8.0}
    assert decided(bundle, ASKED, young).ways_to_yes == ()


def test_a_dark_department_has_no_way_to_yes(bundle: Bundle) -> None:
    dark = {name: day for name, day in SOURCES.items() if name != "tax_returns"}
    decision = decide_with(bundle, ASKED, ROWS[0], dark, NOW, "dec_1")
    assert decision.outcome != "approve"
    assert decision.ways_to_yes == ()


def test_an_action_is_named_with_its_advice(bundle: Bundle) -> None:
    row = next(row for row in ROWS if decided(bundle, ASKED, row).outcome == "approve")
    refused = decided(bundle, ASKED, {**row, "is_listed_abnormal": 1.0})
    assert refused.outcome == "refer"
    [way] = [way for way in refused.ways_to_yes if way.actions]
    assert way.actions == ("leave_abnormal_list",)
    assert way.steps[0] == ACTIONS["leave_abnormal_list"].advice


def test_a_way_is_judged_as_the_changed_trial_it_would_be(bundle: Bundle) -> None:
    row = next(
        row
        for row in ROWS
        if decided(bundle, msgspec.structs.replace(ASKED, amount=900_000), row).ways_to_yes
    )
    asked = msgspec.structs.replace(ASKED, amount=900_000)
    assert decided(bundle, asked, row, trials=1).ways_to_yes
    assert decided(bundle, asked, row, trials=2).ways_to_yes == ()


@pytest.mark.parametrize("number", [0, 7, 31])
def test_what_if_features_are_those_of_a_real_request(store: Path, number: int) -> None:
    tables = Records.open(store).business(credit_code(number))
    application = msgspec.structs.replace(ASKED, business_id=credit_code(number))
    row, _ = evidence(application, tables)
    assert is_computable(row)
    others = [(50_000, 24, "instalment"), (1_000_000, 3, "bullet"), (1, 120, "instalment")]
    variants = [
        Variant(amount, months, repayment)  # type: ignore[arg-type]
        for amount, months, repayment in others
    ]
    for (amount, months, repayment), found in zip(
        others, rows_if(row, "stock", variants), strict=True
    ):
        real = msgspec.structs.replace(
            application,
            amount=amount,
            term_months=months,
            repayment=repayment,  # type: ignore[arg-type]
        )
        assert found == evidence(real, tables)[0]


def test_a_row_without_what_its_ratios_are_made_of_is_not_computable() -> None:
    assert is_computable({"amount": 1.0})
    assert not is_computable({"amount_to_declared_sales": 1.0})


def test_what_moves_with_the_request_is_known_from_the_declarations() -> None:
    moved = moved_with(["tax_arrears"])
    assert {"tax_arrears", "amount", "amount_to_declared_sales"} <= moved
    assert "declared_sales_monthly_12m" not in moved
    assert "declared_to_invoiced_sales" not in moved
