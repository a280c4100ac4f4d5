"""Households reborn as companies: a new code in every feed, and the old one's history left behind.

The Chinese term is 个转企. The people, the trade, the customers and the cash go on; the register
closes one entry and opens another, and nobody tells the bank.
"""

from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.tables import LEGAL_FORMS
from pipelines.world.businesses import Businesses
from pipelines.world.economy import Climate
from pipelines.world.frames import NEVER
from pipelines.world.lives import Asked, Book, Lives
from pipelines.world.meters import Accounts
from pipelines.world.months import Ints, first_day
from pipelines.world.names import COMPANY, ENDINGS

YEARLY = 0.008  # of households
FOLLOWS = 0.6  # of the utility's accounts are moved to the new code, some months later
SPEAKS_OF = {
    "registrations": "effective_on", "registration_events": "happened_on", "tax_returns": "period",
    "invoices": "period", "repayments": "period",
}  # fmt: skip


class Rebirths(NamedTuple):
    """Day and new code by business; the day is NEVER for all but a few households."""

    day: Ints
    code: NDArray[Any]


def draw_rebirths(
    b: Businesses, lives: Lives, asked: Asked, book: Book, climate: Climate, rows: tuple[int, int],
    rng: np.random.Generator,
) -> Rebirths:  # fmt: skip
    """Some trading households change over, in a month in which they owe the bank nothing.

    ``rows`` of the climate are the first and the last month in which it may happen.
    """
    n, months = len(b), len(climate.prime)
    first, last = rows
    row = rng.integers(first, last + 1, n)
    chosen = b.household & (rng.random(n) < YEARLY * (last + 1 - first) / 12)
    busy = np.zeros((months + 1, n), dtype=bool)
    busy[book.month, book.business] = True
    at = asked.request.month - climate.start
    for after in range(4):  # an open application waits for its answer, and for its payout
        busy[np.minimum(at + after, months), asked.request.business] = True
    chosen &= lives.trading[row, np.arange(n)] & ~busy[row, np.arange(n)]
    chosen &= b.established < first_day(climate.start + row) - 400
    day = np.where(chosen, first_day(climate.start + row), NEVER)
    return Rebirths(day, b.heir)


def code_on(b: Businesses, reborn: Rebirths, business: Ints, day: Ints) -> NDArray[Any]:
    """The code under which each business goes on each day."""
    return np.where(day >= reborn.day[business], reborn.code[business], b.code[business])


def recoded(
    b: Businesses, reborn: Rebirths, accounts: Accounts, feeds: dict[str, pl.DataFrame],
    rng: np.random.Generator,
) -> dict[str, pl.DataFrame]:  # fmt: skip
    """The feeds with the new codes from the day of each rebirth on."""
    told_by = _changes(b, reborn)
    changed = {
        name: _renamed(rows, told_by, pl.col(SPEAKS_OF[name]))
        for name, rows in feeds.items()
        if name in SPEAKS_OF
    }
    applied = pl.col("applied_at").dt.convert_time_zone("Asia/Shanghai").dt.date()
    changed["applications"] = _renamed(feeds["applications"], told_by, applied)
    new_year = pl.date(pl.col("year"), 1, 1)
    changed["tax_grades"] = _renamed(feeds["tax_grades"], told_by, new_year)
    changed["registrations"] = _reregistered(feeds["registrations"], changed, told_by)
    renamed = _renamed(feeds["registered_names"], told_by, pl.col("effective_on"))
    opened = _reopened(feeds["registered_names"], told_by)
    changed["registered_names"] = pl.concat([renamed, opened])
    followed = _followed(feeds["meters"], accounts, reborn, opened, rng)
    return feeds | changed | {"meters": pl.concat([feeds["meters"], followed])}


def _changes(b: Businesses, reborn: Rebirths) -> pl.DataFrame:
    who = np.flatnonzero(reborn.day < NEVER)
    day = pl.Series(reborn.day[who]).cast(pl.Int32).cast(pl.Date)
    old, new = (pl.Series(codes[who]).cast(b.codes) for codes in (b.code, reborn.code))
    return pl.DataFrame({"business_id": old, "reborn_as": new, "day": day})


