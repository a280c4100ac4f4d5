"""What the bank's own loan book tells, as drawn."""

from datetime import date

import pytest

from features.definition import Feature
from features.repayment import balance_owed, earlier_days_past_due, earlier_loans
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
    ("feature", "shop", "mill"),
    [(earlier_loans, 3, 1), (earlier_days_past_due, 35, 0), (balance_owed, 90_000.50, 0)],
    ids=lambda value: value.name if isinstance(value, Feature) else "",
)
def test_each_earlier_loan_counts_with_its_own_newest_known_month(
    feature: Feature, shop: Value, mill: Value
) -> None:
    expected = {"shop": shop, "mill": mill, "stranger": None}
    spec(feature, BOOK, applied_on=date(2025, 6, 30), expected=expected)
