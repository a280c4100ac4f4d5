"""Each contract accepts a sound row and refuses each kind of broken one, under the rule's name."""

from datetime import UTC, date, datetime
from typing import Any

import dataframely as dy
import polars as pl
import pytest
from stdnum.cn import uscc

from features.catalog import CATALOG
from features.tables import FEEDS, TABLES, UtilityBills, is_credit_code

CODE = "91330100799655058B"
REAL_CODES = ("914403001922038216", "9144030071526726XG", CODE, "91110000802100433B")
ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def day(text: str) -> date:
    return date.fromisoformat(text)


SOUND: dict[str, dict[str, Any]] = {
    "registrations": {
        "business_id": CODE, "effective_on": day("2020-01-01"), "established_on": day("2020-01-01"),
        "legal_form": "company", "status": "operating", "industry": "C18", "district": "330502",
        "registered_capital_fen": 1, "owner_sex": None, "owner_is_local": None,
        "known_on": day("2020-01-01"),
    },
    "registration_events": {
        "business_id": CODE, "event": "penalty", "happened_on": day("2020-01-01"),
        "amount_fen": None, "known_on": day("2020-01-01"),
    },
    "tax_returns": {
        "business_id": CODE, "tax": "vat", "period": day("2025-01-01"), "months": 1, "amendment": 0,
        "levy": "actual", "due_on": day("2025-02-01"), "filed_on": day("2025-01-02"),
        "sales_fen": 0, "tax_due_fen": 0, "tax_paid_fen": None, "known_on": day("2025-01-02"),
    },
    "tax_grades": {
        "business_id": CODE, "year": 2024, "grade": "M", "known_on": day("2025-01-01"),
    },
    "invoices": {
        "business_id": CODE, "direction": "sales", "period": day("2025-01-01"), "invoices": 1,
        "amount_fen": 5, "red_letters": 0, "red_letter_fen": 0, "voids": 0, "counterparties": 1,
        "largest_counterparty_fen": 5, "known_on": day("2025-02-01"),
    },
    "registered_names": {
        "business_id": CODE, "effective_on": day("2020-01-01"), "name": "店",
        "representative": None, "address": None, "phone_hash": "0123456789abcdef",
        "known_on": day("2020-01-01"),
    },
    "meters": {
        "meter_id": "1", "service": "gas", "account_name": "店", "address": "路",
        "phone_hash": None,
        "business_id": None, "from_on": day("2020-01-01"), "to_on": day("2020-01-01"),
        "known_on": day("2020-01-01"),
    },
    "utility_bills": {
        "meter_id": "1", "period": day("2025-01-01"), "quantity": 0, "estimated": False,
        "amount_fen": 0, "billed_on": day("2025-02-01"), "due_on": day("2025-02-01"),
        "paid_on": day("2025-02-01"), "known_on": day("2025-02-01"),
    },
    "applications": {
        "application_id": "A", "business_id": CODE,
        "applied_at": datetime(2025, 1, 1, 16, tzinfo=UTC), "amount_fen": 1, "term_months": 1,
        "purpose": "stock", "repayment": "bullet", "outcome": None, "granted_fen": None,
        "granted_on": None, "known_on": day("2025-01-02"),
    },
    "repayments": {
        "application_id": "A", "business_id": CODE, "period": day("2025-01-01"), "days_past_due": 0,
        "worst_days_past_due": 0, "balance_fen": 0, "due_fen": 5, "paid_fen": 5, "state": "repaid",
        "known_on": day("2025-02-01"),
    },
}  # fmt: skip
SOUND["peers"] = {
    "business_id": CODE, "peers": 0, "sales_growth_percentile": 0, "sales_growth_median": 0.0,
    "sales_volatility_percentile": 99, "vat_burden_percentile": None,
    "purchases_to_sales_percentile": None, "electricity_growth_percentile": None,
    "electricity_to_sales_percentile": None, "known_on": day("2025-02-01"),
}  # fmt: skip
SOUND["linked_bills"] = {
    **SOUND["utility_bills"], "business_id": CODE, "service": "gas", "link_probability": 1.0,
    "attributed": True,
}  # fmt: skip
SOUND["links"] = {
    "meter_id": "1", "service": "gas", "from_on": day("2020-01-01"), "to_on": None,
    "business_id": CODE, "link_probability": 0.0, "known_on": day("2020-01-01"),
}  # fmt: skip


