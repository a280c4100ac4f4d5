"""What the bank's own loan book tells, as drawn."""

from datetime import date

import pytest

from features.definition import Feature
from features.repayment import (
    balance_owed,
    days_past_due_now,
    earlier_days_past_due,
    earlier_loans,
    months_past_due_24m,
    months_since_first_loan,
    months_since_last_loan,
    paid_share_of_due,
    renewed_loans,
    repaid_loans,
    running_loans,
)
from tests.features.spec import Value, spec

BOOK = """
    business_id | application_id | period     | worst_days_past_due | balance_fen | state
    ------------+----------------+------------+---------------------+-------------+-----------
    shop        | L1             | 2025-01-01 |                   0 |   3_000_000 | performing
    shop        | L1             | 2025-02-01 |                  35 |   2_000_000 | performing
    shop        | L1             | 2025-03-01 |                  35 |           0 | repaid
    shop        | L2             | 2025-04-01 |                   0 |   9_000_000 | performing
    shop        | L2             | 2025-05-01 |                   4 |   8_000_000 | performing
    shop        | L3             | 2025-04-01 |                   0 |   1_000_050 | renewed
    shop        | L4             | 2025-12-01 |                 999 |   7_000_000 | performing
    mill        | L5             | 2025-04-01 |                   0 |   1_000_000 | repaid
"""


@pytest.mark.parametrize(
    ("feature", "shop", "mill", "stranger"),
    [
        (earlier_loans, 3, 1, 0),
        (earlier_days_past_due, 35, 0, None),
        (balance_owed, 90_000.50, 0, 0),
        (repaid_loans, 1, 1, 0),
        (running_loans, 2, 0, 0),
        (renewed_loans, 1, 0, 0),
        (months_since_first_loan, 5, 2, None),
        (months_since_last_loan, 1, 2, None),
    ],
    ids=lambda value: value.name if isinstance(value, Feature) else "",
)
def test_each_earlier_loan_counts_with_its_own_newest_known_month(
    feature: Feature, shop: Value, mill: Value, stranger: Value
) -> None:
    expected = {"shop": shop, "mill": mill, "stranger": stranger}
    spec(feature, BOOK, applied_on=date(2025, 6, 30), expected=expected)


PAST_DUE = """
    application_id | period     | days_past_due | due_fen | paid_fen | known_on
    ---------------+------------+---------------+---------+----------+-----------
    L1             | 2023-05-01 |            40 |  10_000 |        0 | 2023-06-05
    L1             | 2023-06-01 |            10 |  20_000 |   15_000 | 2023-07-05
    L1             | 2023-07-01 |             5 |  30_000 |   30_000 | 2023-08-05
    L2             | 2025-04-01 |            20 |  10_000 |        0 | 2025-05-05
    L2             | 2025-05-01 |             0 |  20_000 |   20_000 | 2025-06-05
    L3             | 2025-05-01 |             3 |  50_000 |   40_000 | 2025-06-05
    L3             | 2025-06-01 |            33 |  60_000 |   40_000 | 2025-07-05
"""


@pytest.mark.parametrize(
    ("feature", "value"),
    [(days_past_due_now, 5), (months_past_due_24m, 4), (paid_share_of_due, 90 / 100)],
    ids=lambda value: value.name if isinstance(value, Feature) else "",
)
def test_what_is_past_due_is_told_by_the_newest_known_month_and_by_month_ends(
    feature: Feature, value: Value
) -> None:
    spec(feature, PAST_DUE, applied_on=date(2025, 6, 30), expected={"shop": value})


def test_of_a_loan_of_which_nothing_has_fallen_due_no_share_is_known() -> None:
    book = "period | due_fen\n---\n2025-05-01 | 0"
    spec(paid_share_of_due, book, applied_on=date(2025, 6, 30), expected={"shop": None})
