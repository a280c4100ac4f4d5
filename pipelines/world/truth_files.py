"""The truth as frames, kept apart from the feeds: nothing that scores may read them."""

import numpy as np
import polars as pl

from pipelines.world import truth
from pipelines.world.businesses import Businesses
from pipelines.world.economy import DISTRICTS, Climate
from pipelines.world.frames import NEVER, nulled, picked
from pipelines.world.lives import Asked, Lives
from pipelines.world.loans import Ids
from pipelines.world.meters import Accounts, tenants_of
from pipelines.world.months import first_day
from pipelines.world.names import Signs
from pipelines.world.registrations import Exits
from pipelines.world.trades import TRADE_NAMES


def applications(
    b: Businesses, climate: Climate, asked: Asked, lives: Lives, ids: Ids, futures: int,
    rng: np.random.Generator,
) -> pl.DataFrame:  # fmt: skip
    """Every application: default probability, other life, and the hidden state behind them."""
    probability, error = truth.default_probability(b, climate, asked, futures, rng)
    return pl.DataFrame(
        {
            "application_id": ids.astype(str),
            "business_id": b.code[asked.request.business],
            "true_pd": probability,
            "true_pd_se": error,
            "would_default": truth.other_life(b, climate, asked, lives),
            "cash_months": asked.money.cash,
            "sales_deviation": asked.money.deviation,
            "officer": asked.request.officer,
        }
    )


def links(b: Businesses, accounts: Accounts) -> pl.DataFrame:
    """Who really consumes through each account, and what the utility's file says of it."""
    account, user = tenants_of(accounts, b)
    linked = accounts.linked[account]
    return pl.DataFrame(
        {
            "meter_id": accounts.meter[account].astype(str),
            "business_id": b.code[user],
            "shared": accounts.shared[account],
            "matched": linked == user,
            "mislinked": (linked >= 0) & (linked != user),
        }
    )


def businesses(b: Businesses, signs: Signs, exits: Exits) -> pl.DataFrame:
    """Names, owners, hidden traits and the real end of trading of the businesses."""
    return pl.DataFrame(
        {
            "business_id": b.code,
            "name": signs.name.astype(str),
            "address": signs.address.astype(str),
            "owner": signs.owner.astype(str),
            "true_trade": picked(np.array(TRADE_NAMES), b.trade),
            "first_district": picked(np.array(DISTRICTS), b.district),
            "woman": b.woman,
            "migrant": b.migrant,
            "management": b.management,
            "discipline": b.discipline,
            "concentration": b.concentration,
            "leverage": b.leverage,
            "monthly_sales": b.monthly_sales,
            "cash_target": b.target,
            "monthly_crisis": b.crisis,
            "stopped_on": nulled(pl.Series(exits.stopped).cast(pl.Int32), int(NEVER)).cast(pl.Date),
        }
    )


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
