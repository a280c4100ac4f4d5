"""The market-regulation register: who exists, what changed, and what went wrong in public."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from features.tables import EVENTS, REGISTRATION_EVENTS, REGISTRATIONS, STATUSES
from pipelines.world.businesses import Businesses
from pipelines.world.columns import joined, taken
from pipelines.world.economy import DISTRICTS, Climate, Floats
from pipelines.world.frames import NEVER, UNKNOWN, frame, picked
from pipelines.world.lives import Book, Lives
from pipelines.world.months import Ints, first_day, month_index
from pipelines.world.trades import TRADES

OPERATING, SUSPENDED, _, REVOKED, CANCELLED = range(len(STATUSES))
KIND = {event: position for position, event in enumerate(EVENTS)}

# Chance a month of an event that needs no cause in the cash (domain notes A5).
MONTHLY = {
    "address_changed": 0.0040,
    "legal_representative_changed": 0.0018,
    "shareholder_changed": 0.0018,
    "penalty": 0.0024,
    "capital_increased": 0.0016,
    "capital_reduced": 0.0008,
}
COMPANY_LAW = month_index("2024-07")  # five-year pay-in: capital cuts without distress


@dataclass(frozen=True)
class Events:
    """Events of the register, one entry each; ``lag`` is the days until the bank can know."""

    business: Ints
    kind: Ints
    day: Ints
    lag: Ints
    amount: Ints


@dataclass(frozen=True)
class Exits:
    """Day trading ended and day the register ends the business; NEVER where it has not come."""

    stopped: Ints
    formal: Ints
    status: Ints


def draw_exits(lives: Lives, climate: Climate, rng: np.random.Generator) -> Exits:
    """The register follows the real end by five months in the median; one in ten is struck off."""
    gone = lives.alive & ~lives.trading
    n = gone.shape[1]
    stopped = np.where(gone.any(axis=0), first_day(climate.start + gone.argmax(axis=0)), NEVER)
    stopped = np.where(stopped < NEVER, stopped + rng.integers(0, 28, n), NEVER)
    lag = np.round(150 * np.exp(1.3 * rng.standard_normal(n))).astype(np.int64)
    revoked = rng.random(n) < 0.10
    lag = np.where(revoked, rng.integers(700, 1_100, n), np.minimum(lag, 1_500))
    formal = np.where(stopped < NEVER, stopped + lag, NEVER)
    return Exits(stopped, formal, np.where(revoked, REVOKED, CANCELLED))


def draw_events(
    b: Businesses, lives: Lives, book: Book, climate: Climate, exits: Exits,
    first_row: int, rng: np.random.Generator,
) -> Events:  # fmt: skip
    """All events of the register from ``first_row`` of the climate on."""
    parts = [
        _spontaneous(b, lives, climate, first_row, rng),
        *_abnormal(lives, climate, first_row, rng),
        _court(b, lives, climate, first_row, rng),
        _sued(book, climate, rng),
        _reports_missed(b, lives, climate, first_row, rng),
    ]
    events = joined(parts)
    who = events.business
    return taken(events, (events.day < exits.formal[who]) & (events.day > b.established[who] + 5))


def _events(
    kind: str, rows: Ints, business: Ints, climate: Climate, rng: np.random.Generator,
    amount: Any = UNKNOWN, lag: tuple[int, int] = (1, 4),
) -> Events:  # fmt: skip
    n = len(rows)
    return Events(
        business=business,
        kind=np.full(n, KIND[kind]),
        day=first_day(climate.start + rows) + rng.integers(0, 28, n),
        lag=rng.integers(*lag, n),
        amount=np.broadcast_to(np.asarray(amount, dtype=np.int64), n),
    )


def _spontaneous(
    b: Businesses, lives: Lives, climate: Climate, first_row: int, rng: np.random.Generator
) -> Events:
    found = []
    months = climate.months[:, None]
    for kind, rate in MONTHLY.items():
        chance = np.full(lives.alive.shape, rate) * np.exp(-0.15 * b.discipline)
        if kind in ("shareholder_changed", "capital_increased", "capital_reduced"):
            chance = chance * ~b.household
        if kind == "capital_reduced":
            chance = chance * np.where(months >= COMPANY_LAW, 6.0, 1.0)
        happens = lives.trading & (rng.random(lives.alive.shape) < chance)
        happens[:first_row] = False
        rows, who = np.nonzero(happens)
        fine = np.round(np.exp(8.0 + 1.2 * rng.standard_normal(len(rows)))).astype(np.int64) * 100
        amount = fine if kind == "penalty" else UNKNOWN
        found.append(_events(kind, rows, who, climate, rng, amount))
    return joined(found)


def _abnormal(
    lives: Lives, climate: Climate, first_row: int, rng: np.random.Generator
) -> tuple[Events, Events]:
    """Entries on the abnormal-operation list, and removals by those still in business."""
    unreachable = lives.alive & ~lives.trading & (rng.random(lives.alive.shape) < 0.03)
    listed = (lives.conduct.abnormal & lives.alive) | unreachable
    listed[:first_row] = False
    rows, who = np.nonzero(listed)
    entries = _events("abnormal_listed", rows, who, climate, rng)
    stay = np.round(150 * np.exp(0.7 * rng.standard_normal(len(rows)))).astype(np.int64)
    back = lives.trading[rows, who] & (rng.random(len(rows)) < 0.75)
    left = Events(who, np.full(len(rows), KIND["abnormal_removed"]), entries.day + stay,
                  entries.lag, entries.amount)  # fmt: skip
    return entries, taken(left, back)


def _court(
    b: Businesses, lives: Lives, climate: Climate, first_row: int, rng: np.random.Generator
) -> Events:
    """Judgments for suppliers and landlords; delivered one to three months later."""
    found = lives.conduct.court_debt & lives.alive
    found[:first_row] = False
    rows, who = np.nonzero(found)
    size = np.exp(np.log(1.2) + 0.8 * rng.standard_normal(len(rows)))
    amount = np.round(b.monthly_sales[who] * size).astype(np.int64) * 100
    return _events("judgment_debtor", rows, who, climate, rng, amount, (30, 91))


def _sued(book: Book, climate: Climate, rng: np.random.Generator) -> Events:
    """The bank sues half of those who reach 180 days past due."""
    at = np.flatnonzero(book.loans.late == 6)
    at = at[np.unique(book.application[at], return_index=True)[1]]
    at = at[rng.random(len(at)) < 0.5]
    owed = np.round(book.loans.due[at] - book.loans.paid[at]).astype(np.int64)
    rows = book.month[at] + 2
    return _events("judgment_debtor", rows, book.business[at], climate, rng, owed, (30, 91))


def _reports_missed(
    b: Businesses, lives: Lives, climate: Climate, first_row: int, rng: np.random.Generator
) -> Events:
    """Annual reports of the year before are due on 30 June; the register notes it a day later."""
    julys = np.flatnonzero(climate.months % 12 == 6)
    julys = julys[julys >= first_row]
    owes = lives.alive[np.maximum(julys - 7, 0)]
    chance = np.where(b.household, 0.07, 0.035) * np.exp(-0.5 * b.discipline)
    chance = np.where(lives.trading[julys], chance, 0.6)
    rows, who = np.nonzero(owes & (rng.random(owes.shape) < chance))
    n = len(rows)
    day = first_day(climate.start + julys[rows])
    kind = np.full(n, KIND["annual_report_missed"])
    return Events(who, kind, day, rng.integers(1, 8, n), np.full(n, UNKNOWN))


def event_feed(b: Businesses, events: Events) -> pl.DataFrame:
    """The events as the register delivers them."""
    return frame(
        REGISTRATION_EVENTS, b.key, business_id=events.business, event=events.kind,
        happened_on=events.day, amount_fen=events.amount, known_on=events.day + events.lag,
    ).unique(list(REGISTRATION_EVENTS.key), keep="first", maintain_order=True)  # fmt: skip


def register_feed(
    b: Businesses, events: Events, exits: Exits, rng: np.random.Generator
) -> pl.DataFrame:
    """One row per state: at establishment, after each change, at a suspension, and at the end."""
    n, everyone = len(b), np.arange(len(b))
    capital = _capital(b, rng)
    states = [
        _state(everyone, b.established, rng.integers(1, 4, n), OPERATING, b.district, capital),
        _changes(b, events, capital, rng),
        _suspensions(b, exits, rng),
        _ends(exits, rng),
    ]
    history = pl.concat(states).sort("i", "known", "effective", maintain_order=True)
    filled = history.with_columns(
        pl.col("status", "district", "capital").forward_fill().over("i")
    ).unique(["i", "known"], keep="last", maintain_order=True)
    # a change entered before the establishment itself was known has no state to change yet
    filled = filled.drop_nulls(["status", "district"])
    return _as_feed(b, filled, _declared_industry(b, rng))


def _state(i: Ints, day: Ints, lag: Ints, status: Any, district: Any, capital: Any) -> pl.DataFrame:
    def column(value: Any) -> pl.Series:
        return pl.Series(np.broadcast_to(np.asarray(value, dtype=np.int64), len(i)).copy())

    none = pl.Series([None] * len(i), dtype=pl.Int64)
    return pl.DataFrame(
        {
            "i": column(i),
            "effective": column(day),
            "known": column(day + lag),
            "status": none if status is None else column(status),
            "district": none if district is None else column(district),
            "capital": none if capital is None else column(capital),
        }
    )


def _changes(
    b: Businesses, events: Events, capital: Ints, rng: np.random.Generator
) -> pl.DataFrame:
    """Moves to another district and changes of capital; one in a hundred is entered backdated."""
    n = len(events.day)
    moves = (events.kind == KIND["address_changed"]) & (rng.random(n) < 0.25)
    elsewhere = rng.integers(0, len(DISTRICTS), n)
    raised, cut = events.kind == KIND["capital_increased"], events.kind == KIND["capital_reduced"]
    factor = np.where(raised, 2.0, 0.4)
    changed = np.round(capital[events.business] * factor).astype(np.int64)
    backdated = np.where(rng.random(n) < 0.01, rng.integers(30, 200, n), 0)
    effective = np.maximum(events.day - backdated, b.established[events.business])
    rows = _state(
        events.business, effective, events.day + events.lag - effective, None, elsewhere, changed
    )
    rows = rows.with_columns(
        pl.when(pl.Series(moves)).then("district").alias("district"),
        pl.when(pl.Series(raised | cut)).then("capital").alias("capital"),
    )
    return rows.filter(pl.Series(moves | raised | cut))


def _suspensions(b: Businesses, exits: Exits, rng: np.random.Generator) -> pl.DataFrame:
    """A few suspend business for some months (allowed since March 2022) and come back."""
    n = len(b)
    day = first_day(month_index("2022-03")) + rng.integers(0, 1_400, n)
    stay = rng.integers(90, 500, n)
    chosen = (rng.random(n) < 0.006) & (day > b.established + 60) & (day + stay + 5 < exits.formal)
    who = np.flatnonzero(chosen)
    lag = np.full(len(who), 2)
    return pl.concat(
        [
            _state(who, day[who], lag, SUSPENDED, None, None),
            _state(who, (day + stay)[who], lag, OPERATING, None, None),
        ]
    )


def _ends(exits: Exits, rng: np.random.Generator) -> pl.DataFrame:
    """The register's own ends; one in fifty is entered months later and backdated."""
    who = np.flatnonzero(exits.formal < NEVER)
    backdated = rng.random(len(who)) < 0.02
    lag = np.where(backdated, rng.integers(40, 200, len(who)), rng.integers(1, 4, len(who)))
    return _state(who, exits.formal[who], lag, exits.status[who], None, None)


