"""Faults of delivery, planted at stated rates and listed, so that checks can be scored."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from features.tables import FEEDS
from pipelines.world.businesses import Bools
from pipelines.world.months import first_day

DOUBLED = 0.002  # rows delivered twice, to the last byte
DARK_SPELLS = 2  # of each department over the province's months
DARK_DAYS = {"tax_returns": 24, "utility_bills": 18, "registration_events": 30}
CODE_SIGNS = "0123456789ABCDEFGHJKLMNPQRTUWXY"


@dataclass(frozen=True)
class Fault:
    """A fault planted row by row: in which rows, at which rate, and what becomes of them.

    ``caught`` says that the contract refuses the row, so that ingest must quarantine it.
    """

    table: str
    name: str
    rate: float
    where: pl.Expr
    changes: Mapping[str, pl.Expr]
    caught: bool


def _mistyped(column: str) -> pl.Expr:
    """The code with its last character taken for the next one of the alphabet."""
    following = dict(zip(CODE_SIGNS, CODE_SIGNS[1:] + CODE_SIGNS[0], strict=True))
    code = pl.col(column).cast(pl.String)
    return code.str.head(17) + code.str.tail(1).replace_strict(following)


FILED = pl.col("filed_on").is_not_null()
PAID = pl.col("paid_on").is_not_null()
PLANTED = (
    Fault("tax_returns", "sales in ten thousands of yuan", 0.003, FILED & (pl.col("sales_fen") > 0),
          {"sales_fen": pl.col("sales_fen") // 10_000}, caught=False),
    Fault("tax_returns", "filed before its period", 0.0005, FILED,
          {"filed_on": pl.col("period").dt.offset_by("-1d")}, caught=True),
    Fault("utility_bills", "negative reading", 0.001, pl.col("quantity") > 0,
          {"quantity": -pl.col("quantity")}, caught=True),
    Fault("utility_bills", "paid before it was billed", 0.0005, PAID,
          {"paid_on": pl.col("billed_on").dt.offset_by("-40d")}, caught=True),
    Fault("invoices", "mistyped code", 0.001, pl.col("business_id").is_not_null(),
          {"business_id": _mistyped("business_id")}, caught=True),
    Fault("registration_events", "dated after its delivery", 0.002,
          pl.col("happened_on").is_not_null(),
          {"happened_on": pl.col("known_on").dt.offset_by("12mo")}, caught=True),
)  # fmt: skip

LATE = pl.col("known_on")
# What shows in a row that was delivered as it is: listed after the fact, nothing is changed.
SHOWN = (
    ("tax_returns", "late delivery", FILED & (pl.col("amendment") == 0)
     & (pl.col("tax_paid_fen") == pl.col("tax_due_fen"))
     & ((LATE - pl.col("filed_on")).dt.total_days() >= 30)),
    ("tax_returns", "restated", pl.col("amendment") > 0),
    ("invoices", "late delivery",
     (LATE - pl.col("period").dt.offset_by("1mo")).dt.total_days() >= 30),
    ("utility_bills", "estimated reading", pl.col("estimated")),
)  # fmt: skip

# Why no check of a single feed can know of them.
UNCHECKABLE = {
    "bill lost": "a meter without a bill looks like a meter that was not read",
    "return lost": "a business without a return looks like one that was never matched",
    "reading times ten": "a plausible figure; only the business's own past contradicts it",
    "sales in ten thousands of yuan": "a plausible figure; only its other returns contradict it",
    "landlord's name": "a person like any other; no file names the landlord's tenants",
    "name of the tenant before": "a business like any other, which has moved on",
    "owner's name": "a person like any other; only linking can tell",
    "name before a change": "a valid name once; only linking can tell",
    "misspelt name": "the utility has its own spelling; only linking can tell",
    "no telephone": "allowed: many give none",
    "somebody else's telephone": "a telephone like any other; only linking can tell",
    "other premises": "allowed: people work elsewhere than they are registered",
    "late delivery": "allowed: known_on says when it came",
    "held back in a dark spell": "allowed: known_on says when it came",
    "restated": "allowed: a new row with a later known_on",
    "estimated reading": "allowed: the row says so itself",
}


def planted(
    table: str, rows: pl.DataFrame, rng: np.random.Generator
) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    """The rows with this table's faults in them, and the lines that list them."""
    lines, dtypes = [], FEEDS[table].dtypes
    for fault in PLANTED:
        if fault.table == table:
            drawn = np.flatnonzero(rng.random(rows.height) < fault.rate)
            few = rows[drawn].with_columns(pl.Series("at", drawn)).filter(fault.where)
            struck = few.with_columns(**fault.changes)
            for name in fault.changes:
                column = rows[name].cast(dtypes[name]).clone()
                rows = rows.with_columns(column.scatter(few["at"], struck[name]))
            lines.append(_lines(fault.name, table, struck))
    return rows, lines


