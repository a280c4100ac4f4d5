"""Faults of delivery, planted at stated rates and listed, so that checks can be scored."""

from typing import Any

import numpy as np
import polars as pl

from features.tables import FEEDS

DOUBLED = 0.002  # rows delivered twice, to the last byte


def doubled(
    table: str, rows: pl.DataFrame, rng: np.random.Generator
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows with a few repeated, and the list of what was repeated."""
    count = rng.binomial(rows.height, DOUBLED)
    again = rows.gather(np.sort(rng.choice(rows.height, count, replace=False)))
    entity, day = again[FEEDS[table].entity], again["known_on"]
    return pl.concat([rows, again]), fault_lines(table, "doubled row", entity, day)


def fault_lines(table: str, fault: str, entity: Any, day: Any) -> pl.DataFrame:
    """A line of the fault list per entry: whose row, and the day or month it speaks of."""
    days = pl.Series(day)
    return pl.DataFrame(
        {
            "entity": pl.Series(entity, dtype=pl.String),
            "day": days if days.dtype == pl.Date else days.cast(pl.Int32).cast(pl.Date),
        }
    ).select(pl.lit(table).alias("table"), pl.lit(fault).alias("fault"), "entity", "day")