def _capital(b: Businesses, rng: np.random.Generator) -> Ints:
    """Subscribed capital in fen: heaped for companies, small or absent for households."""
    n = len(b)
    heaps = np.array([1, 3, 5, 10, 20, 50, 100]) * 100_000
    size = np.clip(np.log(b.monthly_sales / 60_000) * 0.25, -0.6, 0.6)
    position = np.clip(np.round(3.0 + 1.4 * rng.standard_normal(n) + size), 0, 6).astype(np.int64)
    household = np.round(np.exp(np.log(80_000) + 0.8 * rng.standard_normal(n)), -4).astype(np.int64)
    yuan = np.where(b.household, np.maximum(household, 10_000), heaps[position])
    absent = b.household & (rng.random(n) < 0.35)
    return np.where(absent, UNKNOWN, yuan * 100)


def _declared_industry(b: Businesses, rng: np.random.Generator) -> pl.Series:
    """GB/T 4754 division as declared; one in ten is wrong or too general."""
    n = len(b)
    wrong = rng.random(n) < 0.10
    trade = np.where(wrong, rng.choice([0, 1, 7, 10], n), b.trade)
    which = rng.integers(0, 100, n)
    divisions = [division for one in TRADES for division in one.divisions]
    count = np.array([len(one.divisions) for one in TRADES])
    first = np.cumsum(count) - count
    return pl.Series(divisions).gather(pl.Series(first[trade] + which % count[trade]))


def _as_feed(b: Businesses, states: pl.DataFrame, industry: pl.Series) -> pl.DataFrame:
    i: Floats = states["i"].to_numpy()
    capital = states["capital"].to_numpy()
    return frame(
        REGISTRATIONS, b.key, business_id=i, effective_on=states["effective"].to_numpy(),
        established_on=b.established[i], legal_form=b.form[i], status=states["status"].to_numpy(),
        industry=industry.gather(pl.Series(i)),
        district=picked(pl.Series(DISTRICTS), states["district"].to_numpy()),
        registered_capital_fen=np.where(capital < 0, UNKNOWN, capital),
        owner_sex=np.where(b.woman[i], 0, 1), owner_is_local=~b.migrant[i],
        known_on=states["known"].to_numpy(),
    )  # fmt: skip