def shown(table: str, rows: pl.DataFrame) -> list[pl.DataFrame]:
    """Lines for what is late, restated or estimated among the delivered rows."""
    return [_lines(name, table, rows.filter(where)) for at, name, where in SHOWN if at == table]


def dark_spells(first: int, last: int, seed: int) -> dict[str, list[tuple[int, int]]]:
    """First and last day of the weeks in which each department delivered nothing, in order.

    ``first`` and ``last`` are months; the whole province goes dark together. Two spells that touch
    are one.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, 1_000_037]))
    span = int(first_day(first + 3)), int(first_day(last))
    return {
        table: _apart([int(day) for day in np.sort(rng.integers(*span, DARK_SPELLS))], days)
        for table, days in DARK_DAYS.items()
    }


def _apart(starts: list[int], days: int) -> list[tuple[int, int]]:
    """Spells of ``days`` days from each start on, those that touch joined."""
    spells: list[tuple[int, int]] = []
    for start in starts:
        touches = bool(spells) and start <= spells[-1][1] + 1
        first = spells.pop()[0] if touches else start
        spells.append((first, start + days))
    return spells


def held_back(
    table: str, rows: pl.DataFrame, spells: Mapping[str, list[tuple[int, int]]]
) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    """What would have come in a dark spell comes on the day after it, in its last version."""
    contract = FEEDS[table]
    key = list(dict.fromkeys((*contract.key, *contract.version)))
    day, dark = rows["known_on"].cast(pl.Int32), np.zeros(rows.height, dtype=bool)
    came, lines = [], []
    for start, end in spells.get(table, ()):
        spell = day.is_between(start, end + 1)
        dark |= spell.to_numpy()
        after = pl.lit(end + 1).cast(pl.Int32).cast(pl.Date)
        late = rows.filter(spell).sort("known_on", maintain_order=True)
        last = late.with_columns(after.alias("known_on"))
        came.append(last.unique(key, keep="last", maintain_order=True))
        held = late.filter(pl.col("known_on") < after)
        lines.append(_lines("held back in a dark spell", table, held))
    return (pl.concat([rows.filter(pl.Series(~dark)), *came]) if came else rows), lines


def doubled(table: str, rows: pl.DataFrame, rng: np.random.Generator) -> tuple[Bools, pl.DataFrame]:
    """Which rows are delivered twice, and the list of them."""
    twice = rng.random(rows.height) < DOUBLED
    return twice, _lines("doubled row", table, rows.filter(pl.Series(twice)))


def _lines(fault: str, table: str, rows: pl.DataFrame) -> pl.DataFrame:
    return fault_lines(table, fault, rows[FEEDS[table].entity], rows["known_on"])


def fault_lines(table: str, fault: str, entity: Any, day: Any) -> pl.DataFrame:
    """A line of the fault list per entry: whose row, and the day or month it speaks of."""
    days = pl.Series(day)
    caught = fault == "doubled row" or fault not in UNCHECKABLE
    return pl.DataFrame(
        {
            "entity": pl.Series(entity, dtype=pl.String),
            "day": days if days.dtype == pl.Date else days.cast(pl.Int32).cast(pl.Date),
        }
    ).select(
        pl.lit(table).alias("table"),
        pl.lit(fault).alias("fault"),
        "entity",
        "day",
        pl.lit(caught).alias("caught_by_ingest"),
    )
