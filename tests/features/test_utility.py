"""What the utility's bills tell, as drawn."""

from datetime import date
from math import sqrt

import pytest

from features.definition import Feature
from features.utility import (
    days_since_utility_record,
    electricity_days_overdue,
    electricity_growth_12m,
    electricity_history_months,
    electricity_lowest_share_12m,
    electricity_meters,
    electricity_monthly_12m,
    electricity_months_24m,
    electricity_trend_6m,
    electricity_volatility_24m,
    electricity_yoy_3m,
    electricity_yoy_6m,
    estimated_bills_share_12m,
    gas_monthly_12m,
    gas_yoy_6m,
    idle_electricity_bills_12m,
    late_utility_bills_3m,
    late_utility_bills_12m,
    late_utility_share_12m,
    link_confidence,
    longest_utility_delay_24m,
    months_since_electricity,
    utility_arrears,
    utility_bills_30_days_late_24m,
    utility_days_overdue,
    water_monthly_12m,
    water_yoy_6m,
)
from tests.features.spec import Value, spec

ON = date(2025, 6, 15)

# Windows start at the newest known month of a service: May 2025 for the shop's electricity.
BILLS = """
    business_id | meter_id | service     | period     | quantity | due_on     | paid_on    | known_on
    ------------+----------+-------------+------------+----------+------------+------------+-----------
    shop        | m1       | electricity | 2023-06-01 |      100 | 2023-07-18 | 2023-07-18 | 2023-07-18
    shop        | m1       | electricity | 2024-03-01 |      300 | 2024-04-18 | 2024-04-18 | 2024-04-18
    shop        | m1       | electricity | 2024-06-01 |      150 | 2024-07-18 | 2024-07-19 | 2024-07-19
    shop        | m1       | electricity | 2025-04-01 |      600 | 2025-05-18 |            | 2025-05-03
    shop        | m1       | electricity | 2025-04-01 |      600 | 2025-05-18 | 2025-05-17 | 2025-05-18
    shop        | m1       | electricity | 2025-05-01 |      450 | 2025-06-10 |            | 2025-06-03
    shop        | m2       | electricity | 2025-05-01 |      400 | 2025-06-18 |            | 2025-06-03
    shop        | m1       | electricity | 2025-06-01 |        0 | 2025-07-18 |            | 2025-07-03
    shop        | w1       | water       | 2025-03-01 |       10 | 2025-04-18 |            | 2025-04-03
    mill        | w2       | water       | 2025-03-01 |       10 | 2025-04-18 | 2025-04-18 | 2025-04-18
"""  # noqa: E501


@pytest.mark.parametrize(
    ("feature", "shop", "mill"),
    [
        (electricity_monthly_12m, (150 + 600 + 450 + 400) / 4, None),
        (electricity_growth_12m, 400 / 200, None),
        (electricity_yoy_3m, (1450 / 3) / 300, None),
        (electricity_lowest_share_12m, 150 / 400, None),
        (late_utility_bills_12m, 3, 0),
        (utility_days_overdue, 58, 0),
        (electricity_days_overdue, 5, 0),
        (months_since_electricity, 1, None),
        (electricity_meters, 2, 0),
        (electricity_yoy_6m, (1450 / 3) / 300, None),
        (electricity_trend_6m, (1450 / 3) / 150, None),
        # 450, 400, 600, 150, 300 and 100 kWh
        (electricity_volatility_24m, sqrt((845_000 - 2_000**2 / 6) / 5) / (2_000 / 6), None),
        (idle_electricity_bills_12m, 0, 0),
        (estimated_bills_share_12m, 0, 0),
        (water_monthly_12m, 10, 10),
        (gas_monthly_12m, None, None),
        (late_utility_bills_3m, 2, 0),
        (late_utility_share_12m, 3 / 5, 0),
        (longest_utility_delay_24m, 58, 0),
        (utility_bills_30_days_late_24m, 1, 0),
        (electricity_months_24m, 5, 0),
        (electricity_history_months, 24, None),
        (days_since_utility_record, 12, 58),
    ],
    ids=lambda value: value.name if isinstance(value, Feature) else "",
)
def test_bills_count_back_from_the_newest_known_month(
    feature: Feature, shop: Value, mill: Value
) -> None:
    expected = {"shop": shop, "mill": mill, "stranger": None}
    spec(feature, BILLS, applied_on=ON, expected=expected)