def _renamed(rows: pl.DataFrame, changes: pl.DataFrame, speaks_of: pl.Expr) -> pl.DataFrame:
    """The rows with the new codes in place: of most businesses none changes."""
    own = rows["business_id"].is_in(changes["business_id"].implode()).arg_true()
    few = rows[own].join(changes, on="business_id", how="left", maintain_order="left")
    later = few.select((speaks_of >= pl.col("day")).fill_null(value=False)).to_series()
    code = rows["business_id"].clone().scatter(own.filter(later), few["reborn_as"].filter(later))
    return rows.with_columns(code)


def _reregistered(
    before: pl.DataFrame, feeds: dict[str, pl.DataFrame], changes: pl.DataFrame
) -> pl.DataFrame:
    """The old entry is cancelled and a new one opened; later changes are the new one's."""
    rows, names = feeds["registrations"], before.columns
    last = before.join(changes, on="business_id").filter(pl.col("effective_on") < pl.col("day"))
    last = last.sort("known_on").unique("business_id", keep="last", maintain_order=True)
    last = last.filter(~pl.col("status").cast(pl.String).is_in(["revoked", "cancelled"]))
    known = pl.col("day").dt.offset_by("2d").alias("known_on")
    status, form = before.schema["status"], before.schema["legal_form"]
    closed = last.with_columns(
        pl.lit("cancelled").cast(status).alias("status"), pl.col("day").alias("effective_on"), known
    )
    opened = last.with_columns(
        pl.col("reborn_as").alias("business_id"), pl.col("day").alias("effective_on"), known
    )
    new = pl.col("business_id").is_in(changes["reborn_as"].implode())
    day = rows.join(changes.rename({"business_id": "old", "reborn_as": "business_id"}),
                    on="business_id", how="left", maintain_order="left")["day"]  # fmt: skip
    rows = pl.concat([rows.with_columns(day.alias("day")), opened.select(*names, "day")])
    founded = pl.when(new).then("day").otherwise("established_on").alias("established_on")
    kind = (
        pl.when(new)
        .then(pl.lit(LEGAL_FORMS[0]).cast(form))
        .otherwise("legal_form")
        .alias("legal_form")
    )
    both = pl.concat([rows.with_columns(founded, kind).select(names), closed.select(names)])
    ordered = both.sort("business_id", "known_on", "effective_on", maintain_order=True)
    return ordered.unique(["business_id", "known_on"], keep="last", maintain_order=True)


def _reopened(names: pl.DataFrame, changes: pl.DataFrame) -> pl.DataFrame:
    """The new company's first entry: all as before but the ending of the name."""
    last = names.join(changes, on="business_id").filter(pl.col("effective_on") < pl.col("day"))
    last = last.sort("known_on").unique("business_id", keep="last", maintain_order=True)
    name = pl.col("name").str.replace(ENDINGS[1], COMPANY, literal=True)
    return last.with_columns(
        name.alias("name"),
        pl.col("reborn_as").alias("business_id"),
        pl.col("day").alias("effective_on"),
        pl.col("day").dt.offset_by("2d").alias("known_on"),
    ).select(names.columns)


def _followed(
    meters: pl.DataFrame, accounts: Accounts, reborn: Rebirths, opened: pl.DataFrame,
    rng: np.random.Generator,
) -> pl.DataFrame:  # fmt: skip
    """New accounts of some, months later, in the company's name; the rest keep the dead one's."""
    n = len(reborn.day)
    follows = (reborn.day < NEVER) & (rng.random(n) < FOLLOWS)
    known = reborn.day + rng.integers(30, 200, n)
    old = follows[accounts.user] & accounts.matchable
    account = np.flatnonzero(old & (accounts.from_on < reborn.day[accounts.user]))
    user = accounts.user[account]
    told = pl.DataFrame(
        {
            "business_id": pl.Series(reborn.code[user]).cast(opened["business_id"].dtype),
            "moved_on": pl.Series(known[user]).cast(pl.Int32),
        }
    )
    entry = told.join(opened, on="business_id", maintain_order="left")
    return meters.gather(account).with_columns(
        entry["name"].alias("account_name"),
        entry["effective_on"].alias("from_on"),
        entry["moved_on"].cast(pl.Date).alias("known_on"),
    )


def told(b: Businesses, reborn: Rebirths) -> pl.DataFrame:
    """The list of rebirths for the truth."""
    return _changes(b, reborn).with_columns(pl.col("business_id", "reborn_as").cast(pl.String))
