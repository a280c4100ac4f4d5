"""One partition of the province: its businesses, their lives, every feed, and the truth."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from features.tables import FEEDS
from pipelines.world import (
    faults,
    gaming,
    invoices,
    loans,
    meters,
    names,
    rebirths,
    register_names,
    registrations,
    tax_returns,
    traps,
)
from pipelines.world import truth_files as told
from pipelines.world import utility_bills as bills
from pipelines.world.bank import Bias
from pipelines.world.businesses import Businesses, draw_businesses
from pipelines.world.economy import Climate, Floats, climate
from pipelines.world.frames import key_order
from pipelines.world.lives import Asked, Book, Lives, Past, behaved
from pipelines.world.months import Ints, first_day

SIZE = 5_000  # businesses; fixed, so that bytes do not depend on how the work is spread
BURN_IN = 12  # months lived before the first delivered one
AHEAD = 18  # months lived after the last, for the other lives of the last applications
HISTORY = 18  # months delivered before the bank's first loan: features need a past, and a test
# out of time with a gap for maturing loans needs loans early
STREAMS = (
    "businesses", "life", "asking", "registry", "tax", "invoices", "utility", "names", "bank",
    "futures", "faults", "rebirths", "solar", "consents",
)  # fmt: skip
Streams = Mapping[str, np.random.Generator]


@dataclass(frozen=True)
class Order:
    """What to make; ``last_month`` is a month index, ``bias`` the old policy's prejudices."""

    businesses: int
    months: int
    last_month: int
    seed: int
    futures: int
    bias: Bias

    @property
    def partitions(self) -> int:
        """Number of partitions of the province."""
        return -(-self.businesses // SIZE)

    @property
    def delivered(self) -> int:
        """Day of the delivery: nothing known later is in the feeds."""
        return int(first_day(self.last_month + 1))


@dataclass(frozen=True)
class Made:
    """Frames of one partition: the feeds by table name, the truth by file name."""

    feeds: dict[str, pl.DataFrame]
    truth: dict[str, pl.DataFrame]


@dataclass(frozen=True)
class Story:
    """All that happened in a partition, before any department looks at it.

    ``climate`` ends with the lives in the last delivered month; ``ahead`` goes on, for the other
    lives of the last applications.
    """

    businesses: Businesses
    climate: Climate
    ahead: Climate
    lives: Lives
    asked: Asked
    book: Book
    turnover: Floats
    ids: loans.Ids
    schemes: gaming.Schemes

    @property
    def shape(self) -> tuple[int, int]:
        """Months and businesses."""
        return len(self.climate.prime), len(self.businesses)


def make_partition(order: Order, partition: int) -> Made:
    """Make one partition; the same order and number give the same frames."""
    streams = _streams(order.seed, partition)
    story = _lived(order, partition, streams)
    b, asked, ids = story.businesses, story.asked, story.ids
    exits = registrations.draw_exits(story.lives, story.climate, streams["registry"])
    delivery = BURN_IN, order.last_month - story.climate.start
    reborn = rebirths.draw_rebirths(
        b, story.lives, asked, story.book, story.climate, delivery, streams["rebirths"]
    )
    accounts = meters.draw_accounts(b, partition * SIZE * 8, streams["utility"])
    signs = names.draw_signs(b, order.delivered, streams["names"])
    solar = bills.draw_solar(b, story.climate.months[BURN_IN:], streams["solar"])
    feeds, lines = _utility(story, accounts, signs, exits, solar, streams)
    taxes, lost = _tax(story, exits, streams)
    feeds |= taxes | _registry(story, signs, exits, streams)
    feeds |= _bank(story, order.delivered, streams)
    feeds = rebirths.recoded(b, reborn, accounts, feeds, streams["rebirths"])
    delivered, found = _delivered(order, feeds, streams["faults"])
    listed = pl.concat([*lines, lost, *found]).filter(pl.col("day") <= _day(order.delivered))
    truth = {
        "applications": told.applications(
            b, story.ahead, asked, story.lives, ids, reborn, order.futures, streams["futures"]
        ),
        "links": told.links(b, accounts),
        "businesses": told.businesses(b, signs, exits, solar, reborn),
        "states": told.states(b, story.climate, story.lives, BURN_IN, order.last_month),
        "rebirths": rebirths.told(b, reborn),
        "schemes": told.schemes(story.schemes, b, reborn, ids, story.climate.start),
        "duplicates": told.duplicates(b, asked, ids),
        "consents": told.consents(asked, ids, streams["consents"]),
        "policy_bias": told.policy_bias(order.bias).head(3 if partition == 0 else 0),
        "faults": listed,
    }
    return Made(delivered, truth | {"traps": traps.told(delivered, truth)})


def _streams(seed: int, partition: int) -> Streams:
    """Independent streams of chance by subject, so that one subject never disturbs another."""
    return {
        name: np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, partition, k])))
        for k, name in enumerate(STREAMS)
    }


