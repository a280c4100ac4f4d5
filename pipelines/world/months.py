"""Months and days as whole numbers, and the days of Spring Festival."""

import re

import numpy as np
from numpy.typing import NDArray

from features.errors import MicroloanError

Ints = NDArray[np.int64]

EPOCH = 1970 * 12

# First day of the lunar year (Spring Festival), as published in the official calendar.
SPRING_FESTIVALS = [
    "2014-01-31",
    "2015-02-19",
    "2016-02-08",
    "2017-01-28",
    "2018-02-16",
    "2019-02-05",
    "2020-01-25",
    "2021-02-12",
    "2022-02-01",
    "2023-01-22",
    "2024-02-10",
    "2025-01-29",
    "2026-02-17",
    "2027-02-06",
    "2028-01-26",
    "2029-02-13",
]


def month_index(text: str) -> int:
    """Number of months since 0000-01 of ``text``, written as 2025-12."""
    if not re.fullmatch(r"20[0-9]{2}-(0[1-9]|1[0-2])", text):
        raise MicroloanError(f"{text!r} is not a month. Hint: write it as 2025-12.")
    year, month = text.split("-")
    return int(year) * 12 + int(month) - 1


def first_day(month: Ints | int) -> Ints:
    """Days since 1970-01-01 of the first day of each month."""
    months = (np.asarray(month, dtype=np.int64) - EPOCH).astype("datetime64[M]")
    return np.asarray(months.astype("datetime64[D]").astype(np.int64))


def last_day(month: Ints | int) -> Ints:
    """Days since 1970-01-01 of the last day of each month."""
    return first_day(np.asarray(month) + 1) - 1


def month_of(day: Ints | int) -> Ints:
    """Month in which each day lies."""
    days = np.asarray(day, dtype=np.int64).astype("datetime64[D]")
    return np.asarray(days.astype("datetime64[M]").astype(np.int64)) + EPOCH


def festival_days(month: Ints) -> NDArray[np.float64]:
    """Share of the 20 idle days around Spring Festival (6 before, 13 after) in each month."""
    starts = np.array(SPRING_FESTIVALS, dtype="datetime64[D]").astype(np.int64) - 6
    begin = np.maximum(first_day(month)[:, None], starts)
    end = np.minimum(last_day(month)[:, None] + 1, starts + 20)
    return np.asarray(np.clip(end - begin, 0, 20).sum(axis=1) / 20.0)
