"""What moves everybody at once: seasons, shocks by trade and town, interest, leniency by decree."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.world.months import Ints, festival_days, month_index
from pipelines.world.trades import TRADES, by_trade

Floats = NDArray[np.float64]

DISTRICTS = ("330502", "330503", "330521", "330522", "330523")  # GB/T 2260: Wuxing and neighbours
DISTRICT_SHARES = (0.46, 0.22, 0.11, 0.12, 0.09)

# Mean month index of sales of 482 firm-years of real invoices, Spring Festival taken out.
SEASON = np.array([1.07, 0.94, 0.97, 0.93, 0.94, 0.97, 0.95, 0.98, 0.99, 1.02, 1.08, 1.22])

# One-year loan prime rate from each month, in per cent (published by the central bank).
PRIME_RATES = {
    "2014-01": 5.73, "2015-06": 4.80, "2016-01": 4.30, "2019-08": 4.25, "2019-09": 4.20,
    "2019-11": 4.15, "2020-02": 4.05, "2020-04": 3.85, "2021-12": 3.80, "2022-01": 3.70,
    "2022-08": 3.65, "2023-06": 3.55, "2023-08": 3.45, "2024-07": 3.35, "2024-10": 3.10,
    "2025-05": 3.00,
}  # fmt: skip

# Months in which banks were told to let borrowers defer what falls due on loans granted before.
DECREES = (("2020-03", "2021-03"), ("2022-04", "2022-12"))
# Shocks: the trades they load, first month, worst months, what remains from month to month then.
SHOCKS = (
    ("load_2020", "2020-02", 3, 0.90),
    ("load_2022", "2022-03", 3, 0.78),
    ("load_2022", "2023-01", 1, 0.60),  # the wave of infections after the opening
    ("load_2025", "2025-04", 6, 0.67),
)


@dataclass(frozen=True)
class Climate:
    """The economy month by month; ``start`` is the month index of row 0.

    ``macro`` and ``season`` are log factors on sales by month and trade, ``town`` by month and
    district; ``prime`` is a yearly rate; ``decree`` counts the months since the decree in force
    that lets older loans be deferred, -1 where there is none.
    """

    start: int
    macro: Floats
    season: Floats
    town: Floats
    prime: Floats
    decree: Ints

    def until(self, row: int) -> "Climate":
        """The same economy, ending before ``row``."""
        rows = slice(row)
        return Climate(
            self.start, self.macro[rows], self.season[rows], self.town[rows], self.prime[rows],
            self.decree[rows],
        )  # fmt: skip

    @property
    def months(self) -> Ints:
        """Month index of each row."""
        return self.start + np.arange(len(self.prime))


def climate(start: int, months: int, seed: int) -> Climate:
    """The economy over ``months`` months from ``start``; only the towns' fortunes are drawn."""
    calendar = start + np.arange(months)
    return Climate(
        start=start,
        macro=_macro(calendar),
        season=_season(calendar),
        town=_towns(calendar, seed),
        prime=_prime(calendar),
        decree=_decree(calendar),
    )


def _macro(calendar: Ints) -> Floats:
    """Shocks of early 2020, spring 2022 and the 2025 tariffs, over a slowly worsening mood."""
    years = calendar / 12.0
    mood = np.interp(
        years,
        [2019.0, 2020.0, 2021.0, 2021.8, 2022.5, 2023.3, 2024.0, 2025.0, 2026.0],
        [0.04, 0.04, 0.07, 0.06, 0.02, 0.05, 0.01, -0.01, 0.0],
    )
    shock = mood[:, None] + np.zeros(len(TRADES))
    for load, month, worst, remains in SHOCKS:
        shock -= _blow(calendar, month, worst, remains)[:, None] * by_trade(load)
    return shock


def _blow(calendar: Ints, month: str, length: int, remains: float) -> Floats:
    """1 for ``length`` months from ``month``, fading afterwards."""
    since = calendar - month_index(month)
    return np.asarray(np.where(since < 0, 0.0, np.minimum(1.0, remains ** (since - length + 1.0))))


def _season(calendar: Ints) -> Floats:
    usual = np.log(SEASON[calendar % 12])
    return np.asarray(usual[:, None] - festival_days(calendar)[:, None] * by_trade("festival"))


def _towns(calendar: Ints, seed: int) -> Floats:
    """Slow waves of each town around zero; every partition draws the same ones."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 1_000_003]))
    wave = rng.uniform(0, 2 * np.pi, (2, len(DISTRICTS)))
    years = calendar[:, None] / 12.0
    slow, fast = np.sin(wave[0] + 2 * np.pi * years / 4.0), np.sin(wave[1] + 4.1 * years)
    return np.asarray(0.05 * slow + 0.03 * fast)


def _prime(calendar: Ints) -> Floats:
    since = np.array([month_index(month) for month in PRIME_RATES])
    rates = np.array(list(PRIME_RATES.values())) / 100.0
    return np.asarray(rates[np.clip(np.searchsorted(since, calendar, side="right") - 1, 0, None)])


def _decree(calendar: Ints) -> Ints:
    since = np.full(len(calendar), -1)
    for first, last in DECREES:
        inside = (calendar >= month_index(first)) & (calendar <= month_index(last))
        since = np.where(inside, calendar - month_index(first), since)
    return since