def broken_rules(name: str, *rows: dict[str, Any]) -> set[str]:
    frame = pl.DataFrame(list(rows), schema=TABLES[name].dtypes)
    _, failure = TABLES[name].schema.filter(frame)
    return set(failure.counts())


@pytest.mark.parametrize("name", TABLES)
def test_a_sound_row_passes_at_the_very_edge_of_every_rule(name: str) -> None:
    assert broken_rules(name, SOUND[name]) == set()


BROKEN = [
    ("registrations", "established_before_known", {"established_on": day("2020-01-02")}),
    ("registrations", "effective_before_known", {"effective_on": day("2020-01-02")}),
    ("registrations", "business_id|check__credit_code", {"business_id": CODE[:-1] + "C"}),
    ("registrations", "industry|regex", {"industry": "18"}),
    ("registrations", "industry|regex", {"industry": "U18"}),
    ("registrations", "district|regex", {"district": "33050"}),
    ("registrations", "registered_capital_fen|min", {"registered_capital_fen": -1}),
    ("registrations", "registered_capital_fen|max", {"registered_capital_fen": 10**14 + 1}),
    ("registrations", "status|nullability", {"status": None}),
    ("registered_names", "effective_before_known", {"effective_on": day("2020-01-02")}),
    ("registered_names", "name|min_length", {"name": ""}),
    ("registered_names", "phone_hash|regex", {"phone_hash": "138 0000 0000"}),
    ("registration_events", "happened_before_known", {"happened_on": day("2020-01-02")}),
    ("tax_returns", "period|resolution", {"period": day("2025-01-02")}),
    ("tax_returns", "months|is_in", {"months": 2}),
    ("tax_returns", "amendment|min", {"amendment": -1}),
    ("tax_returns", "due_after_period", {"due_on": day("2025-01-31")}),
    ("tax_returns", "filed_before_known", {"filed_on": day("2025-01-03")}),
    ("tax_returns", "filed_after_period_began", {"filed_on": day("2025-01-01")}),
    ("tax_returns", "figures_only_when_filed", {"filed_on": None}),
    ("tax_returns", "figures_only_when_filed", {"sales_fen": None}),
    ("tax_grades", "year|min", {"year": 2013}),
    ("tax_grades", "known_after_its_year", {"year": 2025}),
    ("tax_grades", "grade|nullability", {"grade": None}),
    ("invoices", "largest_within_total", {"largest_counterparty_fen": 6}),
    ("invoices", "known_after_month", {"known_on": day("2025-01-31")}),
    ("invoices", "invoices|min", {"invoices": -1}),
    ("meters", "ends_after_it_began", {"to_on": day("2019-12-31")}),
    ("meters", "began_before_known", {"from_on": day("2020-01-02"), "to_on": None}),
    ("meters", "business_id|check__credit_code", {"business_id": "me"}),
    ("meters", "meter_id|min_length", {"meter_id": ""}),
    ("meters", "account_name|max_length", {"account_name": "店" * 201}),
    ("meters", "phone_hash|regex", {"phone_hash": "0123456789ABCDEF"}),
    ("links", "linked_with_a_probability", {"link_probability": None}),
    ("links", "linked_with_a_probability", {"business_id": None}),
    ("links", "link_probability|max", {"link_probability": 1.01}),
    ("utility_bills", "billed_before_known", {"billed_on": day("2025-02-02")}),
    ("utility_bills", "billed_after_month", {"billed_on": day("2025-01-31")}),
    ("utility_bills", "due_after_billed", {"due_on": day("2025-01-31")}),
    ("utility_bills", "paid_before_known", {"paid_on": day("2025-02-02")}),
    ("utility_bills", "paid_before_known", {"paid_on": day("2025-01-31")}),
    ("utility_bills", "quantity|max", {"quantity": 10**9 + 1}),
    ("applications", "granted_has_amount_and_day", {"outcome": "granted"}),
    ("applications", "granted_has_amount_and_day", {"granted_fen": 1}),
    ("applications", "granted_has_amount_and_day", {"granted_on": day("2025-01-02")}),
    ("applications", "known_after_applied", {"known_on": day("2025-01-01")}),
    ("applications", "amount_fen|min", {"amount_fen": 0}),
    ("applications", "term_months|max", {"term_months": 121}),
    ("repayments", "paid_within_due", {"paid_fen": 6}),
    ("repayments", "known_after_month", {"known_on": day("2025-01-31")}),
    ("repayments", "days_past_due|min", {"days_past_due": -1}),
    ("linked_bills", "business_id|check__credit_code", {"business_id": "me"}),
    ("linked_bills", "attributed|nullability", {"attributed": None}),
]


