"""No reason told contradicts what is known of the applicant."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.catalog import CATALOG
from features.definition import Feature
from features.reasons import REASONS
from serving.bundles.bundle import Bundle
from serving.decision.adverse import AdverseReason, Spoken, adverse_reasons
from serving.decision.rows import clean
from serving.desk.replay import decide_with
from serving.policy.values import Row, number
from tests.serving.conftest import ASKED, NOW, SOURCES, applicants

ROWS = [clean(row) for row in applicants(300, seed=5).to_dicts()]
FALLING = ("growth_12m", "yoy_3m", "yoy_6m", "trend_6m")
SALES = [f"{kind}_sales_{how}" for kind in ("declared", "invoiced") for how in FALLING]


def any_of(names: list[str], is_so: Callable[[float], bool]) -> Callable[[Row], bool]:
    """Whether any known value of the row is so."""

    def told(row: Row) -> bool:
        values = [value for name in names if (value := number(row, name)) is not None]
        return any(map(is_so, values))

    return told


# What has to be so of an applicant who is told the reason, in the words of the reason.
SO: dict[str, Callable[[Row], bool]] = {
    "R13": any_of([*SALES, "invoices_yoy_3m"], lambda growth: growth < 1),
    "R16": any_of(
        [
            *(f"{what}_{n}m" for what in ("zero_sales_months", "months_without_invoice")
              for n in (12, 24)),
            "months_since_sale",
        ],
        lambda months: months > 0,
    ),
    "R17": any_of(
        [
            "late_returns_24m", "late_returns_12m", "late_returns_share_24m",
            "longest_return_delay_24m", "missing_returns_24m",
        ],
        lambda late: late > 0,
    ),
    "R18": any_of(["tax_arrears", "returns_in_arrears", "oldest_arrears_days"], lambda x: x > 0),
    "R20": any_of(["tax_grade_rank"], lambda rank: rank in (4, 5)),
    "R21": any_of(
        ["declared_months_24m", "invoiced_months_24m"], lambda months: months < 24
    ),
    "R27": any_of([f"electricity_{how}" for how in FALLING], lambda growth: growth < 1),
    "R43": any_of(["sales_growth_position"], lambda share: share < 0.5),
    "R44": any_of(["sales_volatility_position"], lambda share: share > 0.5),
    "R45": any_of(["electricity_growth_position"], lambda share: share < 0.5),
    "R53": any_of(["balance_owed", "running_loans"], lambda owed: owed > 0),
}  # fmt: skip
ALSO_R21 = {"months_since_tax_payment", "months_since_return", "tax_grades_known"}


def contradicted(reasons: tuple[AdverseReason, ...], row: Row) -> list[AdverseReason]:
    """Reasons that are not so of the row."""
    return [
        reason
        for reason in reasons
        if reason.feature not in ALSO_R21 and not SO.get(reason.code, lambda _: True)(row)
    ]


@st.composite
def words(draw: st.DrawFn) -> tuple[list[Spoken], Row]:
    """Some features, plausible values of them or none, and what the model held against each."""
    chosen = draw(st.lists(st.sampled_from(CATALOG), min_size=1, max_size=12, unique=True))
    row = {one.name: draw(_value(one)) for one in chosen}
    return [Spoken(one, draw(st.floats(-1, 1))) for one in chosen], row


def _value(one: Feature) -> st.SearchStrategy[float | str | None]:
    if one.is_category:
        return st.sampled_from(["company", "F52", None])
    low, high = one.plausible or (0, 1)
    near = [value for value in (0.0, 1.0, 2.0, 3.0, 24.0) if low <= value <= high]
    return st.one_of(st.none(), st.sampled_from([low, *near, high]), st.floats(low, high))


@settings(max_examples=200, deadline=None)
@given(words())
def test_no_reason_contradicts_the_drawn_row_it_is_told_of(
    drawn: tuple[list[Spoken], Row],
) -> None:
    spoken, row = drawn
    reasons = adverse_reasons("decline", [], spoken, row)
    assert contradicted(reasons, row) == []
    harmful = sum(word.harm for word in spoken) > 0
    assert reasons or not harmful
    told = [one for one in reasons if one.code == "R32"]
    assert all(row[one.feature or ""] is None or one.feature == "sources_known" for one in told)


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("worst_tax_grade_3y", 4.0, "R50"),
        ("worst_tax_grade_3y", 3.0, "R58"),
        ("tax_grade_rank", 3.0, "R58"),
        ("tax_arrears", 0.0, "R58"),
        ("declared_sales_growth_12m", 1.2, "R58"),
        ("sales_growth_position", 0.8, "R61"),
        ("declared_months_24m", 24.0, "R58"),
        ("tax_paid_12m", 100.0, "R47"),
        ("invoices_monthly_12m", 3.0, "R47"),
        ("electricity_monthly_12m", 90.0, "R47"),
        ("running_loans", 1.0, "R53"),
        ("months_since_penalty", None, "R57"),
        ("days_past_due_now", None, "R38"),
        ("declared_sales_growth_12m", None, "R32"),
    ],
)
def test_a_value_that_counts_against_somebody_is_told_as_what_it_is(
    name: str, value: float | None, code: str
) -> None:
    [one] = [one for one in CATALOG if one.name == name]
    [told] = adverse_reasons("decline", [], [Spoken(one, 0.3)], {name: value})
    assert (told.code, told.feature) == (code, name)
    assert told.text.en.startswith(REASONS[code].english)


def test_no_reason_of_a_trained_scorer_contradicts_its_row(bundle: Bundle) -> None:
    told = 0
    for row in ROWS:
        decision = decide_with(bundle, ASKED, row, SOURCES, NOW, "dec_1")
        spoken = tuple(each for each in decision.reasons if each.contribution is not None)
        assert contradicted(spoken, row) == []
        told += len(spoken)
    assert told > 100
