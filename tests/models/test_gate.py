"""The gate: a challenger passes every check or does not pass."""

from math import nan
from typing import Any

import msgspec
import numpy as np
import pytest

from models.gate import judge
from models.gate_record import (
    BadSignature,
    GateClosed,
    GateRecord,
    Limits,
    NoName,
    Override,
    public_half,
    sign,
    verify,
)
from models.validation.discrimination import Interval
from models.validation.metrics import PairedTest, delong_test
from models.validation.validation import Suspicion, Validation
from tests.models.portfolio import validated

EASY = Limits(calibration_error=0.1, faithfulness=0.9)
KEY = b"a private key of these tests...."[:32]
ANOTHER = b"another private key of the tests"
KEYS = (public_half(KEY),)


def judged(validation: Validation | None = None, **changes: Any) -> GateRecord:
    told = {
        "model": "microloan 2",
        "model_hash": "h" * 64,
        "fingerprint": "f" * 64,
        "audits": {"features that the code computes otherwise": 0},
        "judged_at": "2026-01-01T00:00:00Z",
        "limits": EASY,
    }
    return judge(validation or validated()[3], **{**told, **changes})


def changed(**figures: Any) -> Validation:
    return msgspec.structs.replace(validated()[3], **figures)


def failed(record: GateRecord) -> list[str]:
    return [check.name for check in record.failures]


def test_a_sound_challenger_passes_every_check() -> None:
    record = judged()
    assert failed(record) == []
    assert record.passed
    assert record.demand() is record


@pytest.mark.parametrize(
    ("part", "figures", "name"),
    [
        ("out_of_time", {"bads": 29}, "bads out of time"),
        ("calibration", {"error": 0.11}, "calibration error out of time"),
        ("calibration", {"error": nan}, "calibration error out of time"),
        ("calibration", {"ratio": nan}, "observed over expected out of time"),
        ("calibration", {"expected": 0.5}, "observed over expected out of time"),
        ("faithfulness", {"share": 0.89}, "declines whose first reason holds"),
        (None, {"score_index": 0.26}, "stability index of the score"),
        (None, {"faithfulness": None}, "declines whose first reason holds"),
        (None, {"survives_saving": False}, "the same after loading"),
        (None, {"suspicious": (Suspicion("term", 0.94),)}, "columns that know too much"),
    ],
)
def test_each_figure_beyond_its_limit_closes_the_gate(
    part: str | None, figures: dict[str, Any], name: str
) -> None:
    """A figure that is missing or not a number closes it as well."""
    if part:
        figures = {part: msgspec.structs.replace(getattr(validated()[3], part), **figures)}
    record = judged(changed(**figures))
    assert failed(record) == [name]
    assert not record.passed
    with pytest.raises(GateClosed, match=f"microloan 2 does not pass the gate: {name}"):
        record.demand()


def test_a_weak_ranking_closes_the_gate() -> None:
    assert failed(judged(limits=Limits(auc=0.9, calibration_error=0.1))) == [
        "lower bound of the AUC out of time"
    ]


def test_an_audit_that_found_something_closes_the_gate() -> None:
    found = {"files lost": 0, "features that leak": 1}
    assert failed(judged(audits=found)) == ["features that leak"]


def test_a_challenger_worse_than_the_champion_does_not_pass() -> None:
    _, _, later, _ = validated()
    noise = np.random.default_rng(0).normal(0, 2, len(later))
    worse = delong_test(later.bad, later.probability + noise, later.probability)
    better = delong_test(later.bad, later.probability, later.probability + noise)
    name = "standard errors of AUC above the champion"
    assert failed(judged(champion="microloan 1", against_champion=worse)) == [name]
    assert failed(judged(champion="microloan 1", against_champion=better)) == []
    assert failed(judged(champion="microloan 1")) == [name]
    unknown = PairedTest(0.7, 0.7, 0.0, nan, nan, nan)
    assert failed(judged(champion="microloan 1", against_champion=unknown)) == [name]


def test_an_equal_challenger_passes() -> None:
    _, _, later, _ = validated()
    same = delong_test(later.bad, later.probability, later.probability)
    assert judged(champion="microloan 1", against_champion=same).passed


def test_a_group_approved_much_less_often_closes_the_gate() -> None:
    strict = msgspec.structs.replace(EASY, approval_ratio=1.02)
    name = "upper bound of the lowest approval ratio"
    assert failed(judged(limits=strict)) == [name]
    assert failed(judged(changed(fairness=()))) == [name], "what was not measured fails"


def test_the_gate_looks_at_protected_groups_alone() -> None:
    fair = validated()[3].fairness
    rare = [
        msgspec.structs.replace(one, attribute="district", ratio=Interval(0.2, 0.1, 0.3))
        for one in fair
    ]
    assert judged(changed(fairness=(*fair, *rare))).passed
    protected = msgspec.structs.replace(EASY, protected=("district",))
    assert not judged(changed(fairness=(*fair, *rare)), limits=protected).passed


def test_a_signed_record_comes_back_whole() -> None:
    record = judged()
    assert verify(sign(record, KEY), KEYS) == record


def test_a_record_signed_before_the_key_was_changed_is_verified_by_the_retired_one() -> None:
    assert verify(sign(judged(), KEY), (public_half(ANOTHER), *KEYS)) == judged()


def test_a_record_changed_by_a_byte_or_signed_by_another_is_refused() -> None:
    signed = sign(judged(changed(survives_saving=False)), KEY)
    forged = signed.replace(b'"passed":false', b'"passed":true')
    assert forged != signed
    other = (public_half(ANOTHER),)
    for content, keys in ((forged, KEYS), (signed, other), (b"{}", KEYS), (signed[:-2], KEYS)):
        with pytest.raises(BadSignature):
            verify(content, keys)


def test_a_model_that_failed_may_serve_only_if_somebody_answers_for_it() -> None:
    failing = changed(survives_saving=False)
    with pytest.raises(GateClosed):
        judged(failing).demand()
    answered = judged(failing, override=Override("head of risk", "the old model is worse still"))
    assert not answered.passed
    assert answered.demand() is answered


@pytest.mark.parametrize(("by", "reason"), [("", "because"), ("head of risk", " ")])
def test_an_override_needs_a_name_and_a_reason(by: str, reason: str) -> None:
    with pytest.raises(NoName, match="name and a reason"):
        Override(by, reason)
