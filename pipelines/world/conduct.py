"""What a month does to a business's conduct: filings, taxes, court debts, the abnormal list.

Little cash and little discipline make each of these likelier; none of them acts back on the cash.
"""

from dataclasses import dataclass

import numpy as np

from pipelines.world.businesses import Bools, Businesses
from pipelines.world.economy import Floats


@dataclass
class Conduct:
    """Flags by month and business; a filing flag counts only where a return falls due."""

    files_late: Bools
    cannot_pay_tax: Bools
    court_debt: Bools
    abnormal: Bools
    pays_bills_late: Bools


def tightness(cash: Floats) -> Floats:
    """How far cash lies below two months of sales, on the log scale."""
    return np.asarray(0.75 - np.log(np.maximum(cash, 0.08)))


def conduct_of_month(businesses: Businesses, cash: Floats, chance: Floats) -> Conduct:
    """Draw the month's conduct of each business; ``chance`` holds five uniforms of each."""
    d, tight = businesses.discipline, tightness(cash)
    return Conduct(
        files_late=_happens(-5.3 - 1.2 * d + 2.80 * tight, chance[0]),
        cannot_pay_tax=_happens(-7.95 - 1.0 * d + 3.45 * tight, chance[1]),
        court_debt=_happens(-9.05 - 0.5 * d + 1.90 * tight, chance[2]),
        abnormal=_happens(-6.0 - 0.6 * d + 0.70 * tight, chance[3]),
        pays_bills_late=_happens(-6.65 - 0.7 * d + 2.55 * tight, chance[4]),
    )


def _happens(logit: Floats, chance: Floats) -> Bools:
    return np.asarray(chance < 1.0 / (1.0 + np.exp(-logit)))
