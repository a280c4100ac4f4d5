"""Monthly totals of VAT invoices issued and received, through the end of voiding."""

from typing import Any, NamedTuple

import numpy as np
import polars as pl

from features.tables import INVOICES
from pipelines.world.businesses import Bools, Businesses
from pipelines.world.economy import Climate, Floats
from pipelines.world.frames import frame
from pipelines.world.lives import Lives
from pipelines.world.months import Ints, first_day, month_index
from pipelines.world.registrations import Exits
from pipelines.world.trades import by_trade

SALES, PURCHASES = 0, 1
BOUGHT = 0.80  # of sales is bought in
VOIDED = 0.098  # of invoices, while paper invoices could be voided
RED_PAPER, RED_DIGITAL = 0.013, 0.030


class Issuers(NamedTuple):
    """Invoicing habits: who invoices at all, how much of the sales, in what sizes, to how many."""

    who: Ints
    share: Floats
    ticket: Floats
    partners: Floats
    largest: Floats
    digital: Ints


def draw_issuers(b: Businesses, rng: np.random.Generator) -> Issuers:
    """Nearly every company invoices; of the households one in four."""
    n = len(b)
    issues = rng.random(n) < np.where(b.household, 0.25, 0.96)
    ticket = by_trade("ticket", b.trade) * np.exp(0.8 * rng.standard_normal(n))
    invoices = b.monthly_sales * 12 / ticket
    partners = np.exp(0.6 * np.log1p(invoices) + 0.5 * rng.standard_normal(n))
    digital = rng.integers(month_index("2022-07"), month_index("2024-08"), n)
    return Issuers(
        who=np.flatnonzero(issues),
        share=np.clip(
            by_trade("invoiced", b.trade) * np.exp(0.25 * rng.standard_normal(n)), 0.05, 1
        ),
        ticket=ticket,
        partners=np.maximum(partners, 3.0),
        largest=np.clip(0.75 * b.concentration + 0.05, 0.05, 0.95),
        digital=digital,
    )


def invoice_feed(
    b: Businesses, issuers: Issuers, lives: Lives, climate: Climate, exits: Exits,
    turnover: Floats, padding: tuple[Floats, Floats], first_row: int, rng: np.random.Generator,
) -> pl.DataFrame:  # fmt: skip
    """Both directions, one row per month while the register knows the business.

    ``padding`` is what is invoiced, issued and received, over what is really sold and bought.
    """
    who = issuers.who
    months = climate.months[first_row:]
    known_to_register = first_day(months)[:, None] < exits.formal[who]
    present = lives.alive[first_row:, who] & known_to_register
    issued, received = (factor[first_row:, who] for factor in padding)
    sold = turnover[first_row:, who] * issuers.share[who] * issued
    ordered = _ordered(turnover[first_row - 1 :, who])
    bought = ordered * received * BOUGHT * np.clip(issuers.share[who] + 0.1, 0.3, 0.95)
    return pl.concat(
        [
            _direction(b, issuers, months, present, SALES, sold, 0.42, rng),
            _direction(b, issuers, months, present, PURCHASES, bought, 0.45, rng),
        ]
    )


def _ordered(turnover: Floats) -> Floats:
    """Purchases follow the sales of this month and the month before."""
    return 0.7 * turnover[1:] + 0.3 * turnover[:-1]


def _direction(
    b: Businesses, issuers: Issuers, months: Ints, present: Bools, direction: int, amount: Floats,
    unevenness: float, rng: np.random.Generator,
) -> pl.DataFrame:  # fmt: skip
    rows, columns = np.nonzero(present)
    who, month = issuers.who[columns], months[rows]
    n = len(who)
    ticket = issuers.ticket[who] * (1.0 if direction == SALES else 0.7)
    noise = np.exp(unevenness * rng.standard_normal(n) - 0.5 * unevenness**2)
    net = amount[rows, columns] * noise
    count = rng.poisson(np.minimum(net / ticket, 1e6))
    size = np.exp(0.5 * rng.standard_normal(n) / np.sqrt(np.maximum(count, 1)))
    fen = np.where(count > 0, np.round(count * ticket * size * 100), 0).astype(np.int64)
    return frame(
        INVOICES, b.key, business_id=who, direction=np.full(n, direction), period=first_day(month),
        invoices=count, amount_fen=fen, **_corrections(issuers, who, month, count, ticket, rng),
        **_counterparties(issuers, who, count, fen, direction, rng),
        known_on=_arrival(month, rng),
    )  # fmt: skip


def _corrections(
    issuers: Issuers, who: Ints, month: Ints, count: Ints, ticket: Floats, rng: np.random.Generator
) -> dict[str, Any]:
    """Voids end for good on the day a business turns to digital invoices; red letters take over."""
    digital = month >= issuers.digital[who]
    red = rng.poisson(count * np.where(digital, RED_DIGITAL, RED_PAPER))
    worth = np.round(red * ticket * 100 * np.exp(0.4 * rng.standard_normal(len(who))))
    voids = rng.poisson(count * VOIDED * ~digital)
    return {"red_letters": red, "red_letter_fen": worth.astype(np.int64), "voids": voids}


def _counterparties(
    issuers: Issuers, who: Ints, count: Ints, fen: Ints, direction: int, rng: np.random.Generator
) -> dict[str, Any]:
    pool = issuers.partners[who] * (1.0 if direction == SALES else 1.6)
    distinct = np.ceil(pool * (1 - np.exp(-count / pool))).astype(np.int64)
    distinct = np.minimum(np.maximum(distinct, count > 0), count)
    share = issuers.largest[who] * np.exp(0.25 * rng.standard_normal(len(who)))
    least = 1.0 / np.maximum(distinct, 1)
    largest = np.floor(fen * np.clip(np.maximum(share, least), 0.0, 1.0)).astype(np.int64)
    largest = np.where(distinct == 1, fen, largest)
    return {"counterparties": distinct, "largest_counterparty_fen": largest}


def _arrival(month: Ints, rng: np.random.Generator) -> Ints:
    """The bureau delivers in the first week of the next month; 3 in 100 come a month later."""
    n = len(month)
    lag = np.where(rng.random(n) < 0.03, rng.integers(30, 50, n), rng.integers(2, 9, n))
    return np.asarray(first_day(month + 1) + lag)
