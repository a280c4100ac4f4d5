"""Applicants who dress up their figures: who does, how, and what the departments then see.

The tight are tempted most. What they do raises the old bank's impression and changes the feeds, but
not the cash; every case is listed in the truth.
"""

from typing import NamedTuple

import numpy as np

from pipelines.world.businesses import Bools, Businesses
from pipelines.world.economy import Floats
from pipelines.world.frames import UNKNOWN
from pipelines.world.months import Ints

KINDS = ("none", "inflated invoices", "prepaid tax", "invoice ring", "shared meter")
HONEST, INVOICES, TAX, RING, METER = range(len(KINDS))
TEMPTED = 0.022  # of applicants with a month of cash
IMPRESSES = 0.5  # points of the old score
SPANS = {INVOICES: 3, TAX: 6, RING: 4, METER: 6}  # months before the application
BY_INVOICES, BY_TAX, BY_RING = 2.2, 1.6, 1.9  # times the true figure
RING_SIZE, SHELLS = 4, 3


class Schemes(NamedTuple):
    """One entry per dressed-up application: its position among all, and what was done since when.

    ``row`` is the month of the application in the climate; ``group`` numbers rings and the shells
    that share a meter within the partition, UNKNOWN for those who act alone.
    """

    application: Ints
    business: Ints
    row: Ints
    kind: Ints
    group: Ints


def tempted(b: Businesses, who: Ints, cash: Floats, chance: Floats, which: Floats) -> Ints:
    """The scheme of each applicant of a month; households hardly issue invoices."""
    does = chance < TEMPTED * np.exp(0.5 * np.clip(1.0 - cash, -2.0, 1.0))
    firm = np.array([INVOICES, TAX, RING, METER])[np.minimum((which * 4).astype(np.int64), 3)]
    household = np.where(which < 0.7, TAX, METER)
    return np.where(does, np.where(b.household[who], household, firm), HONEST)


def schemes(kind: Ints, business: Ints, row: Ints) -> Schemes:
    """The dressed-up applications; rings and shells are formed in the order of application."""
    does = np.flatnonzero(kind != HONEST)
    group = np.full(len(does), UNKNOWN)
    for banded, size in ((RING, RING_SIZE), (METER, SHELLS)):
        members = np.flatnonzero(kind[does] == banded)
        group[members] = np.arange(len(members)) // size
    return Schemes(does, business[does], row[does], kind[does], group)


def _stretched(found: Schemes, kind: int, times: float, shape: tuple[int, int]) -> Floats:
    """Ones by month and business, and ``times`` in the months before an application of a kind."""
    factor = np.ones(shape)
    chosen = found.kind == kind
    for back in range(1, SPANS[kind] + 1):
        rows = np.maximum(found.row[chosen] - back, 0)
        factor[rows, found.business[chosen]] = times
    return factor


def invoiced(found: Schemes, shape: tuple[int, int]) -> tuple[Floats, Floats]:
    """What invoices issued and received tell of, over what was sold and bought."""
    ring = _stretched(found, RING, BY_RING, shape)
    return np.maximum(_stretched(found, INVOICES, BY_INVOICES, shape), ring), ring


def declared(found: Schemes, shape: tuple[int, int]) -> Floats:
    """What returns declare over what they otherwise would."""
    return _stretched(found, TAX, BY_TAX, shape)


def punctual(found: Schemes, shape: tuple[int, int]) -> Bools:
    """Months in which who prepays tax neither files late nor owes."""
    return np.asarray(_stretched(found, TAX, 0.0, shape) == 0.0)
