"""The catalogue as a whole."""

from dataclasses import replace
from pathlib import Path

import pytest

from features import invoices, peers, registration, repayment, request, tax, utility
from features.catalog import CATALOG, MODULES
from features.definition import Feature
from features.reasons import NEUTRAL, REASONS
from features.tables import TABLES


def test_every_feature_of_every_module_is_in_the_catalogue_once() -> None:
    assert set(MODULES) == {registration, tax, invoices, utility, repayment, peers, request}
    declared = {
        value.name
        for module in MODULES
        for value in vars(module).values()
        if isinstance(value, Feature)
    }
    names = [one.name for one in CATALOG]
    assert len(names) == len(set(names))
    assert set(names) == declared


def test_a_feature_of_the_row_comes_after_what_it_reads() -> None:
    seen: set[str] = set()
    for one in CATALOG:
        if one.source is None:
            read = set(one.expression.meta.root_names())
            assert read & {other.name for other in CATALOG} <= seen, one.name
        seen.add(one.name)


@pytest.mark.parametrize("one", CATALOG, ids=lambda one: one.name)
def test_a_number_has_a_plausible_range_and_a_category_no_direction(one: Feature) -> None:
    if one.is_category:
        assert one.risk is None
    else:
        low, high = one.plausible or (0, 1)
        assert one.unit == "flag" or one.plausible
        assert low < high


@pytest.mark.parametrize("one", CATALOG, ids=lambda one: one.name)
def test_a_feature_is_specified_by_a_drawn_table(one: Feature) -> None:
    [module] = [module for module in MODULES if one.name in vars(module)]
    spec = Path(__file__).with_name(f"test_{module.__name__.split('.')[1]}.py").read_text()
    assert spec.count(one.name) >= 2, f"{one.name} is imported and specified in {module.__name__}"


def test_a_feature_without_a_drawn_table_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    forgotten = replace(CATALOG[0], name="nobody_drew_it")
    monkeypatch.setattr(MODULES[0], forgotten.name, forgotten, raising=False)
    with pytest.raises(AssertionError, match="nobody_drew_it is imported and specified"):
        test_a_feature_is_specified_by_a_drawn_table(forgotten)


def test_departments_are_those_of_the_tables_and_the_request() -> None:
    departments = {table.department for table in TABLES.values()}
    assert {one.department for one in CATALOG} == departments | {"request"}


def test_reasons_are_numbered_by_family_and_told_in_both_languages() -> None:
    credit = len(REASONS) - 4
    assert credit >= 36
    codes = [f"R{i + 1:02d}" for i in range(credit)] + [f"C{i + 1:02d}" for i in range(4)]
    assert list(REASONS) == codes
    for reason in REASONS.values():
        assert reason.english.isascii()
        assert any("一" <= sign <= "鿿" for sign in reason.chinese), reason.code


@pytest.mark.parametrize("one", [one for one in CATALOG if one.risk], ids=lambda one: one.name)
def test_the_reason_of_a_directed_feature_is_true_on_its_risky_side_only(one: Feature) -> None:
    risky = {"rises": {">", ">=", "=="}, "falls": {"<", "<=", "=="}}[one.risk or ""]
    assert {operation for operation, _ in one.bounds} <= risky


def test_no_credit_reason_is_a_status_of_the_process() -> None:
    codes = {code for one in CATALOG for code in (one.reason, one.unknown)} | {*NEUTRAL.values()}
    assert all(REASONS[code].family != "process" for code in codes)
    assert set(NEUTRAL) == {one.department for one in CATALOG}
