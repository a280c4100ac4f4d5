"""What returns and grades tell, as drawn."""

from datetime import date
from math import sqrt

import pytest

from features.definition import Feature
from features.tax import (
    amended_returns_24m,
    days_since_tax_record,
    declared_months_24m,
    declared_sales_growth_12m,
    declared_sales_lowest_share_12m,
    declared_sales_monthly_3m,
    declared_sales_monthly_12m,
    declared_sales_trend_6m,
    declared_sales_volatility_24m,
    declared_sales_yoy_3m,
    declared_sales_yoy_6m,
    income_tax_share_12m,
    is_assessed_levy,
    is_monthly_filer,
    late_returns_12m,
    late_returns_24m,
    late_returns_share_24m,
    longest_return_delay_24m,
    missing_returns_24m,
    months_since_return,
    months_since_tax_payment,
    oldest_arrears_days,
    past_arrears_24m,
    returns_in_arrears,
    tax_arrears,
    tax_grade_change,
    tax_grade_rank,
    tax_grades_known,
    tax_paid_12m,
    tax_paid_share_24m,
    vat_burden_12m,
    worst_tax_grade_3y,
    zero_sales_months_12m,
    zero_sales_months_24m,
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
        (declared_sales_monthly_3m, 1_500, 3_000, None),
        (declared_sales_yoy_6m, 150_000 / 150_000, None, None),
        (declared_sales_trend_6m, 150_000 / 600_000, None, None),
        (declared_sales_lowest_share_12m, 0, 0, None),
        (zero_sales_months_24m, 1, 3, 0),
        (late_returns_12m, 1, 0, 0),
        # one of March and April 2024, March and April 2025, and the income tax
        (late_returns_share_24m, 1 / 5, 0, 0),
        (longest_return_delay_24m, 92, 0, 0),
        (returns_in_arrears, 3, 0, 0),
        (oldest_arrears_days, 396, 0, 0),
        (tax_paid_share_24m, 21 / 43, None, 1),
        (vat_burden_12m, 19 / 900, 0, None),
        (income_tax_share_12m, 20 / 900, None, 20 / 900),
        (months_since_tax_payment, 2, None, 3),
        (days_since_tax_record, 30, 60, 60),
        (is_monthly_filer, 1, 0, 0),
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


def test_of_a_quarter_that_reaches_beyond_the_window_the_months_inside_count() -> None:
    quarters = [date(2023 + at // 4, 3 * (at % 4) + 1, 1) for at in range(1, 9)]
    months = [date(2025, month, 1) for month in (4, 5)]  # a monthly filer since the second quarter
    drawn = "period | months\n-------+-------\n"
    drawn += "".join(f"{period} | 3\n" for period in quarters)
    drawn += "".join(f"{period} | 1\n" for period in months)
    on = date(2025, 6, 20)
    for feature in (declared_months_24m, zero_sales_months_24m):
        spec(feature, drawn, applied_on=on, expected={"shop": 24})
    spec(zero_sales_months_12m, drawn, applied_on=on, expected={"shop": 12})


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


def test_the_lowest_month_is_held_against_the_mean_however_long_the_period() -> None:
    returns = """
        period     | months | sales_fen
        -----------+--------+----------
        2024-10-01 |      3 |   300_000
        2025-01-01 |      1 |   250_000
        2025-02-01 |      1 |   250_000
    """
    expected = {"shop": 100_000 / 160_000}
    spec(declared_sales_lowest_share_12m, returns, applied_on=ON, expected=expected)


def test_arrears_are_past_once_a_payment_is_known_over_90_days_after_the_due_day() -> None:
    returns = """
        period     | due_on     | tax_due_fen | tax_paid_fen | amendment | known_on
        -----------+------------+-------------+--------------+-----------+-----------
        2024-10-01 | 2024-11-15 |       9_000 |        4_000 |         0 | 2024-11-16
        2024-10-01 | 2024-11-15 |       9_000 |        9_000 |         0 | 2025-02-14
        2024-11-01 | 2024-12-15 |       9_000 |        9_000 |         0 | 2025-03-15
        2024-12-01 | 2025-01-15 |       9_000 |        9_000 |         1 | 2025-06-10
        2025-01-01 | 2025-02-15 |       9_000 |        8_999 |         0 | 2025-06-10
        2025-02-01 | 2025-03-15 |           0 |            0 |         0 | 2025-06-14
        2025-03-01 | 2025-04-15 |       9_000 |        9_000 |         0 | 2025-04-16
    """
    for day, count in [(date(2025, 2, 13), 0), (date(2025, 2, 14), 1), (ON, 1)]:
        spec(past_arrears_24m, returns, applied_on=day, expected={"shop": count})


def test_volatility_is_of_sales_a_month_however_long_the_period() -> None:
    returns = """
        period     | months | sales_fen
        -----------+--------+----------
        2024-10-01 |      3 |   300_000
        2025-01-01 |      1 |   100_000
        2025-02-01 |      1 |   100_000
    """
    spec(declared_sales_volatility_24m, returns, applied_on=ON, expected={"shop": 0})


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
    for feature, shop, mill in [
        (tax_grade_rank, 4, 5),
        (tax_grade_change, 3, None),
        (worst_tax_grade_3y, 4, 5),
        (tax_grades_known, 2, 1),
    ]:
        expected = {"shop": shop, "mill": mill, "stranger": None}
        spec(feature, grades, applied_on=ON, expected=expected)


def test_the_worst_grade_is_of_the_newest_three() -> None:
    grades = """
        year | grade
        -----+------
        2021 | D
        2022 | B
        2023 | C
        2024 | A
    """
    spec(worst_tax_grade_3y, grades, applied_on=ON, expected={"shop": 4})
    spec(tax_grade_change, grades, applied_on=ON, expected={"shop": -3})
