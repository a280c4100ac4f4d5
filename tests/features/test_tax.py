"""What returns, grades and invoices tell, as drawn."""

from datetime import date
from math import sqrt

import pytest

from features.definition import Feature
from features.tax import (
    amended_returns_24m,
    customers_monthly_12m,
    declared_months_24m,
    declared_sales_growth_12m,
    declared_sales_monthly_12m,
    declared_sales_volatility_24m,
    declared_sales_yoy_3m,
    invoiced_sales_growth_12m,
    invoiced_sales_monthly_12m,
    invoiced_sales_volatility_24m,
    invoiced_sales_yoy_3m,
    invoices_monthly_12m,
    is_assessed_levy,
    largest_customer_share_12m,
    late_returns_24m,
    missing_returns_24m,
    months_since_return,
    months_without_invoice_12m,
    purchases_to_sales_12m,
    red_letter_share_12m,
    tax_arrears,
    tax_grade_rank,
    tax_paid_12m,
    void_share_12m,
    zero_sales_months_12m,
)
from tests.features.spec import Value, spec

ON = date(2025, 6, 15)

# A return is due on the 15th after its period. The newest VAT month known on the day is April;
# that of May, filed on the 16th of June, comes too late.
RETURNS = """
    business_id | tax    | period     | months | amendment | filed_on   | sales_fen | tax_due_fen | tax_paid_fen | levy     | known_on
    ------------+--------+------------+--------+-----------+------------+-----------+-------------+--------------+----------+-----------
    shop        | vat    | 2023-04-01 |      1 |         0 | 2023-05-20 |    50_000 |           0 |            0 | actual   | 2023-05-21
    shop        | vat    | 2024-03-01 |      1 |         0 | 2024-04-15 |   100_000 |           0 |            0 | actual   | 2024-04-16
    shop        | vat    | 2024-04-01 |      1 |         0 | 2024-05-15 |   200_000 |       4_000 |        3_000 | actual   | 2024-05-16
    shop        | vat    | 2024-06-01 |      1 |         0 | 2024-07-15 |   500_000 |       9_000 |        9_000 | actual   | 2024-07-16
    shop        | vat    | 2024-06-01 |      1 |         1 | 2024-09-01 |   600_000 |      10_000 |        9_000 | actual   | 2024-09-02
    shop        | vat    | 2025-02-01 |      1 |         0 |            |           |             |              | actual   | 2025-03-16
    shop        | vat    | 2025-03-01 |      1 |         0 | 2025-04-16 |         0 |           0 |            0 | actual   | 2025-04-17
    shop        | vat    | 2025-04-01 |      1 |         0 | 2025-05-15 |   300_000 |       9_000 |        9_000 | assessed | 2025-05-16
    shop        | vat    | 2025-05-01 |      1 |         0 | 2025-06-16 |   999_999 |       9_999 |            0 | actual   | 2025-06-17
    shop        | income | 2025-01-01 |      3 |         0 | 2025-04-14 |   900_000 |      20_000 |            0 | actual   | 2025-04-15
    mill        | vat    | 2024-07-01 |      3 |         0 | 2024-10-15 |         0 |           0 |            0 | assessed | 2024-10-16
    mill        | vat    | 2024-10-01 |      3 |         0 | 2025-01-15 |   600_000 |           0 |            0 | assessed | 2025-01-16
    mill        | vat    | 2025-01-01 |      3 |         0 | 2025-04-15 |   900_000 |           0 |            0 | actual   | 2025-04-16
    idle        | income | 2025-01-01 |      3 |         0 | 2025-04-15 |   900_000 |      20_000 |       20_000 | actual   | 2025-04-16
"""  # noqa: E501

# Purchases are known to May, sales to April: each series has its own newest month.
INVOICES = """
    business_id | direction | period     | invoices | amount_fen | red_letter_fen | voids | counterparties | largest_counterparty_fen
    ------------+-----------+------------+----------+------------+----------------+-------+----------------+-------------------------
    shop        | sales     | 2023-04-01 |        9 |  9_000_000 |      9_000_000 |     9 |              9 |                9_000_000
    shop        | sales     | 2024-03-01 |        9 |    100_000 |         90_000 |     9 |              9 |                   90_000
    shop        | sales     | 2024-04-01 |        9 |    200_000 |         90_000 |     9 |              9 |                   90_000
    shop        | sales     | 2024-06-01 |        8 |    600_000 |         30_000 |     1 |              4 |                  300_000
    shop        | sales     | 2025-03-01 |        0 |          0 |              0 |     0 |              0 |                        0
    shop        | sales     | 2025-04-01 |        1 |    300_000 |              0 |     2 |              2 |                  240_000
    shop        | purchases | 2024-05-01 |        1 |  5_000_000 |              0 |     0 |              1 |                5_000_000
    shop        | purchases | 2025-05-01 |        1 |    450_000 |              0 |     0 |              1 |                  450_000
    mill        | purchases | 2025-05-01 |        1 |    450_000 |              0 |     0 |              1 |                  450_000
    idle        | sales     | 2025-03-01 |        0 |          0 |              0 |     0 |              0 |                        0
    idle        | sales     | 2025-04-01 |        0 |          0 |              0 |     0 |              0 |                        0
"""  # noqa: E501


