"""What VAT invoices tell, as drawn."""

from datetime import date
from math import sqrt

import pytest

from features.definition import Feature
from features.invoices import (
    busiest_month_share_12m,
    customers_growth_12m,
    customers_monthly_12m,
    days_since_invoice_record,
    invoiced_margin_monthly_12m,
    invoiced_months_24m,
    invoiced_sales_growth_12m,
    invoiced_sales_lowest_share_12m,
    invoiced_sales_monthly_3m,
    invoiced_sales_monthly_12m,
    invoiced_sales_trend_6m,
    invoiced_sales_volatility_24m,
    invoiced_sales_yoy_3m,
    invoiced_sales_yoy_6m,
    invoices_monthly_12m,
    invoices_yoy_3m,
    largest_customer_share_3m,
    largest_customer_share_12m,
    largest_supplier_share_12m,
    months_since_sale,
    months_without_invoice_12m,
    months_without_invoice_24m,
    purchases_growth_12m,
    purchases_to_sales_3m,
    purchases_to_sales_12m,
    purchases_yoy_3m,
    red_letter_share_3m,
    red_letter_share_12m,
    red_letters_per_invoice_12m,
    suppliers_monthly_12m,
    void_share_12m,
)
from tests.features.spec import Value, spec

ON = date(2025, 6, 15)

# Purchases are known to May, sales to April: each series has its own newest month.
INVOICES = """
    business_id | direction | period     | invoices | amount_fen | red_letters | red_letter_fen | voids | counterparties | largest_counterparty_fen
    ------------+-----------+------------+----------+------------+-------------+----------------+-------+----------------+-------------------------
    shop        | sales     | 2023-04-01 |        9 |  9_000_000 |           9 |      9_000_000 |     9 |              9 |                9_000_000
    shop        | sales     | 2024-03-01 |        9 |    100_000 |           9 |         90_000 |     9 |              9 |                   90_000
    shop        | sales     | 2024-04-01 |        9 |    200_000 |           9 |         90_000 |     9 |              9 |                   90_000
    shop        | sales     | 2024-06-01 |        8 |    600_000 |           3 |         30_000 |     1 |              4 |                  300_000
    shop        | sales     | 2025-03-01 |        0 |          0 |           0 |              0 |     0 |              0 |                        0
    shop        | sales     | 2025-04-01 |        1 |    300_000 |           0 |              0 |     2 |              2 |                  240_000
    shop        | purchases | 2024-05-01 |        1 |  5_000_000 |           0 |              0 |     0 |              1 |                5_000_000
    shop        | purchases | 2025-05-01 |        1 |    450_000 |           0 |              0 |     0 |              1 |                  450_000
    mill        | purchases | 2025-05-01 |        1 |    450_000 |           0 |              0 |     0 |              1 |                  450_000
    idle        | sales     | 2025-03-01 |        0 |          0 |           0 |              0 |     0 |              0 |                        0
    idle        | sales     | 2025-04-01 |        0 |          0 |           0 |              0 |     0 |              0 |                        0
"""  # noqa: E501


@pytest.mark.parametrize(
    ("feature", "shop", "mill", "idle"),
    [
        (invoiced_sales_monthly_12m, 3_000, None, 0),
        (invoiced_sales_growth_12m, 300_000 / 150_000, None, None),
        (invoiced_sales_yoy_3m, 150_000 / 150_000, None, None),
        (invoiced_sales_volatility_24m, sqrt(212_000 / 4) / 240, None, None),
        (months_without_invoice_12m, 1, 0, 2),
        (invoices_monthly_12m, 3, None, 0),
        (red_letter_share_12m, 30 / 900, None, None),
        (void_share_12m, 3 / 12, None, None),
        (customers_monthly_12m, 2, None, 0),
        (largest_customer_share_12m, 540 / 900, None, None),
        (purchases_to_sales_12m, 450 / 900, None, None),
        (invoiced_sales_monthly_3m, 1_500, None, 0),
        (invoiced_sales_yoy_6m, 150_000 / 150_000, None, None),
        (invoiced_sales_trend_6m, 150_000 / 600_000, None, None),
        (invoices_yoy_3m, 0.5 / 9, None, None),
        (invoiced_sales_lowest_share_12m, 0, None, None),
        (busiest_month_share_12m, 600 / 900, None, None),
        (months_without_invoice_24m, 1, 0, 2),
        (months_since_sale, 2, None, None),
        (invoiced_months_24m, 5, 0, 2),
        (days_since_invoice_record, 10, 10, 41),
        (red_letter_share_3m, 0, None, None),
        (red_letters_per_invoice_12m, 3 / 9, None, None),
        (customers_growth_12m, 2 / 9, None, None),
        (largest_customer_share_3m, 240 / 300, None, None),
        (purchases_to_sales_3m, 450 / 300, None, None),
        (purchases_growth_12m, 450 / 5_000, None, None),
        (purchases_yoy_3m, 450 / 5_000, None, None),
        (invoiced_margin_monthly_12m, -1_500, None, None),
        (suppliers_monthly_12m, 1, 1, None),
        (largest_supplier_share_12m, 1, 1, None),
    ],
    ids=lambda value: value.name if isinstance(value, Feature) else "",
)
def test_invoices_count_back_from_the_newest_known_month_of_their_direction(
    feature: Feature, shop: Value, mill: Value, idle: Value
) -> None:
    expected = {"shop": shop, "mill": mill, "idle": idle, "stranger": None}
    spec(feature, INVOICES, applied_on=ON, expected=expected)


def test_volatility_needs_three_months() -> None:
    invoices = """
        business_id | period     | amount_fen
        ------------+------------+-----------
        two         | 2025-03-01 |    100_000
        two         | 2025-04-01 |    300_000
        three       | 2025-02-01 |    200_000
        three       | 2025-03-01 |    200_000
        three       | 2025-04-01 |    200_000
    """
    spec(
        invoiced_sales_volatility_24m,
        invoices,
        applied_on=ON,
        expected={"two": None, "three": 0},
    )


def test_the_lowest_month_is_held_against_the_mean_month() -> None:
    invoices = """
        period     | amount_fen
        -----------+-----------
        2025-02-01 |    500_000
        2025-03-01 |    100_000
        2025-04-01 |    300_000
    """
    expected = {"shop": 1 / 3}
    spec(invoiced_sales_lowest_share_12m, invoices, applied_on=ON, expected=expected)