def _lived(order: Order, partition: int, streams: Streams) -> Story:
    number = np.arange(partition * SIZE, min((partition + 1) * SIZE, order.businesses))
    b = draw_businesses(number, order.last_month, streams["businesses"], order.seed)
    opens = BURN_IN + HISTORY
    start = order.last_month + 1 - order.months - opens
    world = climate(start, opens + order.months + AHEAD, order.seed)
    seen = world.until(opens + order.months)
    past = Past(
        b, world, open_month=opens, close_month=opens + order.months, seed=order.seed,
        bias=order.bias, life=streams["life"], asking=streams["asking"],
    )  # fmt: skip
    for t in range(len(seen.prime)):
        past.live_month(t)
    lives, asked, book = past.result()
    turnover = lives.sales * b.monthly_sales * np.exp(seen.season[:, b.trade])
    ids = loans.application_ids(partition, len(asked.years))
    found = gaming.schemes(asked.scheme, asked.request.business, asked.request.month - start)
    return Story(b, seen, world, lives, asked, book, turnover, ids, found)


def _registry(
    story: Story, signs: names.Signs, exits: registrations.Exits, streams: Streams
) -> dict[str, pl.DataFrame]:
    b, rng = story.businesses, streams["registry"]
    events = registrations.draw_events(
        b, story.lives, story.book, story.climate, exits, BURN_IN, rng
    )
    return {
        "registrations": registrations.register_feed(b, events, exits, rng),
        "registered_names": register_names.name_feed(b, signs, events, streams["names"]),
        "registration_events": registrations.event_feed(b, events),
    }


def _tax(
    story: Story, exits: registrations.Exits, streams: Streams
) -> tuple[dict[str, pl.DataFrame], pl.DataFrame]:
    """The bureau's feeds, and the returns it never delivers."""
    b, world, rng = story.businesses, story.climate, streams["tax"]
    taxpayers = tax_returns.draw_taxpayers(b, rng)
    shown = story.turnover * gaming.declared(story.schemes, story.shape)
    dressed = behaved(story.lives, gaming.punctual(story.schemes, story.shape))
    returns = tax_returns.draw_returns(b, taxpayers, dressed, world, exits, shown, BURN_IN, rng)
    returns, lost = tax_returns.lose(b, returns, rng)
    issuers = invoices.draw_issuers(b, streams["invoices"])
    padding = gaming.invoiced(story.schemes, story.shape)
    return {
        "tax_returns": tax_returns.return_feed(b, returns, rng),
        "tax_grades": tax_returns.grade_feed(b, taxpayers, story.lives, world, rng),
        "invoices": invoices.invoice_feed(
            b, issuers, story.lives, world, exits, story.turnover, padding, BURN_IN,
            streams["invoices"],
        ),
    }, lost  # fmt: skip


def _utility(
    story: Story, accounts: meters.Accounts, signs: names.Signs, exits: registrations.Exits,
    solar: Ints, streams: Streams,
) -> tuple[dict[str, pl.DataFrame], list[pl.DataFrame]]:  # fmt: skip
    """The utility's feeds, and the faults that were planted in them."""
    b, rng, world = story.businesses, streams["utility"], story.climate
    billed = bills.draw_bills(b, accounts, story.lives, world, exits, solar, BURN_IN, rng)
    months = world.months[BURN_IN:]
    named = meters.meter_feed(b, accounts, signs, rng)
    feeds = {
        "meters": meters.shared_by_shells(accounts, signs, story.schemes, world.start, named),
        "utility_bills": bills.bill_feed(accounts, billed, months, rng),
    }
    lines = meters.disguised(named, accounts, signs)
    return feeds, [*lines, *bills.planted(accounts, billed, months)]


def _bank(story: Story, delivered: int, streams: Streams) -> dict[str, pl.DataFrame]:
    b, asked, ids, rng = story.businesses, story.asked, story.ids, streams["bank"]
    return {
        "applications": loans.application_feed(b, asked, ids, delivered, rng),
        "repayments": loans.repayment_feed(b, asked, story.book, story.climate, ids, rng),
    }


def _delivered(
    order: Order, feeds: Mapping[str, pl.DataFrame], rng: np.random.Generator
) -> tuple[dict[str, pl.DataFrame], list[pl.DataFrame]]:
    """What is known by the day of the delivery, with its faults, in order; and these faults."""
    spells = faults.dark_spells(order.last_month + 1 - order.months, order.last_month, order.seed)
    delivered, lines = {}, []
    for name, table in FEEDS.items():
        rows, held = faults.held_back(name, feeds[name], spells)
        known = rows.filter(pl.col("known_on") <= _day(order.delivered))
        lines += [*held, *faults.shown(name, known)]
        known, planted = faults.planted(name, known, rng)
        twice, again = faults.doubled(name, known, rng)
        place = key_order(table, known)
        delivered[name] = known.gather(np.repeat(place, 1 + twice[place])).cast(
            pl.Schema(table.dtypes)
        )
        lines += [*planted, again]
    return delivered, lines


def _day(number: int) -> pl.Expr:
    return pl.lit(number).cast(pl.Int32).cast(pl.Date)
