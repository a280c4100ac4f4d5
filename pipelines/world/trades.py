"""The trades of the province: how common each is, how it sells, and what it consumes."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Shares, elasticities and loads follow published figures (register statistics, tariff tables, real
# invoices); margins and sensitivities are ours, set so that default rates by trade come out right.
TABLE = """
trade        code      share  hh  vol miss  net 2020 2022 2025 fest sum  kwh lvl mon gas inv ticket
retail       F52         .27 .78  .88  .52 .022  .55   .3  .02  .15  .3  700  .3  .1 .02 .35    600
wholesale    F51         .17 .48 1.06  .49 .010  .33  .28  .04  .78 .25  450 .25  .1 .01  .8   8000
garments     C18         .11 .53  1.1  .54 .020  .44   .4  .12   .8   0 2200 .75 .55 .04  .8  10000
weaving      C17         .05 .32  .98  .52  .02  .39  .28  .08  .75 .08 9000 .85 .65 .15 .92  21000
machinery    C24+C33     .05 .28  .92  .52 .022  .33  .25  .05  .70  .1 7000 .85 .65 .06 .92  19000
catering     H62        .125  .9 1.02  .64 .018  .88  .45  .03  .18 .28 2900 .55 .35  .7 .25    300
lodging      H61         .01 .55 1.05  .67 .018  .88  .45  .02  .15 .35 3200 .45 .25 .45 .35    400
services     O80+O81     .08 .88  .82  .55 .030   .5  .28    0  .25 .28  700  .4  .2 .12 .25    250
transport    G54         .06 .62 1.04  .52 .010  .44   .4  .05  .55   0  600 .15 .05   0 .75   6000
construction E48+E50    .035 .25 1.24  .52 -.010 .39  .25   .1  .95 .05  600  .2 .05   0 .85  40000
leasing      L72         .02  .3  .95  .55 .022  .28   .2  .02   .4 .38  500 .15 .03   0  .8   7000
information  I65+M74    .025 .25  .95  .55  .03  .11  .12  .02   .4 .38  500 .15 .03   0 .85  12000
agriculture  A01+A05     .01  .4 1.08  .49 .018  .28   .2    0   .1 .05  900  .4  .2   0  .3   4000
"""


@dataclass(frozen=True)
class Trade:
    """One trade, with monthly figures of a typical business.

    ``household`` is the share of individual households; ``volatility`` scales the noise and drift
    of sales; ``contribution`` is the part of a lasting yuan of lost sales that the owner misses in
    cash; ``load_*`` weigh the shocks of those years, ``festival`` the idle days of Spring Festival;
    ``summer`` is the extra electricity of July; ``level`` and ``month`` are its elasticities to
    sales across businesses and over time; ``invoiced`` is the share of sales with an invoice and
    ``ticket`` its size in yuan.
    """

    name: str
    divisions: tuple[str, ...]
    share: float
    household: float
    volatility: float
    contribution: float
    margin: float
    load_2020: float
    load_2022: float
    load_2025: float
    festival: float
    summer: float
    kwh: float
    level: float
    month: float
    gas: float
    invoiced: float
    ticket: float


def _read(line: str) -> Trade:
    name, divisions, *figures = line.split()
    columns = [f.name for f in fields(Trade)[2:]]
    values = dict(zip(columns, map(float, figures), strict=True))
    return Trade(name=name, divisions=tuple(divisions.split("+")), **values)


TRADES = tuple(_read(line) for line in TABLE.strip().splitlines()[1:])
TRADE_NAMES = tuple(trade.name for trade in TRADES)


def by_trade(column: str, trades: Any = None) -> NDArray[np.float64]:
    """One figure of each trade, or of the trade of each business in ``trades``."""
    figures = np.array([getattr(trade, column) for trade in TRADES], dtype=np.float64)
    return figures if trades is None else figures[trades]