@pytest.mark.parametrize(
    ("feature", "shop", "mill", "idle"),
    [
        # 300,000 and 0 and 600,000 fen in three filed months; 1,500,000 fen in nine
        (declared_sales_monthly_12m, 3_000, 15_000 / 9, None),
        (declared_sales_growth_12m, 300_000 / 150_000, None, None),
        (declared_sales_yoy_3m, 150_000 / 150_000, None, None),
        # of 300, 0, 600, 200, 100 thousand: mean 240, squares of deviations sum to 212,000
        (declared_sales_volatility_24m, sqrt(212_000 / 4) / 240, sqrt(420_000 / 2) / 500, None),
        (zero_sales_months_12m, 1, 3, 0),
        (late_returns_24m, 1, 0, 0),
        (missing_returns_24m, 1, 0, 0),
        (amended_returns_24m, 1, 0, 0),
        (tax_arrears, 10 + 10 + 200, 0, 0),
        (tax_paid_12m, 90 + 90, 0, 200),
        (declared_months_24m, 5, 9, 0),
        (months_since_return, 2, 3, None),
        (is_assessed_levy, 1, 0, 0),
    ],
    ids=lambda value: value.name if isinstance(value, Feature) else "",
)
def test_returns_count_back_from_the_newest_known_month_of_their_tax(
    feature: Feature, shop: Value, mill: Value, idle: Value
) -> None:
    expected = {"shop": shop, "mill": mill, "idle": idle, "stranger": None}
    spec(feature, RETURNS, applied_on=ON, expected=expected)


def test_the_month_of_the_application_and_older_than_24_are_not_among_the_last_24() -> None:
    returns = """
        period     | filed_on   | sales_fen
        -----------+------------+----------
        2023-05-01 | 2023-06-15 |         1
        2023-06-01 | 2023-07-15 |         1
        2025-05-01 | 2025-06-10 |         1
        2025-06-01 | 2025-06-10 |         1
    """
    spec(declared_months_24m, returns, applied_on=ON, expected={"shop": 2})


def test_of_two_versions_known_on_one_day_the_higher_amendment_holds() -> None:
    returns = """
        period     | amendment | sales_fen | known_on
        -----------+-----------+-----------+-----------
        2025-04-01 |         1 |   300_000 | 2025-05-20
        2025-04-01 |         2 |   500_000 | 2025-05-20
        2025-04-01 |         0 |   100_000 | 2025-05-20
    """
    spec(declared_sales_monthly_12m, returns, applied_on=ON, expected={"shop": 5_000})


def test_tax_is_in_arrears_from_the_day_after_it_was_due() -> None:
    returns = """
        period     | filed_on   | tax_due_fen | tax_paid_fen | known_on
        -----------+------------+-------------+--------------+-----------
        2025-05-01 | 2025-06-02 |      30_000 |       10_000 | 2025-06-03
    """
    for day, arrears in [(15, 0), (16, 200)]:
        spec(tax_arrears, returns, applied_on=date(2025, 6, day), expected={"shop": arrears})


def test_volatility_is_of_sales_a_month_however_long_the_period() -> None:
    returns = """
        period     | months | sales_fen
        -----------+--------+----------
        2024-10-01 |      3 |   300_000
        2025-01-01 |      1 |   100_000
        2025-02-01 |      1 |   100_000
    """
    spec(declared_sales_volatility_24m, returns, applied_on=ON, expected={"shop": 0})


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


def test_the_grade_of_the_newest_year_counts_once_it_is_published() -> None:
    grades = """
        business_id | year | grade | known_on
        ------------+------+-------+-----------
        shop        | 2024 | B     | 2025-04-10
        shop        | 2024 | C     | 2025-06-15
        shop        | 2023 | A     | 2025-06-01
        mill        | 2023 | D     | 2024-04-10
        mill        | 2024 | A     | 2025-06-16
    """
    expected = {"shop": 4, "mill": 5, "stranger": None}
    spec(tax_grade_rank, grades, applied_on=ON, expected=expected)
