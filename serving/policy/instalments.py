"""What a loan costs month by month, in whole fen, exact to the last one.

Interest is simple: every month costs a twelfth of the annual rate on the principal still owed,
rounded to the nearest fen (half a fen up). The last payment settles whatever rounding left.
"""

from functools import lru_cache
from typing import Literal, NamedTuple

Repayment = Literal["bullet", "instalment"]

YEAR = 120_000  # twelve months of 10,000 basis points: a month's interest is owed * bp / YEAR


class Payment(NamedTuple):
    """One month's payment, and what is owed before it; fen."""

    principal: int
    interest: int
    owed: int

    @property
    def total(self) -> int:
        """What the borrower pays in the month."""
        return self.principal + self.interest


@lru_cache(maxsize=4096)  # a way to yes prices the same few loans over and over
def schedule(
    amount_fen: int, rate_bp: int, months: int, repayment: Repayment
) -> tuple[Payment, ...]:
    """The monthly payments of a loan; their principal sums to ``amount_fen``.

    Args:
        amount_fen: principal, at least 1.
        rate_bp: annual rate, basis points, at least 0.
        months: term, at least 1.
        repayment: ``bullet`` pays interest monthly and the principal at the end; ``instalment``
            pays the same sum every month.
    """
    regular = instalment(amount_fen, rate_bp, months) if repayment == "instalment" else 0
    payments, owed = [], amount_fen
    for month in range(1, months + 1):
        interest = interest_of(owed, rate_bp)
        principal = owed if month == months else min(max(regular - interest, 0), owed)
        payments.append(Payment(principal, interest, owed))
        owed -= principal
    return tuple(payments)


@lru_cache(maxsize=4096)
def instalment(amount_fen: int, rate_bp: int, months: int) -> int:
    """The equal monthly payment of an annuity, rounded to the nearest fen; exact in integers."""
    if rate_bp == 0:
        return _nearest(amount_fen, months)
    grown, whole = (YEAR + rate_bp) ** months, YEAR**months
    return _nearest(amount_fen * rate_bp * grown, YEAR * (grown - whole))


def interest_of(owed_fen: int, rate_bp: int) -> int:
    """A month's interest, rounded to the nearest fen."""
    return _nearest(owed_fen * rate_bp, YEAR)


def _nearest(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)
