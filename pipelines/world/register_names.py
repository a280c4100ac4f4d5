"""The register's file of names: under which name, at which address a business can be found."""

import numpy as np
import polars as pl

from features.tables import REGISTERED_NAMES
from pipelines.world.businesses import Businesses
from pipelines.world.frames import NEVER, frame
from pipelines.world.months import Ints
from pipelines.world.names import Signs, addresses
from pipelines.world.registrations import KIND, Events

SILENT = 0.04  # of the businesses gave the register no telephone


def name_feed(
    b: Businesses, signs: Signs, events: Events, rng: np.random.Generator
) -> pl.DataFrame:
    """A row at establishment, at a change of name and at each move, with all that then holds."""
    everyone = np.arange(len(b))
    renamed = np.flatnonzero(signs.renamed < NEVER)
    moved = np.flatnonzero(events.kind == KIND["address_changed"])
    who = events.business[moved]
    changes = pl.concat(
        [
            _change(everyone, b.established, rng, name=signs.former, address=signs.address),
            _change(
                renamed, signs.renamed[renamed], rng, name=signs.name.gather(pl.Series(renamed))
            ),
            _change(who, events.day[moved], rng, address=addresses(b.district[who], rng)),
        ]
    )
    history = changes.sort("i", "effective", "known", maintain_order=True).with_columns(
        pl.col("name", "address").forward_fill().over("i"),
        # what is entered later is known later
        pl.col("known").cum_max().over("i"),
    )
    rows = history.unique(["i", "known"], keep="last", maintain_order=True)
    silent = pl.Series(rng.random(len(b)) < SILENT).gather(rows["i"])
    phone = signs.phone.gather(rows["i"]).to_frame("phone").with_columns(silent.alias("silent"))
    return frame(
        REGISTERED_NAMES, b.key,
        business_id=rows["i"].to_numpy(), effective_on=rows["effective"].to_numpy(),
        name=rows["name"], representative=signs.owner.gather(rows["i"]), address=rows["address"],
        phone_hash=phone.select(pl.when(~pl.col("silent")).then("phone")).to_series(),
        known_on=rows["known"].to_numpy(),
    )  # fmt: skip


def _change(
    who: Ints, day: Ints, rng: np.random.Generator, *,
    name: pl.Series | None = None, address: pl.Series | None = None,
) -> pl.DataFrame:  # fmt: skip
    """What changed, and nulls for what stayed; the bank hears of it within four days."""
    same = pl.Series([None] * len(who), dtype=pl.String)
    return pl.DataFrame(
        {
            "i": pl.Series(who, dtype=pl.Int64),
            "effective": pl.Series(day, dtype=pl.Int64),
            "known": pl.Series(day + rng.integers(1, 5, len(who)), dtype=pl.Int64),
            "name": same if name is None else name,
            "address": same if address is None else address,
        }
    )
