"""What the register tells, as drawn."""

from datetime import date

import pytest

from features.definition import Feature
from features.registration import (
    abnormal_listings_24m,
    address_changes_24m,
    annual_reports_missed_36m,
    business_age_months,
    capital_reductions_24m,
    days_since_register_record,
    industry,
    is_listed_abnormal,
    is_operating,
    judgment_amount_24m,
    judgment_debts_24m,
    legal_form,
    months_since_abnormal_listing,
    months_since_control_change,
    months_since_judgment,
    months_since_penalty,
    penalties_24m,
    penalty_amount_24m,
    register_changes_24m,
    registered_capital,
    representative_changes_24m,
    shareholder_changes_24m,
)
from tests.features.spec import Value, spec

ON = date(2026, 1, 1)

REGISTER = """
    business_id | established_on | legal_form | status    | industry | registered_capital_fen | known_on
    ------------+----------------+------------+-----------+----------+------------------------+-----------
    shop        | 2025-01-01     | household  | operating | F52      |                        | 2025-01-05
    mill        | 2020-01-01     | company    | operating | C17      |            500_000_000 | 2020-01-05
    mill        | 2020-01-01     | company    | suspended | C18      |            300_000_000 | 2025-12-31
    mill        | 2020-01-01     | company    | revoked   | C18      |            300_000_000 | 2026-01-02
"""  # noqa: E501

EVENTS = """
    business_id | event                        | happened_on | amount_fen | known_on
    ------------+------------------------------+-------------+------------+-----------
    shop        | penalty                      | 2025-12-31  |    100_000 | 2025-12-31
    shop        | penalty                      | 2024-01-02  |            | 2024-02-02
    shop        | penalty                      | 2024-01-01  |    500_000 | 2024-02-01
    shop        | penalty                      | 2025-12-20  |            | 2026-01-02
    shop        | judgment_debtor              | 2025-06-01  |  7_000_000 | 2025-08-01
    shop        | annual_report_missed         | 2025-07-01  |            | 2025-07-01
    shop        | annual_report_missed         | 2023-01-01  |            | 2023-01-01
    shop        | annual_report_missed         | 2022-12-31  |            | 2023-01-01
    mill        | legal_representative_changed | 2021-01-01  |            | 2021-01-10
    mill        | shareholder_changed          | 2024-12-31  |            | 2025-01-10
    mill        | address_changed              | 2025-05-05  |            | 2025-05-10
    mill        | capital_reduced              | 2025-05-05  |            | 2025-05-10
    mill        | abnormal_listed              | 2023-01-01  |            | 2023-01-01
    mill        | abnormal_listed              | 2025-01-01  |            | 2025-01-01
    mill        | abnormal_removed             | 2025-03-01  |            | 2025-03-01
"""


@pytest.mark.parametrize(
    ("feature", "shop", "mill", "stranger"),
    [
        (business_age_months, 12, 72, None),
        (is_operating, 1, 0, None),
        (legal_form, "household", "company", None),
        (industry, "F52", "C18", None),
        (registered_capital, None, 3_000_000, None),
        (days_since_register_record, 361, 1, None),
    ],
    ids=lambda value: value.name if isinstance(value, Feature) else "",
)
def test_the_state_known_last_is_the_state(
    feature: Feature, shop: Value, mill: Value, stranger: Value
) -> None:
    expected = {"shop": shop, "mill": mill, "stranger": stranger}
    spec(feature, REGISTER, applied_on=ON, expected=expected)


@pytest.mark.parametrize(
    ("feature", "shop", "mill", "stranger"),
    [
        (months_since_control_change, None, 366 * 12 / 365.25, None),
        (register_changes_24m, 0, 2, 0),
        (address_changes_24m, 0, 1, 0),
        (representative_changes_24m, 0, 0, 0),
        (shareholder_changes_24m, 0, 1, 0),
        (capital_reductions_24m, 0, 1, 0),
        (is_listed_abnormal, 0, 0, 0),
        (abnormal_listings_24m, 0, 1, 0),
        (months_since_abnormal_listing, None, 365 * 12 / 365.25, None),
        (penalties_24m, 2, 0, 0),
        (penalty_amount_24m, 1_000, 0, 0),
        (months_since_penalty, 1 * 12 / 365.25, None, None),
        (judgment_debts_24m, 1, 0, 0),
        (judgment_amount_24m, 70_000, 0, 0),
        (months_since_judgment, 214 * 12 / 365.25, None, None),
        (annual_reports_missed_36m, 2, 0, 0),
    ],
    ids=lambda value: value.name if isinstance(value, Feature) else "",
)
def test_events_count_from_the_day_they_happened_once_they_are_known(
    feature: Feature, shop: Value, mill: Value, stranger: Value
) -> None:
    expected = {"shop": shop, "mill": mill, "stranger": stranger}
    spec(feature, EVENTS, applied_on=ON, expected=expected)


def test_a_change_of_the_legal_representative_counts_for_24_months() -> None:
    events = """
        event                        | happened_on
        -----------------------------+------------
        legal_representative_changed | 2024-01-02
        legal_representative_changed | 2024-01-01
    """
    spec(representative_changes_24m, events, applied_on=ON, expected={"shop": 1})


@pytest.mark.parametrize(
    ("listed", "removed", "stands"),
    [
        ("2025-03-01", "2025-05-01", 0),
        ("2025-05-01", "2025-03-01", 1),
        ("2025-05-01", "2026-01-02", 1),
        ("2025-05-01", "2025-05-01", 0),
    ],
)
def test_a_listing_stands_until_its_removal_is_known(
    listed: str, removed: str, stands: float
) -> None:
    events = f"""
        event            | happened_on
        -----------------+------------
        abnormal_listed  | {listed}
        abnormal_removed | {removed}
    """
    spec(is_listed_abnormal, events, applied_on=ON, expected={"shop": stands})


@pytest.mark.parametrize(
    ("established", "on", "months"),
    [
        ("2024-01-01", date(2026, 1, 1), 24),
        ("2024-01-02", date(2026, 1, 1), 23),
        ("2023-03-01", date(2025, 3, 1), 24),  # through a leap year
        ("2024-02-29", date(2026, 2, 28), 24),  # the month has no such day: its last
        ("2024-02-29", date(2026, 2, 27), 23),
        ("2025-08-31", date(2026, 2, 28), 6),
        ("2026-01-01", date(2026, 1, 1), 0),
    ],
)
def test_a_business_is_as_old_as_its_calendar_months(
    established: str, on: date, months: int
) -> None:
    register = f"established_on\n---\n{established}"
    spec(business_age_months, register, applied_on=on, expected={"shop": months})
