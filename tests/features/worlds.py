"""Random small worlds for Hypothesis: a few businesses with records of every table.

Records obey the order of their own dates (a bill is known after it was billed), and little else:
versions in any number, periods that overlap, series with holes, days known in any order.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import polars as pl
from hypothesis import strategies as st

from features import tables as t

BUSINESSES = ("mill", "shop", "stall")
FIRST, LAST = date(2022, 1, 1), date(2025, 12, 31)
SETTLED, LATE = date(2023, 6, 1), date(2025, 1, 1)
PERCENTILES = tuple(name for name in t.PEERS.dtypes if name.endswith("_percentile"))
Row = dict[str, Any]
World = dict[str, list[Row]]

_fen = st.one_of(st.integers(0, 300), st.integers(0, 10**14))
_small = st.integers(0, 5)
_business = st.sampled_from(BUSINESSES)
_day = st.dates(FIRST, LAST)
_lag = st.integers(0, 200)


@st.composite
def _period(draw: st.DrawFn) -> date:
    month = draw(st.integers(0, 47))
    return date(2022 + month // 12, month % 12 + 1, 1)


def _end(period: date, months: int = 1) -> date:
    month = period.month - 1 + months
    return date(period.year + month // 12, month % 12 + 1, 1)


def _row_of(make: Callable[[st.DrawFn], Row]) -> Callable[[], st.SearchStrategy[Row]]:
    """A strategy for rows of any business, from what ``make`` draws."""

    @st.composite
    def rows(draw: st.DrawFn) -> Row:
        return {"business_id": draw(_business), **make(draw)}

    return rows


def _after(draw: st.DrawFn, day: date) -> date:
    return day + timedelta(days=draw(_lag))


@_row_of
def registrations(draw: st.DrawFn) -> Row:
    established = draw(_day)
    effective = _after(draw, established)
    return {
        "effective_on": effective,
        "established_on": draw(st.none() | st.just(established)),
        "legal_form": draw(st.sampled_from(t.LEGAL_FORMS)),
        "status": draw(st.sampled_from(t.STATUSES)),
        "industry": draw(st.sampled_from(("C18", "F52", None))),
        "district": "330502",
        "registered_capital_fen": draw(st.none() | _fen),
        "owner_sex": draw(st.sampled_from(("female", "male"))),
        "owner_is_local": draw(st.booleans()),
        "known_on": _after(draw, effective),
    }


@_row_of
def registration_events(draw: st.DrawFn) -> Row:
    happened = draw(_day)
    return {
        "event": draw(st.sampled_from(t.EVENTS)),
        "happened_on": happened,
        "amount_fen": draw(st.none() | _fen),
        "known_on": _after(draw, happened),
    }


@_row_of
def tax_returns(draw: st.DrawFn) -> Row:
    period, months = draw(_period()), draw(st.sampled_from((1, 1, 3, 12)))
    due = _end(period, months) + timedelta(days=14)
    filed = draw(st.none() | _lag.map(lambda days: due + timedelta(days=days - 20)))
    figure = st.none() if filed is None else _fen
    return {
        "tax": draw(st.sampled_from(("vat", "vat", "income"))),
        "period": period,
        "months": months,
        "amendment": draw(st.integers(0, 2)),
        "levy": draw(st.sampled_from(("actual", "assessed"))),
        "due_on": due,
        "filed_on": filed,
        "sales_fen": draw(figure),
        "tax_due_fen": draw(figure),
        "tax_paid_fen": draw(figure),
        "known_on": _after(draw, filed or due),
    }


@_row_of
def tax_grades(draw: st.DrawFn) -> Row:
    year = draw(st.integers(2021, 2024))
    return {
        "year": year,
        "grade": draw(st.sampled_from(t.GRADES)),
        "known_on": _after(draw, date(year + 1, 4, 1)),
    }


@_row_of
def invoices(draw: st.DrawFn) -> Row:
    period = draw(_period())
    amount = draw(_fen)
    return {
        "direction": draw(st.sampled_from(("sales", "sales", "purchases"))),
        "period": period,
        "invoices": draw(_small),
        "amount_fen": amount,
        "red_letters": draw(_small),
        "red_letter_fen": draw(_fen),
        "voids": draw(_small),
        "counterparties": draw(_small),
        "largest_counterparty_fen": amount // 3,
        "known_on": _after(draw, _end(period)),
    }


@_row_of
def linked_bills(draw: st.DrawFn) -> Row:
    period = draw(_period())
    billed = _after(draw, _end(period))
    paid = draw(st.none() | _lag.map(lambda days: billed + timedelta(days=days)))
    return {
        "meter_id": draw(st.sampled_from(("m1", "m2"))),
        "period": period,
        "quantity": draw(st.integers(0, 10**9)),
        "estimated": draw(st.booleans()),
        "amount_fen": draw(_fen),
        "billed_on": billed,
        "due_on": billed + timedelta(days=15),
        "paid_on": paid,
        "known_on": _after(draw, paid or billed),
        "service": draw(st.sampled_from(("electricity", "electricity", "water", "gas"))),
        "link_probability": draw(st.sampled_from((0.9, 0.99, 1.0))),
        "attributed": draw(st.sampled_from((True, True, True, False))),
    }


@_row_of
def repayments(draw: st.DrawFn) -> Row:
    period = draw(_period())
    business = draw(_business)
    worst = draw(st.integers(0, 400))
    return {
        "business_id": business,
        "application_id": f"{business}-{draw(st.integers(1, 2))}",
        "period": period,
        "days_past_due": draw(st.integers(0, worst)),
        "worst_days_past_due": worst,
        "balance_fen": draw(_fen),
        "due_fen": draw(_fen),
        "paid_fen": draw(_small),
        "state": draw(st.sampled_from(t.LOAN_STATES)),
        "known_on": _after(draw, _end(period)),
    }


@_row_of
def peers(draw: st.DrawFn) -> Row:
    percentiles = {name: draw(st.none() | st.integers(0, 99)) for name in PERCENTILES}
    median = st.none() | st.integers(0, 10**6).map(lambda growth: growth / 4)
    return {
        "peers": draw(_small),
        **percentiles,
        "sales_growth_median": draw(median),
        "known_on": draw(_day),
    }


_TABLES: Mapping[str, Callable[[], st.SearchStrategy[Row]]] = {
    "registrations": registrations,
    "registration_events": registration_events,
    "tax_returns": tax_returns,
    "tax_grades": tax_grades,
    "invoices": invoices,
    "linked_bills": linked_bills,
    "repayments": repayments,
    "peers": peers,
}
TABLE_NAMES = tuple(_TABLES)


def worlds(rows: int = 12) -> st.SearchStrategy[World]:
    """Up to ``rows`` records of each table, no two with one key and version."""
    return st.fixed_dictionaries(
        {
            name: st.lists(make(), max_size=rows, unique_by=_identity(t.TABLES[name]))
            for name, make in _TABLES.items()
        }
    )


def histories() -> st.SearchStrategy[World]:
    """Worlds of unbroken months: what growth, trends and year-on-year changes need."""
    return st.integers(0, 2**32).map(lambda seed: _histories(Random(seed)))


def _histories(random: Random) -> World:
    world: World = {name: [] for name in _TABLES}
    for business in BUSINESSES:
        for month in range(random.choice((0, 0, 9, 30)), random.randint(38, 48)):
            period = date(2022 + month // 12, month % 12 + 1, 1)
            for name, row in _month(random, period, business):
                world[name].append({"business_id": business, **row})
    return world


def _month(random: Random, period: date, business: str) -> list[tuple[str, Row]]:
    """One return, the invoices, the bills and the loan of one month; a few are missing or late."""
    end = _end(period)
    due = end + timedelta(days=14)
    known = due + timedelta(days=random.choice((1, 2, 120)))
    sales, worst = random.randrange(0, 9) * 100, random.choice((0, 0, 40))
    row = {"period": period, "known_on": known}
    declared = {"months": 1, "amendment": 0, "levy": "actual", "due_on": due, "sales_fen": sales}
    paid = {"tax_due_fen": sales // 5, "tax_paid_fen": sales // random.choice((5, 5, 9))}
    billed = {"estimated": False, "billed_on": end, "due_on": due, "attributed": True,
              "link_probability": 1 - worst / 400}  # fmt: skip
    loan = {"days_past_due": random.randint(0, worst), "worst_days_past_due": worst}
    tax = random.choice(("vat", "vat", "vat", "income"))
    bills = [
        {"meter_id": f"m{service}", "service": service, "quantity": random.randrange(0, 90)}
        for service in t.SERVICES
    ]
    months: list[tuple[str, Row]] = [
        ("tax_returns", {**row, **declared, **paid, "tax": tax, "filed_on": _near(random, due)}),
        *(("invoices", {**row, **_totals(random, side)}) for side in ("sales", "purchases")),
        *(("linked_bills", {**row, **billed, **bill, "amount_fen": sales,
                            "paid_on": random.choice((None, due, known))}) for bill in bills),
        ("repayments", {**row, **loan, "application_id": f"{business}-{period.year}",
                        "balance_fen": sales, "due_fen": sales + 100, "paid_fen": sales,
                        "state": random.choice(t.LOAN_STATES)}),
        ("peers", {**row, "peers": 9, "sales_growth_median": 1.5}
                  | {name: random.choice((None, 0, 50, 99)) for name in PERCENTILES}),
        ("registration_events", {"event": random.choice(t.EVENTS), "happened_on": period,
                                 "amount_fen": sales, "known_on": known}),
    ]  # fmt: skip
    return [one for one in months if random.random() < 0.95]


def _near(random: Random, day: date) -> date:
    return day + timedelta(days=random.choice((-9, -2, 0, 7)))


def _totals(random: Random, direction: str) -> Row:
    amount = random.randrange(0, 9) * 100
    counts = ("invoices", "red_letters", "voids", "counterparties")
    return {
        "direction": direction,
        "amount_fen": amount,
        "red_letter_fen": random.randrange(0, 100),
        "largest_counterparty_fen": amount // random.randint(1, 4),
        **{name: random.randrange(0, 5) for name in counts},
    }


def _identity(table: t.Table) -> Callable[[Row], tuple[Any, ...]]:
    columns = ("business_id", *table.key, *table.version)
    return lambda row: tuple(row[column] for column in columns)


@st.composite
def _application(draw: st.DrawFn, first: date) -> Row:
    day = draw(st.dates(first, LAST))
    second = draw(st.integers(0, 86_399))
    return {
        "business_id": draw(_business),
        "applied_at": datetime(day.year, day.month, day.day, tzinfo=UTC)
        + timedelta(seconds=second),
        "amount_fen": draw(st.integers(1, 10**10)),
        "term_months": draw(st.integers(1, 60)),
        "purpose": draw(st.sampled_from(t.PURPOSES)),
        "repayment": draw(st.sampled_from(t.REPAYMENT_FORMS)),
    }


def applications(most: int = 6, first: date = SETTLED) -> st.SearchStrategy[list[Row]]:
    """One to ``most`` applications from the day ``first``; a business may apply more than once."""
    return st.lists(_application(first), min_size=1, max_size=most).map(
        lambda rows: [{"application_id": f"A{i}", **row} for i, row in enumerate(rows)]
    )


def frame(name: str, rows: list[Row]) -> pl.DataFrame:
    """Records as a table in its contract's types; of applications, the columns ``build`` reads."""
    dtypes = t.TABLES[name].dtypes
    columns = list(rows[0]) if rows and name == "applications" else list(dtypes)
    schema = {column: dtypes[column] for column in columns}
    return pl.DataFrame(rows, schema=schema, orient="row")


def frames(world: World) -> dict[str, pl.DataFrame]:
    """All tables of a world."""
    return {name: frame(name, rows) for name, rows in world.items()}
