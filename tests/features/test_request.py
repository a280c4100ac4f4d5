"""The request, and the request against what the departments know, as drawn."""

from datetime import date

import pytest

from features.definition import Feature
from features.request import (
    amount,
    amount_to_declared_sales,
    amount_to_invoiced_sales,
    amount_to_tax_paid,
    debt_to_declared_sales,
    declared_less_electricity_yoy_3m,
    declared_less_invoiced_yoy_3m,
    declared_to_invoiced_sales,
    electricity_to_declared_sales,
    electricity_to_invoiced_sales,
    instalment_to_declared_sales,
    instalment_to_invoiced_margin,
    loan_purpose,
    repayment_form,
    sources_known,
    term,
)
from tests.features.spec import Value, spec

ON = date(2025, 6, 15)
DEPARTMENTS = {
    "tax_returns": """
        business_id | period     | sales_fen | tax_due_fen
        ------------+------------+-----------+------------
        shop        | 2025-03-01 | 4_000_000 |     500_000
        shop        | 2025-04-01 | 2_000_000 |     100_000
        mill        | 2025-04-01 |         0 |           0
    """,
    "invoices": """
        business_id | direction | period     | amount_fen
        ------------+-----------+------------+-----------
        shop        | sales     | 2025-04-01 |  2_500_000
        shop        | purchases | 2025-04-01 |  1_250_000
        mill        | sales     | 2025-04-01 |  1_000_000
        mill        | purchases | 2025-04-01 |  1_000_000
    """,
    "linked_bills": """
        business_id | period     | quantity
        ------------+------------+---------
        shop        | 2025-04-01 |     1500
        mill        | 2025-04-01 |     1500
    """,
    "repayments": """
        business_id | period     | balance_fen
        ------------+------------+------------
        shop        | 2025-04-01 |  24_000_000
    """,
}


@pytest.mark.parametrize(
    ("feature", "value"),
    [
        (amount, 123_456.78),
        (term, 24),
        (loan_purpose, "equipment"),
        (repayment_form, "instalment"),
    ],
    ids=lambda value: value.name if isinstance(value, Feature) else "",
)
def test_the_request_is_taken_as_it_was_made(feature: Feature, value: Value) -> None:
    spec(
        feature,
        applied_on=ON,
        expected={"shop": value},
        amount_fen=12_345_678,
        term_months=24,
        purpose="equipment",
        repayment="instalment",
    )


@pytest.mark.parametrize(
    ("feature", "shop", "mill"),
    [
        (amount_to_declared_sales, 4, None),
        (amount_to_invoiced_sales, 4.8, 12),
        (declared_to_invoiced_sales, 1.2, 0),
        (electricity_to_declared_sales, 50, None),
        (electricity_to_invoiced_sales, 60, 150),
        (amount_to_tax_paid, 20, None),
        (instalment_to_declared_sales, 120 / (12 * 30), None),
        (instalment_to_invoiced_margin, 120 / (12 * 12.5), None),
        (debt_to_declared_sales, (120 + 240) / (12 * 30), None),
    ],
    ids=lambda value: value.name if isinstance(value, Feature) else "",
)
def test_nothing_is_held_against_sales_that_are_zero_or_unknown(
    feature: Feature, shop: Value, mill: Value
) -> None:
    expected = {"shop": shop, "mill": mill, "stranger": None}
    spec(feature, DEPARTMENTS, applied_on=ON, expected=expected, amount_fen=12_000_000)


@pytest.mark.parametrize(("business", "count"), [("shop", 3), ("stall", 1), ("stranger", 0)])
def test_sources_are_counted_that_know_the_business(business: str, count: float) -> None:
    tables = {
        **DEPARTMENTS,
        "registrations": """
            business_id | established_on
            ------------+---------------
            stall       | 2020-01-01
        """,
    }
    spec(sources_known, tables, applied_on=ON, expected={business: count})


YEAR_ON_YEAR = {
    "tax_returns": """
        period     | sales_fen
        -----------+----------
        2024-04-01 | 2_000_000
        2025-04-01 | 3_000_000
    """,
    "invoices": """
        period     | amount_fen
        -----------+-----------
        2024-04-01 |  1_000_000
        2025-04-01 |  2_500_000
    """,
    "linked_bills": """
        period     | quantity
        -----------+---------
        2024-04-01 |     1000
        2025-04-01 |      500
    """,
}


@pytest.mark.parametrize(
    ("feature", "shop"),
    [
        (declared_less_electricity_yoy_3m, 1.5 - 0.5),
        (declared_less_invoiced_yoy_3m, 1.5 - 2.5),
    ],
    ids=lambda value: value.name if isinstance(value, Feature) else "",
)
def test_changes_of_two_sources_are_held_against_each_other(feature: Feature, shop: Value) -> None:
    spec(feature, YEAR_ON_YEAR, applied_on=ON, expected={"shop": shop, "stranger": None})
