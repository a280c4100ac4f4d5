"""The truth as frames, kept apart from the feeds: nothing that scores may read them."""

import numpy as np
import polars as pl

from pipelines.world import truth
from pipelines.world.bank import DISFAVOURED, GRANTED, WITHDRAWN, Bias
from pipelines.world.businesses import Businesses
from pipelines.world.economy import DISTRICTS, Climate
from pipelines.world.frames import NEVER, UNKNOWN, nulled, picked
from pipelines.world.gaming import KINDS, SPANS, Schemes
from pipelines.world.lives import Asked, Lives
from pipelines.world.loans import Ids
from pipelines.world.meters import Accounts, tenants_of
from pipelines.world.months import Ints, first_day
from pipelines.world.names import Signs
from pipelines.world.rebirths import Rebirths, code_on
from pipelines.world.registrations import Exits
from pipelines.world.trades import TRADE_NAMES

CONSENTS = 0.12  # of the withdrawn applications


def applications(
    b: Businesses, climate: Climate, asked: Asked, lives: Lives, ids: Ids, reborn: Rebirths,
    futures: int, rng: np.random.Generator,
) -> pl.DataFrame:  # fmt: skip
    """Every application: default probability, other life, and the hidden state behind them."""
    request = asked.request
    probability, error = truth.default_probability(b, climate, asked, futures, rng)
    return pl.DataFrame(
        {
            "application_id": ids.astype(str),
            "business_id": code_on(b, reborn, request.business, request.applied),
            "true_pd": probability,
            "true_pd_se": error,
            "would_default": truth.other_life(b, climate, asked, lives),
            "cash_months": asked.money.cash,
            "sales_deviation": asked.money.deviation,
            "officer": request.officer,
            "passed": asked.outcome == GRANTED,
            "granted_without_bias": asked.fair & (asked.outcome != WITHDRAWN),
        }
    )


def links(b: Businesses, accounts: Accounts) -> pl.DataFrame:
    """Who really consumes through each account, and whose name it bears."""
    account, user = tenants_of(accounts, b)
    bears = accounts.bears[account]
    return pl.DataFrame(
        {
            "meter_id": accounts.meter[account].astype(str),
            "from_on": _days(accounts.from_on[account]),
            "business_id": b.code[user],
            "shared": accounts.shared[account],
            "matchable": bears == user,
            "borrowed": (bears >= 0) & (bears != user),
        }
    )


def businesses(
    b: Businesses, signs: Signs, exits: Exits, solar: Ints, reborn: Rebirths
) -> pl.DataFrame:
    """Names, owners, hidden traits and the real end of trading of the businesses.

    A household reborn as a company is there twice, under its new code with ``earlier_id``.
    """
    rows = pl.DataFrame(
        {
            "business_id": b.code,
            "name": signs.name,
            "address": signs.address,
            "owner": signs.owner,
            "true_trade": picked(pl.Series(TRADE_NAMES), b.trade),
            "first_district": picked(pl.Series(DISTRICTS), b.district),
            "woman": b.woman,
            "migrant": b.migrant,
            "management": b.management,
            "discipline": b.discipline,
            "concentration": b.concentration,
            "leverage": b.leverage,
            "monthly_sales": b.monthly_sales,
            "cash_target": b.target,
            "monthly_crisis": b.crisis,
            "stopped_on": _days(exits.stopped),
            "solar_since": _days(
                np.where(solar < NEVER, first_day(np.minimum(solar, 30_000)), NEVER)
            ),
            "sibling_id": picked(pl.Series(b.code), b.sibling),
            "earlier_id": pl.Series([None] * len(b), dtype=pl.String),
        }
    )
    who = np.flatnonzero(reborn.day < NEVER)
    again = rows.gather(who).with_columns(
        pl.col("business_id").alias("earlier_id"), pl.Series("business_id", reborn.code[who])
    )
    return pl.concat([rows, again])


def consents(asked: Asked, ids: Ids, rng: np.random.Generator) -> pl.DataFrame:
    """Withdrawn applications of which the consent to use the data was withdrawn, and when."""
    withdrawn = np.flatnonzero(asked.outcome == WITHDRAWN)
    who = withdrawn[rng.random(len(withdrawn)) < CONSENTS]
    day = _days(asked.request.applied[who] + 1)
    return pl.DataFrame({"application_id": ids[who].astype(str), "withdrawn_on": day})


def duplicates(b: Businesses, asked: Asked, ids: Ids) -> pl.DataFrame:
    """Pairs of applications by one owner for two businesses in one month, of equal request."""
    r = asked.request
    rows = pl.DataFrame(
        {"i": r.business, "month": r.month, "amount": r.amount, "application_id": ids.astype(str)}
    )
    twin = rows.with_columns(pl.Series("twin", b.sibling[r.business]))
    same = ["month", "amount"]
    pairs = twin.join(rows, left_on=["twin", *same], right_on=["i", *same], suffix="_of_sibling")
    return pairs.filter(pl.col("i") < pl.col("twin")).select(
        "application_id", "application_id_of_sibling"
    )


def schemes(found: Schemes, b: Businesses, reborn: Rebirths, ids: Ids, start: int) -> pl.DataFrame:
    """Who dressed up which figures since when, before which application."""
    back = np.array([SPANS.get(kind, 0) for kind in range(len(KINDS))])[found.kind]
    at = first_day(start + found.row)
    return pl.DataFrame(
        {
            "application_id": ids[found.application].astype(str),
            "business_id": code_on(b, reborn, found.business, at),
            "scheme": picked(pl.Series(KINDS), found.kind),
            "since": _days(first_day(start + found.row - back)),
            "group": nulled(pl.Series(found.group), int(UNKNOWN)),
        }
    )


def policy_bias(bias: Bias) -> pl.DataFrame:
    """What the old policy holds against whom, in points of its score."""
    return pl.DataFrame(
        {
            "attribute": ["owner_is_local", "owner_sex", "district"],
            "held_against": ["false", "female", DISTRICTS[DISFAVOURED]],
            "points": [bias.migrant, bias.woman, bias.district],
        }
    )


def _days(days: Ints) -> pl.Series:
    return nulled(pl.Series(days).cast(pl.Int32), int(NEVER)).cast(pl.Date)


def states(
    b: Businesses, climate: Climate, lives: Lives, first_row: int, last: int
) -> pl.DataFrame:
    """Hidden state of every living business at the end of each December up to month ``last``."""
    decembers = np.flatnonzero((climate.months % 12 == 11) & (climate.months <= last))
    rows = decembers[decembers >= first_row]
    at, who = np.nonzero(lives.alive[rows])
    return pl.DataFrame(
        {
            "business_id": b.code[who],
            "month": pl.Series(first_day(climate.months[rows[at]])).cast(pl.Int32).cast(pl.Date),
            "trading": lives.trading[rows[at], who],
            "cash_months": lives.cash[rows[at], who],
            "relative_sales": lives.sales[rows[at], who],
        }
    )
