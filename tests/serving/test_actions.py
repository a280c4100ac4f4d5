"""An action promises no more than the records give once it was taken."""

from collections.abc import Callable, Mapping
from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.build import build
from features.catalog import CATALOG
from features.tables import TABLES
from serving.decision.rows import clean
from serving.decision.what_if import values_after
from serving.policy.values import Row
from tests.features import worlds as w
from tests.serving.test_policy import POLICY

ON = date(2025, 7, 1)
ACTIONS = {action.id: action for action in POLICY.actions}
Tables = dict[str, pl.DataFrame]
RETURNS = ("late_returns_24m", "late_returns_12m", "late_returns_share_24m",
           "longest_return_delay_24m", "missing_returns_24m")  # fmt: skip
ASKED = {
    "application_id": "A", "business_id": "shop", "amount_fen": 10_000_000, "term_months": 12,
    "purpose": "stock", "repayment": "bullet",
}  # fmt: skip


def valid(tables: Tables, name: str) -> pl.DataFrame:
    """The version of each key that was known last."""
    table = tables[name].sort("known_on")
    return table.unique(TABLES[name].key, keep="last", maintain_order=True)


def restated(tables: Tables, name: str, changed: pl.DataFrame) -> Tables:
    """The tables with rows told anew on the day."""
    return {**tables, name: pl.concat([tables[name], changed.with_columns(known_on=pl.lit(ON))])}


def pay_tax_arrears(tables: Tables) -> Tables:
    open_ = pl.col("tax_due_fen") > pl.col("tax_paid_fen")
    owed = valid(tables, "tax_returns").filter(open_ & (pl.col("due_on") < ON))
    return restated(tables, "tax_returns", owed.with_columns(tax_paid_fen=pl.col("tax_due_fen")))


def pay_utility_bills(tables: Tables) -> Tables:
    overdue = pl.col("paid_on").is_null() & (pl.col("due_on") < ON)
    bills = valid(tables, "linked_bills").filter(overdue)
    return restated(tables, "linked_bills", bills.with_columns(paid_on=pl.lit(ON)))


def leave_abnormal_list(tables: Tables) -> Tables:
    entries = valid(tables, "registration_events").filter(pl.col("event") == "abnormal_listed")
    removed = pl.lit("abnormal_removed").cast(entries.schema["event"])
    changed = entries.unique("business_id").with_columns(event=removed, happened_on=pl.lit(ON))
    return restated(tables, "registration_events", changed)


def file_missing_returns(tables: Tables) -> Tables:
    missing = pl.col("filed_on").is_null() & (pl.col("due_on") < ON)
    figures = {name: pl.lit(0, pl.Int64) for name in ("sales_fen", "tax_due_fen", "tax_paid_fen")}
    returns = (
        valid(tables, "tax_returns").filter(missing).with_columns(filed_on=pl.lit(ON), **figures)
    )
    return restated(tables, "tax_returns", returns)


TAKEN: Mapping[str, Callable[[Tables], Tables]] = {
    "pay_tax_arrears": pay_tax_arrears,
    "pay_utility_bills": pay_utility_bills,
    "leave_abnormal_list": leave_abnormal_list,
    "file_missing_returns": file_missing_returns,
}


def known(tables: Tables) -> Row:
    at = pl.datetime(ON.year, ON.month, ON.day, 4, time_zone="UTC").alias("applied_at")
    asked = pl.DataFrame(ASKED, schema_overrides={"amount_fen": pl.Int64}).with_columns(at)
    return clean(build(asked, tables, CATALOG).drop("applied_on").row(0, named=True))


@pytest.mark.parametrize("name", list(ACTIONS))
@settings(max_examples=30, deadline=None)
@given(world=st.one_of(w.histories(), w.worlds()))
def test_no_feature_is_riskier_after_an_action_than_was_promised(name: str, world: w.World) -> None:
    settled = {
        name: [row for row in rows if row["known_on"] < ON and not row.get("amendment")]
        for name, rows in world.items()
    }
    tables = w.frames(settled)
    before, after = known(tables), known(TAKEN[name](tables))
    promised = {**before, **dict(values_after([ACTIONS[name]], before))}
    told = RETURNS if name == "file_missing_returns" else [one.name for one in CATALOG]
    for one in CATALOG:
        value, best = after[one.name], promised[one.name]
        if one.name in told and one.risk and value is not None and best is not None:
            assert isinstance(value, float)
            assert isinstance(best, float)
            worse = value > best if one.risk == "rises" else value < best
            assert not worse, (one.name, best, value)


def test_what_was_missing_is_late_once_it_is_filed() -> None:
    row: Row = {"missing_returns_24m": 2.0, "late_returns_24m": 1.0, "late_returns_12m": None}
    moved = dict(values_after([ACTIONS["file_missing_returns"]], row))
    assert moved == {"missing_returns_24m": 0.0, "late_returns_24m": 3.0}


def test_tax_that_is_paid_was_in_arrears() -> None:
    row: Row = {"tax_arrears": 5.0, "returns_in_arrears": 1.0, "past_arrears_24m": 0.0}
    moved = dict(values_after([ACTIONS["pay_tax_arrears"]], row))
    assert moved == {"tax_arrears": 0.0, "returns_in_arrears": 0.0, "past_arrears_24m": 1.0}
