"""What is asked for, as far as policy looks at it."""

from datetime import date
from typing import NamedTuple

from serving.policy.instalments import Repayment


class Asked(NamedTuple):
    """A request on a day: yuan, months, and whether a guarantee fund shall stand behind it."""

    amount: int
    on: date
    term_months: int = 12
    repayment: Repayment = "bullet"
    guaranteed: bool = False
