"""The utility's accounts: whose meter it is, whose name it bears, and whether anyone can tell."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.tables import METERS
from pipelines.world.businesses import Bools, Businesses
from pipelines.world.faults import fault_lines
from pipelines.world.frames import NEVER, UNKNOWN, frame, picked
from pipelines.world.gaming import METER, Schemes
from pipelines.world.months import Ints, first_day
from pipelines.world.names import Signs, account_addresses, account_names
from pipelines.world.trades import by_trade

ELECTRICITY, WATER, GAS = range(3)
SHARED = 4  # shops behind one landlord's meter


@dataclass(frozen=True)
class Accounts:
    """Accounts of the utility, one entry each.

    ``user`` is who really consumes (the first of several behind a shared meter), ``linked`` is the
    business the utility's file names: the same, another by mistake, or UNKNOWN.
    """

    meter: NDArray[Any]
    service: Ints
    user: Ints
    linked: Ints
    shared: Bools
    from_on: Ints
    share: Any


def draw_accounts(b: Businesses, first_meter: int, rng: np.random.Generator) -> Accounts:
    """Everyone has electricity, own or behind a landlord's meter; half have water, few gas."""
    n, everyone = len(b), np.arange(len(b))
    tenants = rng.random(n) < np.where(b.household, 0.10, 0.03)
    hidden = _never_matched(b, rng) | tenants
    second = np.flatnonzero(~tenants & (rng.random(n) < 0.07))
    water = np.flatnonzero(~tenants & (rng.random(n) < 0.5))
    gas = np.flatnonzero(~tenants & (rng.random(n) < by_trade("gas", b.trade)))
    own, landlord = everyone[~tenants], everyone[tenants][::SHARED]
    user = np.concatenate([own, landlord, second, water, gas])
    sizes = [len(own) + len(landlord) + len(second), len(water), len(gas)]
    total = len(user)
    shared = np.zeros(total, dtype=bool)
    shared[len(own) : len(own) + len(landlord)] = True
    wrong = (rng.random(total) < 0.01) & ~shared
    linked = np.where(hidden[user] | shared, UNKNOWN, user)
    linked = np.where(wrong & (linked >= 0), rng.integers(0, n, total), linked)
    opened = b.established[user] + np.where(
        rng.random(total) < 0.8, 5, rng.integers(30, 500, total)
    )
    share = np.ones(total)
    share[np.isin(user, second) & (np.arange(total) < sizes[0])] = 0.5
    return Accounts(
        meter=_numbers(first_meter, total, rng),
        service=np.repeat([ELECTRICITY, WATER, GAS], sizes),
        user=user, linked=linked, shared=shared, from_on=opened, share=share,
    )  # fmt: skip


def _never_matched(b: Businesses, rng: np.random.Generator) -> Bools:
    """Accounts in the name of a landlord or a former tenant: most of all of migrants' shops."""
    chance = np.where(
        b.household, np.where(b.migrant, 0.35, 0.07), np.where(b.migrant, 0.20, 0.055)
    )
    young = np.maximum(0, 1 - (b.established.max() - b.established) / 1_500) * 0.10
    return np.asarray(rng.random(len(b)) < chance + young - 0.02)


def _numbers(first: int, count: int, rng: np.random.Generator) -> NDArray[Any]:
    """Account numbers: 33, ten digits that tell nothing."""
    serial = (first + rng.permutation(count)) * 4_567_890_121 % 10**10
    return np.array([f"33{number:010d}" for number in serial], dtype=object)


def mislinked(accounts: Accounts) -> pl.DataFrame:
    """The links that are wrong, as lines of the fault list; no check of a feed can see them."""
    wrong = (accounts.linked >= 0) & (accounts.linked != accounts.user)
    return fault_lines(
        "meters", "link to another business", accounts.meter[wrong], accounts.from_on[wrong]
    )


def misspelt(rows: pl.DataFrame, accounts: Accounts, signs: Signs) -> pl.DataFrame:
    """Accounts whose name is not the registered one, as lines of the fault list."""
    other = rows["account_name"].to_numpy() != signs.name[accounts.user].astype(str)
    return fault_lines("meters", "misspelt name", accounts.meter[other], accounts.from_on[other])


def shared_by_shells(
    b: Businesses, accounts: Accounts, found: Schemes, start: int, rows: pl.DataFrame
) -> pl.DataFrame:
    """The meter feed after shells have put their names on the meter of the first of each group.

    Half a year before a shell applies, the utility's file begins to name it on that meter.
    """
    shell = np.flatnonzero(found.kind == METER)
    group = found.group[shell]
    first = shell[np.unique(group, return_index=True)[1]]
    electric = np.flatnonzero((accounts.service == ELECTRICITY) & ~accounts.shared)
    owner = dict(zip(accounts.user[electric][::-1], electric[::-1], strict=True))
    account = np.array([owner.get(u, UNKNOWN) for u in found.business[first]], dtype=np.int64)[
        group
    ]
    does = (account >= 0) & (found.business[shell] != accounts.user[account])
    since = first_day(start + found.row[shell[does]] - 6)
    extra = rows.gather(account[does]).with_columns(
        picked(b.code, found.business[shell[does]]).alias("business_id"),
        pl.Series(since).cast(pl.Int32).cast(pl.Date).alias("from_on"),
        pl.Series(since + 3).cast(pl.Int32).cast(pl.Date).alias("known_on"),
    )
    return pl.concat([rows, extra.unique(["meter_id", "from_on"], maintain_order=True)])


def tenants_of(accounts: Accounts, b: Businesses) -> tuple[Ints, Ints]:
    """Pairs (account, business) of everyone who consumes through each account."""
    own = np.flatnonzero(~accounts.shared)
    through = np.flatnonzero(accounts.shared)
    landlords = accounts.user[through]
    served = np.setdiff1d(
        np.arange(len(b)), accounts.user[own[accounts.service[own] == ELECTRICITY]]
    )
    which = np.searchsorted(landlords, served, side="right") - 1
    return np.concatenate([own, through[which]]), np.concatenate([accounts.user[own], served])


def meter_feed(
    b: Businesses, accounts: Accounts, signs: Signs, rng: np.random.Generator
) -> pl.DataFrame:
    """The accounts as delivered, with names and addresses as the utility spells them."""
    a = accounts
    total = len(a.user)
    unmatched = a.linked < 0
    spelling = np.where(
        unmatched,
        rng.choice([0, 1, 2, 3, 4, 5], total, p=[0.10, 0.42, 0.12, 0.12, 0.12, 0.12]),
        rng.choice([0, 1, 2, 3, 4, 5], total, p=[0.72, 0.08, 0.08, 0.04, 0.04, 0.04]),
    )
    name = account_names(signs.name[a.user], signs.owner[a.user], spelling)
    name = np.where(a.shared, signs.owner[(a.user * 7 + 3) % len(b)], name)
    address = account_addresses(signs.address[a.user], rng.choice(3, total, p=[0.65, 0.2, 0.15]))
    return frame(
        METERS, b.code, meter_id=a.meter.astype(str), service=a.service,
        account_name=name.astype(str),
        address=address.astype(str), business_id=a.linked, from_on=a.from_on,
        to_on=np.full(total, NEVER), known_on=a.from_on + rng.integers(2, 6, total),
    )  # fmt: skip
