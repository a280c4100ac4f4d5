"""What the utility's bills tell, as drawn."""

from datetime import date

import pytest

from features.definition import Feature
from features.utility import (
    electricity_growth_12m,
    electricity_lowest_share_12m,
    electricity_meters,
    electricity_monthly_12m,
    electricity_yoy_3m,
    late_utility_bills_12m,
    months_since_electricity,
    utility_days_overdue,
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
        (months_since_electricity, 1, None),
        (electricity_meters, 2, 0),
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
