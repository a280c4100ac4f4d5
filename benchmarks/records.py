"""Records of made-up businesses, drawn in bulk: the shape of the feeds without their causes.

The province (``pipelines.world``) makes records that mean something; a benchmark of speed needs
only their number, their types and their mess: lags, restatements, missing returns, two kinds of
filers. A bucket of 1,000 businesses takes about a tenth of a second.
"""

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features import tables as t

Ints = NDArray[np.int64]
FIRST_MONTH = 12 * 2022  # months since year 0
DAY = np.timedelta64(1, "D")


def bucket(first: int, businesses: int, months: int, seed: int) -> dict[str, pl.DataFrame]:
    """All tables of ``businesses`` numbered from ``first``; ``applications`` among them."""
    rng = np.random.default_rng([seed, first])
    number = np.arange(first, first + businesses)
    drawn = {
        t.APPLICATIONS: _applications(rng, number, months),
        t.REGISTRATIONS: _registrations(rng, number, months),
        t.REGISTRATION_EVENTS: _events(rng, number, months),
        t.TAX_RETURNS: _returns(rng, number, months),
        t.TAX_GRADES: _grades(rng, number, months),
        t.INVOICES: _invoices(rng, number, months),
        t.LINKED_BILLS: _bills(rng, number, months),
        t.REPAYMENTS: _repayments(rng, number, months),
    }
    return {table.name: _frame(table, columns) for table, columns in drawn.items()}


