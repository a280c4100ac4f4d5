"""The utility's accounts: whose meter it is, and whose name, address and telephone it bears."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.tables import METERS
from pipelines.world.businesses import Bools, Businesses
from pipelines.world.faults import fault_lines
from pipelines.world.frames import NEVER, UNKNOWN, frame, ranked
from pipelines.world.gaming import METER, Schemes
from pipelines.world.months import Ints, first_day
from pipelines.world.names import (
    SPELLINGS,
    Signs,
    account_addresses,
    account_names,
    addresses,
    people,
    phones,
)
from pipelines.world.trades import by_trade

ELECTRICITY, WATER, GAS = range(3)
SHARED = 4  # shops behind one landlord's meter
BORROWED = 0.010  # of the accounts still bear the name of another business, the tenant before
SPELT = (0.72, 0.08, 0.08, 0.04, 0.04, 0.04)  # the spellings of ``account_names``
TELEPHONE = (0.72, 0.15, 0.13)  # the owner's, none, somebody else's
ELSEWHERE = 0.12  # of the accounts supply other premises than the registered ones


@dataclass(frozen=True)
class Accounts:
    """Accounts of the utility, one entry each.

    ``user`` is who really consumes (the first of several behind a shared meter), ``bears`` is the
    business whose name the account bears: the same, the tenant before it, or UNKNOWN where it bears
    a landlord's. ``spelling``, ``telephone`` and ``elsewhere`` say how.
    """

    meter: NDArray[Any]
    service: Ints
    user: Ints
    bears: Ints
    shared: Bools
    from_on: Ints
    share: Any
    spelling: Ints
    telephone: Ints
    elsewhere: Bools

    @cached_property
    def key(self) -> pl.Series:
        """The number of each account, of a type that is quick to sort by."""
        return ranked(pl.Series(self.meter.astype(str)))

    @property
    def matchable(self) -> Bools:
        """Accounts that bear the name of their user or its owner, in some spelling."""
        return np.asarray(self.bears == self.user)


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
    before = (rng.random(total) < BORROWED) & ~shared
    bears = np.where(hidden[user] | shared, UNKNOWN, user)
    bears = np.where(before & (bears >= 0), rng.integers(0, n, total), bears)
    opened = b.established[user] + np.where(
        rng.random(total) < 0.8, 5, rng.integers(30, 500, total)
    )
    share = np.ones(total)
    share[np.isin(user, second) & (np.arange(total) < sizes[0])] = 0.5
    return Accounts(
        meter=_numbers(first_meter, total, rng),
        service=np.repeat([ELECTRICITY, WATER, GAS], sizes),
        user=user, bears=bears, shared=shared, from_on=opened, share=share,
        spelling=rng.choice(SPELLINGS, total, p=SPELT),
        telephone=rng.choice(3, total, p=TELEPHONE),
        elsewhere=rng.random(total) < ELSEWHERE,
    )  # fmt: skip


def _never_matched(b: Businesses, rng: np.random.Generator) -> Bools:
    """Accounts in the name of a landlord or a former tenant: most of all of migrants' shops.

    With the tenants behind shared meters and what no linking finds, one company in seven and three
    households in ten have no matched meter.
    """
    chance = np.where(b.household, np.where(b.migrant, 0.30, 0.04), np.where(b.migrant, 0.14, 0.01))
    young = np.maximum(0, 1 - (b.established.max() - b.established) / 1_500) * 0.10
    return np.asarray(rng.random(len(b)) < chance + young - 0.02)


def _numbers(first: int, count: int, rng: np.random.Generator) -> NDArray[Any]:
    """Account numbers: 33, ten digits that tell nothing."""
    serial = (first + rng.permutation(count)) * 4_567_890_121 % 10**10
    return np.array([f"33{number:010d}" for number in serial], dtype=object)


def meter_feed(
    b: Businesses, accounts: Accounts, signs: Signs, rng: np.random.Generator
) -> pl.DataFrame:
    """The accounts as delivered: the utility knows no credit code, only how each is kept."""
    a, total = accounts, len(accounts.user)
    of_business = pl.Series(a.bears >= 0)
    bearer, user = pl.Series(np.maximum(a.bears, 0)), pl.Series(a.user)
    older = pl.Series(a.from_on < signs.renamed[np.maximum(a.bears, 0)])
    name = signs.former.gather(bearer).zip_with(older, signs.name.gather(bearer))
    spelt = account_names(name, signs.owner.gather(bearer), a.spelling)
    supplied = addresses(b.district[a.user], rng).zip_with(
        pl.Series(a.elsewhere), signs.address.gather(user)
    )
    known = pl.Series(a.telephone == 0) & of_business
    phone = signs.phone.gather(bearer).zip_with(known, phones(total, rng))
    return frame(
        METERS, b.key, meter_id=pl.Series(a.meter.astype(str)), service=a.service,
        account_name=spelt.zip_with(of_business, people(total, rng)),
        address=account_addresses(supplied, rng.choice(3, total, p=[0.65, 0.2, 0.15])),
        phone_hash=phone.set(pl.Series(a.telephone == 1), None),
        business_id=np.full(total, UNKNOWN), from_on=a.from_on,
        to_on=np.full(total, NEVER), known_on=a.from_on + rng.integers(2, 6, total),
    )  # fmt: skip


def disguised(rows: pl.DataFrame, accounts: Accounts, signs: Signs) -> list[pl.DataFrame]:
    """All that keeps an account from being known by sight, as lines of the fault list."""
    a, own = accounts, accounts.matchable
    registered = signs.name.gather(pl.Series(a.user))
    other = (rows["account_name"] != registered).to_numpy()
    older = own & (a.from_on < signs.renamed[a.user]) & (signs.renamed[a.user] < NEVER)
    owner = own & (a.spelling == 1)
    kinds = {
        "landlord's name": a.bears < 0,
        "name of the tenant before": (a.bears >= 0) & ~own,
        "owner's name": owner,
        "name before a change": older & ~owner,
        "misspelt name": own & other & ~older & ~owner,
        "no telephone": a.telephone == 1,
        "somebody else's telephone": own & (a.telephone == 2),
        "other premises": a.elsewhere & ~a.shared,
    }
    return [
        fault_lines("meters", kind, a.meter[which], a.from_on[which])
        for kind, which in kinds.items()
    ]


def shared_by_shells(
    accounts: Accounts, signs: Signs, found: Schemes, start: int, rows: pl.DataFrame
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
    who = pl.Series(found.business[shell[does]])
    extra = rows.gather(account[does]).with_columns(
        signs.name.gather(who).alias("account_name"),
        signs.phone.gather(who).alias("phone_hash"),
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
