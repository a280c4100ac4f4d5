"""One partition of the province: its businesses, their lives, every feed, and the truth."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from features.tables import FEEDS
from pipelines.world import faults, invoices, loans, meters, names, registrations, tax_returns
from pipelines.world import truth_files as told
from pipelines.world import utility_bills as bills
from pipelines.world.businesses import Businesses, draw_businesses
from pipelines.world.economy import Climate, Floats, climate
from pipelines.world.lives import Asked, Book, Lives, Past
from pipelines.world.months import first_day

SIZE = 2_500  # businesses; fixed, so that bytes do not depend on how the work is spread
BURN_IN = 12  # months lived before the first delivered one
AHEAD = 18  # months lived after the last, for the other lives of the last applications
HISTORY = 18  # months delivered before the bank's first loan: features need a past, and a test
# out of time with a gap for maturing loans needs loans early
STREAMS = (
    "businesses", "life", "asking", "registry", "tax", "invoices", "utility", "names", "bank",
    "futures", "faults",
)  # fmt: skip
Streams = Mapping[str, np.random.Generator]


@dataclass(frozen=True)
class Order:
    """What to make; ``last_month`` is a month index, ``bias`` the old prejudice in score points."""

    businesses: int
    months: int
    last_month: int
    seed: int
    futures: int
    bias: float

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
    """All that happened in a partition, before any department looks at it."""

    businesses: Businesses
    climate: Climate
    lives: Lives
    asked: Asked
    book: Book
    turnover: Floats


def make_partition(order: Order, partition: int) -> Made:
    """Make one partition; the same order and number give the same frames."""
    streams = _streams(order.seed, partition)
    story = _lived(order, partition, streams)
    b = story.businesses
    ids = loans.application_ids(partition, len(story.asked.years))
    accounts = meters.draw_accounts(b, partition * SIZE * 8, streams["utility"])
    signs = names.draw_signs(b, streams["names"])
    exits = registrations.draw_exits(story.lives, story.climate, streams["registry"])
    feeds, planted = _utility(story, accounts, signs, exits, streams)
    feeds |= _registry(story, exits, streams) | _tax(story, exits, streams)
    feeds |= _bank(story, ids, order.delivered, streams)
    delivered = {}
    for name in FEEDS:
        delivered[name], twice = _delivered(name, feeds[name], order.delivered, streams["faults"])
        planted.append(twice)
    truth = {
        "applications": told.applications(
            b, story.climate, story.asked, story.lives, ids, order.futures, streams["futures"]
        ),
        "links": told.links(b, accounts),
        "businesses": told.businesses(b, signs, exits),
        "states": told.states(b, story.climate, story.lives, BURN_IN, order.last_month),
        "faults": pl.concat(planted).filter(pl.col("day") <= _day(order.delivered)),
    }
    return Made(delivered, truth)


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
    past = Past(
        b, world, open_month=opens, close_month=opens + order.months, seed=order.seed,
        bias=order.bias, life=streams["life"], asking=streams["asking"],
    )  # fmt: skip
    for t in range(len(world.prime)):
        past.live_month(t)
    lives, asked, book = past.result()
    turnover = lives.sales * b.monthly_sales * np.exp(world.season[:, b.trade])
    return Story(b, world, lives, asked, book, turnover)


def _registry(
    story: Story, exits: registrations.Exits, streams: Streams
) -> dict[str, pl.DataFrame]:
    b, rng = story.businesses, streams["registry"]
    events = registrations.draw_events(
        b, story.lives, story.book, story.climate, exits, BURN_IN, rng
    )
    return {
        "registrations": registrations.register_feed(b, events, exits, rng),
        "registration_events": registrations.event_feed(b, events),
    }


def _tax(story: Story, exits: registrations.Exits, streams: Streams) -> dict[str, pl.DataFrame]:
    b, world, rng = story.businesses, story.climate, streams["tax"]
    taxpayers = tax_returns.draw_taxpayers(b, rng)
    returns = tax_returns.draw_returns(
        b, taxpayers, story.lives, world, exits, story.turnover, BURN_IN, rng
    )
    issuers = invoices.draw_issuers(b, streams["invoices"])
    return {
        "tax_returns": tax_returns.return_feed(b, returns, rng),
        "tax_grades": tax_returns.grade_feed(b, taxpayers, story.lives, world, rng),
        "invoices": invoices.invoice_feed(
            b, issuers, story.lives, world, exits, story.turnover, BURN_IN, streams["invoices"]
        ),
    }


def _utility(
    story: Story, accounts: meters.Accounts, signs: names.Signs, exits: registrations.Exits,
    streams: Streams,
) -> tuple[dict[str, pl.DataFrame], list[pl.DataFrame]]:  # fmt: skip
    """The utility's feeds, and the faults that were planted in them."""
    b, rng = story.businesses, streams["utility"]
    billed = bills.draw_bills(b, accounts, story.lives, story.climate, exits, BURN_IN, rng)
    months = story.climate.months[BURN_IN:]
    feeds = {
        "meters": meters.meter_feed(b, accounts, signs, rng),
        "utility_bills": bills.bill_feed(accounts, billed, months, rng),
    }
    return feeds, [meters.mislinked(accounts), *bills.planted(accounts, billed, months)]


def _bank(
    story: Story, ids: loans.Ids, delivered: int, streams: Streams
) -> dict[str, pl.DataFrame]:
    b, asked, rng = story.businesses, story.asked, streams["bank"]
    return {
        "applications": loans.application_feed(b, asked, ids, delivered, rng),
        "repayments": loans.repayment_feed(b, asked, story.book, story.climate, ids, rng),
    }


def _delivered(
    name: str, rows: pl.DataFrame, day: int, rng: np.random.Generator
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What is known by the day of the delivery, a few rows doubled, in order; and those rows."""
    table = FEEDS[name]
    known = rows.filter(pl.col("known_on") <= _day(day))
    known, twice = faults.doubled(name, known, rng)
    key = [table.entity, *(k for k in table.key if k != table.entity)]
    return known.sort([*key, *table.version], maintain_order=True), twice


def _day(number: int) -> pl.Expr:
    return pl.lit(number).cast(pl.Int32).cast(pl.Date)
