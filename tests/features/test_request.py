"""The request, and the request against what the departments know, as drawn."""

from datetime import date

import pytest

from features.definition import Feature
from features.request import (
    amount,
    amount_to_declared_sales,
    amount_to_invoiced_sales,
    declared_to_invoiced_sales,
    electricity_to_declared_sales,
    loan_purpose,
    repayment_form,
    term,
)
from tests.features.spec import Value, spec

ON = date(2025, 6, 15)
DEPARTMENTS = {
    "tax_returns": """
        business_id | period     | sales_fen
        ------------+------------+----------
        shop        | 2025-03-01 | 4_000_000
        shop        | 2025-04-01 | 2_000_000
        mill        | 2025-04-01 |         0
    """,
    "invoices": """
        business_id | period     | amount_fen
        ------------+------------+-----------
        shop        | 2025-04-01 |  2_500_000
        mill        | 2025-04-01 |  1_000_000
    """,
    "linked_bills": """
        business_id | period     | quantity
        ------------+------------+---------
        shop        | 2025-04-01 |     1500
        mill        | 2025-04-01 |     1500
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
    ],
    ids=lambda value: value.name if isinstance(value, Feature) else "",
)
def test_nothing_is_held_against_sales_that_are_zero_or_unknown(
    feature: Feature, shop: Value, mill: Value
) -> None:
    expected = {"shop": shop, "mill": mill, "stranger": None}
    spec(feature, DEPARTMENTS, applied_on=ON, expected=expected, amount_fen=12_000_000)
