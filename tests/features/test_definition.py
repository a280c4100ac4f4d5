"""A feature that would mislead is refused when it is declared, and says why."""

import polars as pl
import pytest

from features.catalog import CATALOG, directions, fingerprint, select
from features.definition import Feature, feature
from features.errors import MicroloanError, UnknownName
from features.reasons import REASONS
from features.tables import INVOICES


def declared(
    expression: pl.Expr, *, doc: str = "A sum.", risk: str | None = "rises", undirected: str = "",
    reason: str = "R14", told_if: str = "", unknown: str = "R32",
) -> Feature:  # fmt: skip
    def some_sum() -> pl.Expr:
        return expression

    some_sum.__doc__ = doc
    declare = feature(
        INVOICES,
        unit="yuan",
        reason=reason,
        told_if=told_if,
        unknown=unknown,
        risk=risk,  # type: ignore[arg-type]
        undirected=undirected,
    )
    return declare(some_sum)


VOIDS = pl.col("voids").sum()


def test_the_declaration_says_everything_about_the_feature() -> None:
    one = declared(VOIDS, doc="Voided\n    invoices.")
    assert (one.name, one.meaning, one.department) == ("some_sum", "Voided invoices.", "tax")
    assert one.expression.meta.output_name() == "some_sum"
    assert not one.is_category


def test_no_docstring_is_refused() -> None:
    with pytest.raises(ValueError, match="some_sum has no docstring"):
        declared(VOIDS, doc="")


@pytest.mark.parametrize(("risk", "undirected"), [("rises", "no order"), (None, "")])
def test_a_direction_of_risk_or_the_reason_for_none_is_asked_for_but_not_both(
    risk: str | None, undirected: str
) -> None:
    with pytest.raises(ValueError, match="either a risk or the reason why it has none"):
        declared(VOIDS, risk=risk, undirected=undirected)


def test_an_unknown_reason_is_refused_with_the_nearest_ones() -> None:
    with pytest.raises(UnknownName, match=r"no reason 'R140'.*R14"):
        declared(VOIDS, reason="R140")


@pytest.mark.parametrize(
    ("told_if", "true", "untrue"),
    [
        ("", [-1.0, 0.0, 9.0], []),
        ("> 0", [0.5], [0.0, -1.0]),
        (">= 4", [4.0, 5.0], [3.0]),
        ("== 0", [0.0], [1.0]),
        ("< -0.2 or > 0.2", [-0.3, 0.3], [-0.2, 0.0, 0.2]),
    ],
)
def test_a_reason_is_told_of_the_values_it_is_true_of_and_a_neutral_one_of_others(
    told_if: str, true: list[float], untrue: list[float]
) -> None:
    one = declared(VOIDS, told_if=told_if, unknown="R21")
    assert {one.reason_of(value) for value in true} == {"R14"}
    assert {one.reason_of(value) for value in untrue} <= {"R58"}
    assert one.reason_of(None) == "R21"


@pytest.mark.parametrize("told_if", ["0", "> zero", "> 0 and < 1", "=> 1"])
def test_a_truth_that_cannot_be_read_is_refused(told_if: str) -> None:
    with pytest.raises(ValueError, match="some_sum is told if"):
        declared(VOIDS, told_if=told_if)


@pytest.mark.parametrize(
    "expression",
    [
        VOIDS / 12,
        VOIDS / 365.25,
        VOIDS / -3,
        VOIDS / pl.lit(12, dtype=pl.Int64),
        VOIDS / pl.lit(2.5),
        (VOIDS / 30).max() + 1,
    ],
    ids=str,
)
def test_dividing_by_a_constant_is_refused(expression: pl.Expr) -> None:
    with pytest.raises(ValueError, match="multiply by its reciprocal"):
        declared(expression)


@pytest.mark.parametrize(
    "expression",
    [VOIDS * (1 / 12), VOIDS / pl.col("invoices").sum(), 12 / VOIDS, VOIDS // 12],
    ids=str,
)
def test_multiplying_dividing_by_a_column_and_whole_division_are_not(expression: pl.Expr) -> None:
    assert declared(expression).name == "some_sum"


@pytest.mark.parametrize("expression", [pl.col("voids").std(), pl.col("voids").var()], ids=str)
def test_a_rounded_deviation_is_refused(expression: pl.Expr) -> None:
    with pytest.raises(ValueError, match=r"periods\.volatility"):
        declared(expression)


def test_the_fingerprint_is_the_same_for_the_same_declarations() -> None:
    assert fingerprint([declared(VOIDS)]) == fingerprint([declared(pl.col("voids").sum())])
    assert fingerprint(CATALOG) == fingerprint(select(one.name for one in CATALOG))


def test_the_fingerprint_changes_with_the_expression_the_direction_and_the_order() -> None:
    voids = declared(VOIDS)
    others = [
        declared(VOIDS + 1),
        declared(VOIDS, risk="falls"),
        declared(VOIDS, risk=None, undirected="none"),
        declared(VOIDS, reason="R15"),
    ]
    assert len({fingerprint([one]) for one in [voids, *others]}) == 5
    assert fingerprint([voids, others[0]]) != fingerprint([others[0], voids])


def test_directions_are_signs() -> None:
    features = [
        declared(VOIDS),
        declared(VOIDS, risk="falls"),
        declared(VOIDS, risk=None, undirected="-"),
    ]
    assert [directions([one])["some_sum"] for one in features] == [1, -1, 0]


def test_features_are_selected_in_the_catalogues_order() -> None:
    names = [one.name for one in CATALOG]
    assert [one.name for one in select(reversed(names))] == names


def test_an_unknown_feature_is_named_with_the_nearest_ones() -> None:
    with pytest.raises(MicroloanError, match=r"no feature 'tax_arears'.*did you mean.*tax_arrears"):
        select(["tax_arears"])


def test_a_name_like_no_other_lists_what_there_is() -> None:
    assert "one of C01, C02" in str(UnknownName("reason", "???", REASONS))
