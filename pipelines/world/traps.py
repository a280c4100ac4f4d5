"""The traps of the domain notes: where each is set, and how often, to score who catches them."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import NamedTuple

import polars as pl

Frames = Mapping[str, pl.DataFrame]
SMALL_FEN = 1_000_000


class Trap(NamedTuple):
    """A trap: its number in the domain notes, what it is, the table it is in, how many are set."""

    number: int
    name: str
    table: str
    planted: Callable[[Frames, Frames], int]


def _rows(table: str, *where: pl.Expr) -> Callable[[Frames, Frames], int]:
    return lambda feeds, _: feeds[table].filter(*where).height


def _listed(name: str, *where: pl.Expr) -> Callable[[Frames, Frames], int]:
    return lambda _, truth: truth[name].filter(*where).height


def _word(column: str, *words: str) -> pl.Expr:
    return pl.col(column).cast(pl.String).is_in(words)


def hidden_by_bureaus(repayments: pl.DataFrame) -> pl.DataFrame:
    """Months in arrears that no bureau tells of any more since 2026, the bank's own book alone.

    By the central bank's notice of 2025-12-22: of 2020 to 2025, up to 10,000 yuan, and repaid by
    2026-03-31.
    """
    owed = pl.col("due_fen") - pl.col("paid_fen")
    span = pl.col("period").is_between(date(2020, 1, 1), date(2025, 12, 31))
    repaid = repayments.filter(owed == 0, pl.col("period") <= date(2026, 3, 31))
    last = repaid.group_by("application_id").agg(pl.col("period").max().alias("repaid_in"))
    behind = repayments.filter(owed > 0, owed <= SMALL_FEN, span)
    found = behind.join(last, on="application_id")
    return found.filter(pl.col("period") < pl.col("repaid_in"))


LAG = (pl.col("known_on") - pl.col("happened_on")).dt.total_days()
BACK = (pl.col("known_on") - pl.col("effective_on")).dt.total_days()
MOVED = pl.col("period").is_between(date(2021, 4, 1), date(2022, 12, 31))

TRAPS = (
    Trap(1, "a restated return known only after the decision", "tax_returns",
         _rows("tax_returns", pl.col("amendment") > 0)),
    Trap(2, "an exit recorded backdated", "registrations",
         _rows("registrations", _word("status", "revoked", "cancelled"), BACK >= 30)),
    Trap(3, "a tax grade published only in April of the next year", "tax_grades",
         _rows("tax_grades")),
    Trap(4, "a judgment delivered one to three months after its date", "registration_events",
         _rows("registration_events", _word("event", "judgment_debtor"), LAG >= 30)),
    Trap(5, "a renewed loan that looks like a good one", "repayments",
         lambda feeds, _: feeds["repayments"].filter(_word("state", "renewed"))
         ["application_id"].n_unique()),
    Trap(6, "a landlord's meter shared by several shops", "meters",
         lambda _, truth: truth["links"].filter("shared")["meter_id"].n_unique()),
    Trap(7, "kWh times ten after a transformer was changed", "utility_bills",
         _listed("faults", pl.col("fault") == "reading times ten")),
    Trap(8, "a household reborn as a company: new code, old history", "registrations",
         _listed("rebirths")),
    Trap(9, "voids end and red letters jump with digital invoices", "invoices",
         _rows("invoices", pl.col("voids") == 0, pl.col("red_letters") > 0)),
    Trap(10, "the VAT threshold moved in 2021-04 and back in 2023-01", "tax_returns",
         _rows("tax_returns", _word("tax", "vat"), pl.col("months") == 3, MOVED)),
    Trap(11, "capital cut because the Company Law of 2024-07 asks for it", "registration_events",
         _rows("registration_events", _word("event", "capital_reduced"),
               pl.col("happened_on") >= date(2024, 7, 1))),
    Trap(12, "small arrears, since repaid, that a bureau hides from 2026-01", "repayments",
         lambda feeds, _: hidden_by_bureaus(feeds["repayments"])["application_id"].n_unique()),
    Trap(13, "a solar roof: less bought, no less sold", "utility_bills",
         _listed("businesses", pl.col("solar_since").is_not_null())),
    Trap(14, "one owner applies for two businesses at once", "applications",
         _listed("duplicates")),
    Trap(15, "consent withdrawn between the features and the decision", "applications",
         _listed("consents")),
    Trap(16, "the old policy holds something against some groups", "applications",
         lambda _, truth: truth["applications"].filter(
             pl.col("granted_without_bias"), ~pl.col("passed")).height),
    Trap(17, "Spring Festival in January or in February", "tax_returns",
         _rows("tax_returns", _word("tax", "vat"), pl.col("months") == 1,
               pl.col("period").dt.month() <= 2)),
)  # fmt: skip


def told(feeds: Frames, truth: Frames) -> pl.DataFrame:
    """How many of each trap a partition holds."""
    rows = [(t.number, t.name, t.table, t.planted(feeds, truth)) for t in TRAPS]
    return pl.DataFrame(rows, schema=["number", "trap", "table", "planted"], orient="row")