def _frame(table: t.Table, columns: Mapping[str, object]) -> pl.DataFrame:
    """``columns`` in the contract's types, sorted as the store sorts them."""
    frame = pl.DataFrame(dict(columns))
    typed = frame.select(
        (pl.col(name) if name in columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in table.dtypes.items()
    )
    return typed.sort(list(dict.fromkeys(("business_id", *table.key, *table.version))))


def _code(number: Ints) -> NDArray[np.str_]:
    return np.char.add("91330502MA", np.char.zfill(number.astype("U8"), 8))


def _month(month: Ints) -> NDArray[np.datetime64]:
    """First day of ``month`` of the benchmark's calendar."""
    return (month + FIRST_MONTH - 12 * 1970).astype("datetime64[M]").astype("datetime64[D]")


def _grid(number: Ints, periods: Ints) -> tuple[Ints, Ints]:
    """Every business crossed with every period."""
    return np.repeat(number, len(periods)), np.tile(periods, len(number))


def _fen(rng: np.random.Generator, number: Ints, spread: float = 0.4) -> Ints:
    """Monthly amounts: a level that belongs to the business, times noise."""
    level = 3e6 * np.exp(1.2 * np.sin(number * 12.9898))
    return (level * np.exp(rng.normal(0, spread, len(number)))).astype(np.int64)


def _pick(rng: np.random.Generator, values: tuple[str, ...], count: int) -> NDArray[np.str_]:
    return np.array(values)[rng.integers(0, len(values), count)]


def _applications(rng: np.random.Generator, number: Ints, months: int) -> dict[str, object]:
    """Two applications of each business, in the last two thirds of the calendar."""
    who = np.repeat(number, 2)
    day = _month(np.zeros_like(who)) + rng.integers(months * 10, months * 30, len(who)) * DAY
    second = rng.integers(0, 86_400, len(who)).astype("timedelta64[s]")
    return {
        "application_id": np.char.add("A", (who * 2 + np.tile([0, 1], len(number))).astype("U10")),
        "business_id": _code(who),
        "applied_at": pl.Series(day.astype("datetime64[us]") + second).dt.replace_time_zone("UTC"),
        "amount_fen": rng.integers(5, 500, len(who)) * 100_000,
        "term_months": rng.choice([6, 12, 24, 36], len(who)),
        "purpose": _pick(rng, t.PURPOSES, len(who)),
        "repayment": _pick(rng, t.REPAYMENT_FORMS, len(who)),
        "known_on": day + DAY,
    }


def _registrations(rng: np.random.Generator, number: Ints, months: int) -> dict[str, object]:
    """The state at entry, and for a fifth of businesses a later one."""
    changed = number[rng.random(len(number)) < 0.2]
    who = np.concatenate([number, changed])
    since = np.concatenate([np.zeros_like(number), rng.integers(1, months, len(changed))])
    return {
        "business_id": _code(who),
        "effective_on": _month(since),
        "established_on": _month(-np.asarray(who % 200) - 1),
        "legal_form": np.array(t.LEGAL_FORMS)[who % len(t.LEGAL_FORMS)],
        "status": np.where(since > 0, _pick(rng, t.STATUSES, len(who)), "operating"),
        "industry": np.char.add("F", (51 + who % 2).astype("U2")),
        "district": "330502",
        "registered_capital_fen": rng.integers(1, 1000, len(who)) * 1_000_000,
        "known_on": _month(since) + 5 * DAY,
    }


def _events(rng: np.random.Generator, number: Ints, months: int) -> dict[str, object]:
    who = np.repeat(number, rng.poisson(1.5, len(number)))
    happened = _month(np.zeros_like(who)) + rng.integers(0, months * 30, len(who)) * DAY
    events = {
        "business_id": _code(who),
        "event": _pick(rng, t.EVENTS, len(who)),
        "happened_on": happened,
        "known_on": happened + rng.integers(1, 60, len(who)) * DAY,
    }
    return pl.DataFrame(events).unique(["business_id", "event", "happened_on"]).to_dict()


def _returns(rng: np.random.Generator, number: Ints, months: int) -> dict[str, object]:
    """Monthly VAT of three in ten businesses, quarterly of the others, income tax by quarter."""
    parts = [
        _filed(rng, number[number % 10 < 3], np.arange(months), 1, "vat"),
        _filed(rng, number[number % 10 >= 3], np.arange(0, months, 3), 3, "vat"),
        _filed(rng, number, np.arange(0, months, 3), 3, "income"),
    ]
    return pl.concat(parts).to_dict()


def _filed(
    rng: np.random.Generator, number: Ints, periods: Ints, length: int, tax: str
) -> pl.DataFrame:
    who, period = _grid(number, periods)
    due = _month(period + length) + 14 * DAY
    filed = due - rng.integers(-20, 14, len(who)) * DAY
    sales = np.where(rng.random(len(who)) < 0.05, 0, _fen(rng, who) * length)
    returns = pl.DataFrame(
        {
            "business_id": _code(who),
            "tax": tax,
            "period": _month(period),
            "months": np.full(len(who), length),
            "amendment": np.zeros(len(who), np.int64),
            "levy": np.where(who % 4 == 0, "assessed", "actual"),
            "due_on": due,
            "filed_on": filed,
            "sales_fen": sales,
            "tax_due_fen": sales // 33,
            "tax_paid_fen": np.where(rng.random(len(who)) < 0.9, sales // 33, 0),
            "known_on": filed + 3 * DAY,
        }
    )
    return pl.concat([_some_missing(rng, returns), _amended(rng, returns)])


def _some_missing(rng: np.random.Generator, returns: pl.DataFrame) -> pl.DataFrame:
    """Two in a hundred returns are known to be missing when due."""
    missing = pl.lit(pl.Series(rng.random(returns.height) < 0.02))
    figures = ("filed_on", "sales_fen", "tax_due_fen", "tax_paid_fen")
    return returns.with_columns(
        pl.when(missing).then(pl.col("due_on").dt.offset_by("1d")).otherwise("known_on")
        .alias("known_on"),
        *(pl.when(~missing).then(pl.col(name)).alias(name) for name in figures),
    )  # fmt: skip


def _amended(rng: np.random.Generator, returns: pl.DataFrame) -> pl.DataFrame:
    """Three in a hundred are filed again half a year later, with other sales."""
    later = returns.filter(pl.Series(rng.random(returns.height) < 0.03))
    return later.with_columns(
        pl.lit(1, pl.Int64).alias("amendment"),
        pl.col("known_on").dt.offset_by("180d"),
        (pl.col("sales_fen") * 11 // 10).alias("sales_fen"),
    ).select(returns.columns)


def _grades(rng: np.random.Generator, number: Ints, months: int) -> dict[str, object]:
    """Grades of half the businesses, each April."""
    who, year = _grid(number[number % 2 == 0], np.arange(months // 12))
    return {
        "business_id": _code(who),
        "year": 2022 + year,
        "grade": _pick(rng, t.GRADES, len(who)),
        "known_on": _month(12 * (year + 1) + 3) + 9 * DAY,
    }


def _invoices(rng: np.random.Generator, number: Ints, months: int) -> dict[str, object]:
    who, series = _grid(number, np.arange(2 * months))
    amount = np.where(rng.random(len(who)) < 0.1, 0, _fen(rng, who))
    count = np.where(amount > 0, 1 + rng.poisson(20, len(who)), 0)
    return {
        "business_id": _code(who),
        "direction": np.where(series < months, "sales", "purchases"),
        "period": _month(series % months),
        "invoices": count,
        "amount_fen": amount,
        "red_letters": rng.integers(0, 3, len(who)),
        "red_letter_fen": amount // 50,
        "voids": rng.integers(0, 3, len(who)),
        "counterparties": (count + 1) // 2,
        "largest_counterparty_fen": amount // 3,
        "known_on": _month(series % months + 1) + rng.integers(1, 12, len(who)) * DAY,
    }


def _bills(rng: np.random.Generator, number: Ints, months: int) -> dict[str, object]:
    """Electricity of all, water of half; a third of bills come twice, open and then paid."""
    power = _billed(rng, number, months, "electricity")
    water = _billed(rng, number[number % 2 == 0], months, "water")
    once = pl.concat([power, water])
    open_first = once.filter(pl.Series(rng.random(once.height) < 0.33)).with_columns(
        pl.lit(None, pl.Date).alias("paid_on"), pl.col("billed_on").dt.offset_by("1d")
        .alias("known_on"),
    )  # fmt: skip
    return pl.concat([once, open_first]).to_dict()


def _billed(rng: np.random.Generator, number: Ints, months: int, service: str) -> pl.DataFrame:
    who, period = _grid(number, np.arange(months))
    billed = _month(period + 1) + 2 * DAY
    paid = billed + rng.integers(1, 30, len(who)) * DAY
    return pl.DataFrame(
        {
            "meter_id": np.char.add(service[0], who.astype("U10")),
            "period": _month(period),
            "quantity": _fen(rng, who) // 1000,
            "estimated": False,
            "amount_fen": _fen(rng, who) // 20,
            "billed_on": billed,
            "due_on": billed + 15 * DAY,
            "paid_on": paid,
            "known_on": paid + DAY,
            "business_id": _code(who),
            "service": service,
            "attributed": True,
        }
    )


def _repayments(rng: np.random.Generator, number: Ints, months: int) -> dict[str, object]:
    """An earlier loan of one business in five, of twelve months."""
    borrowers = number[number % 5 == 0]
    who, month = _grid(borrowers, np.arange(12))
    late = np.where(rng.random(len(who)) < 0.1, rng.integers(1, 60, len(who)), 0)
    return {
        "application_id": np.char.add("L", who.astype("U10")),
        "business_id": _code(who),
        "period": _month(month + who % (months // 2)),
        "days_past_due": late,
        "worst_days_past_due": np.maximum.accumulate(late.reshape(-1, 12), axis=1).ravel(),
        "balance_fen": 12_000_000 - 1_000_000 * month,
        "due_fen": 1_000_000 * (month + 1),
        "paid_fen": 1_000_000 * (month + 1),
        "state": np.where(month == 11, "repaid", "performing"),
        "known_on": _month(month + 1 + who % (months // 2)) + 4 * DAY,
    }