def test_no_current_is_zero_and_a_share_of_nothing_is_unknown() -> None:
    idle = """
        period     | quantity
        -----------+---------
        2025-04-01 |        0
        2025-05-01 |        0
    """
    after_payment = date(2025, 7, 1)
    spec(electricity_monthly_12m, idle, applied_on=after_payment, expected={"shop": 0})
    spec(electricity_lowest_share_12m, idle, applied_on=after_payment, expected={"shop": None})


def test_the_least_sure_meter_of_the_year_says_how_sure_the_bills_are_theirs() -> None:
    bills = """
        business_id | meter_id | period     | link_probability
        ------------+----------+------------+-----------------
        shop        | m1       | 2024-03-01 |             0.91
        shop        | m1       | 2025-04-01 |             0.97
        shop        | m2       | 2025-05-01 |             0.99
        mill        | m3       | 2025-05-01 |             1.00
    """
    expected: dict[str, Value] = {"shop": 0.97, "mill": 1.0, "stranger": None}
    spec(link_confidence, bills, applied_on=date(2025, 7, 1), expected=expected)


def test_a_withdrawn_link_ends_the_bills_it_attributed() -> None:
    bills = """
        period     | quantity | attributed | known_on
        -----------+----------+------------+-----------
        2025-03-01 |      100 | true       | 2025-04-18
        2025-04-01 |      300 | true       | 2025-05-18
        2025-04-01 |      300 | false      | 2025-06-10
    """
    for day, monthly in [(9, 200), (10, 100)]:
        on = date(2025, 6, day)
        spec(electricity_monthly_12m, bills, applied_on=on, expected={"shop": monthly})
        newest = 2 if day == 9 else 3
        spec(months_since_electricity, bills, applied_on=on, expected={"shop": newest})


def test_water_and_gas_have_a_year_of_their_own() -> None:
    bills = """
        service | period     | quantity
        --------+------------+---------
        water   | 2024-01-01 |       40
        water   | 2024-03-01 |       60
        water   | 2025-01-01 |       10
        water   | 2025-03-01 |       30
        gas     | 2024-04-01 |      200
        gas     | 2025-04-01 |       50
    """
    for feature, value in [
        (water_monthly_12m, 20),
        (water_yoy_6m, 20 / 50),
        (gas_monthly_12m, 50),
        (gas_yoy_6m, 50 / 200),
    ]:
        spec(feature, bills, applied_on=ON, expected={"shop": value})


def test_a_bill_under_a_fifth_of_the_mean_is_a_stoppage() -> None:
    bills = """
        business_id | period     | quantity
        ------------+------------+---------
        shop        | 2025-02-01 |      500
        shop        | 2025-03-01 |      400
        shop        | 2025-04-01 |       50
        mill        | 2025-02-01 |      500
        mill        | 2025-03-01 |      400
        mill        | 2025-04-01 |       75
    """
    expected = {"shop": 1, "mill": 0}
    after_bills = date(2025, 5, 31)
    # 950 / 3 / 5 is 63.3, 975 / 3 / 5 is 65
    spec(idle_electricity_bills_12m, bills, applied_on=after_bills, expected=expected)


def test_estimated_bills_and_open_ones_are_counted_by_number_and_amount() -> None:
    bills = """
        period     | estimated | amount_fen | due_on     | paid_on    | known_on
        -----------+-----------+------------+------------+------------+-----------
        2025-02-01 | true      |     40_000 | 2025-03-18 | 2025-04-17 | 2025-04-18
        2025-03-01 | false     |     50_000 | 2025-04-18 |            | 2025-04-03
        2025-04-01 | false     |     60_000 | 2025-06-14 |            | 2025-05-03
        2025-05-01 | false     |     70_000 | 2025-06-15 |            | 2025-06-03
    """
    for feature, value in [
        (estimated_bills_share_12m, 1 / 4),
        (utility_arrears, 500 + 600),
        # the first was paid on the thirtieth day
        (utility_bills_30_days_late_24m, 1),
        (longest_utility_delay_24m, 58),
    ]:
        spec(feature, bills, applied_on=ON, expected={"shop": value})