@pytest.mark.parametrize(("name", "rule", "change"), BROKEN)
def test_a_broken_row_breaks_the_rule_that_names_it(
    name: str, rule: str, change: dict[str, Any]
) -> None:
    assert rule in broken_rules(name, {**SOUND[name], **change})


@pytest.mark.parametrize("name", TABLES)
def test_every_rule_across_columns_has_a_row_that_breaks_it(name: str) -> None:
    inherited = UtilityBills if name == "linked_bills" else dy.Schema
    own = set(dir(TABLES[name].schema)) - set(dir(inherited)) - set(TABLES[name].dtypes)
    assert own == {rule for table, rule, _ in BROKEN if table == name and "|" not in rule}


@pytest.mark.parametrize("name", TABLES)
def test_two_rows_of_one_key_and_day_break_the_primary_key(name: str) -> None:
    assert "primary_key" in broken_rules(name, SOUND[name], SOUND[name])


@pytest.mark.parametrize("name", [name for name in TABLES if name != "applications"])
def test_a_restatement_known_later_is_another_row(name: str) -> None:
    later = {**SOUND[name], "known_on": day("2025-06-01")}
    assert broken_rules(name, SOUND[name], later) == set()


@pytest.mark.parametrize("name", TABLES)
def test_a_key_and_its_versions_are_columns_of_the_contract(name: str) -> None:
    table = TABLES[name]
    primary = set(table.schema.primary_key())
    assert {*table.key, *table.version} <= set(table.dtypes)
    assert {*table.version, *table.key} - {"service"} <= primary | {"business_id"}
    assert set(table.series) <= set(table.key)
    assert table.entity in table.dtypes


def test_feeds_are_the_tables_that_departments_deliver() -> None:
    assert set(TABLES) - set(FEEDS) == {"links", "linked_bills", "peers"}


def test_only_the_owners_traits_are_sensitive() -> None:
    assert {name: TABLES[name].sensitive for name in TABLES if TABLES[name].sensitive} == {
        "registrations": ("owner_sex", "owner_is_local")
    }


def test_no_feature_reads_a_personal_table() -> None:
    personal = {name for name, table in TABLES.items() if table.personal}
    assert personal == {"registered_names"}
    assert not personal & {feature.source.name for feature in CATALOG if feature.source}


@pytest.mark.parametrize("code", REAL_CODES)
def test_credit_codes_in_use_pass(code: str) -> None:
    assert is_credit_code(code)


@pytest.mark.parametrize("code", REAL_CODES)
def test_a_credit_code_with_any_one_sign_wrong_fails(code: str) -> None:
    for place in range(18):
        for sign in ALPHABET:
            if sign != code[place]:
                assert not is_credit_code(code[:place] + sign + code[place + 1 :])


@pytest.mark.parametrize("code", REAL_CODES)
def test_a_credit_code_with_two_neighbours_swapped_fails(code: str) -> None:
    for i in range(17):
        swapped = code[:i] + code[i + 1] + code[i] + code[i + 2 :]
        assert swapped == code or not is_credit_code(swapped)


@pytest.mark.parametrize(
    "code",
    [
        "",
        CODE[:17],
        CODE.lower(),
        f" {CODE}",
        f"{CODE[:9]}-{CODE[9:]}",
        f"-{CODE[1:]}",
        f"９{CODE[1:]}",
    ],
)
def test_a_credit_code_is_eighteen_plain_capitals_and_digits(code: str) -> None:
    assert not is_credit_code(code)


@pytest.mark.parametrize("code", REAL_CODES)
def test_a_code_whose_last_digit_agrees_but_not_that_of_the_organisation_fails(code: str) -> None:
    other = code[:16] + ("1" if code[16] != "1" else "2")
    assert not is_credit_code(other + uscc.calc_check_digit(other))
