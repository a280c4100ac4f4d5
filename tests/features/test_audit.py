"""The audit names what has seen the future, and nothing else."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.audit import future_bomb
from features.build import build
from features.catalog import CATALOG, select
from features.definition import Feature, feature
from features.tables import REPAYMENTS, TABLES
from tests.features import worlds as w
from tests.features.spec import SHOP, draw

Tables = Mapping[str, pl.DataFrame]

BOOK = draw(
    "repayments",
    """
    application_id | period     | state      | days_past_due | known_on
    ---------------+------------+------------+---------------+-----------
    L1             | 2025-03-01 | performing |             0 | 2025-04-05
    L1             | 2025-04-01 | performing |            10 | 2025-05-05
    L1             | 2025-05-01 | performing |            40 | 2025-06-05
    """,
)
RETURNS = draw("tax_returns", "period | sales_fen\n---\n2025-02-01 | 100\n2025-05-01 | 200")
TABLES_OF_THE_SHOP = {"repayments": BOOK, "tax_returns": RETURNS}


def asked_on(*days: int) -> pl.DataFrame:
    """Applications of the shop in May 2025, at noon UTC."""
    dtypes = TABLES["applications"].dtypes
    columns = {
        "application_id": [f"A{day}" for day in days],
        "business_id": [SHOP] * len(days),
        "applied_at": [datetime(2025, 5, day, 12, tzinfo=UTC) for day in days],
        "amount_fen": [100] * len(days),
        "term_months": [12] * len(days),
        "purpose": ["stock"] * len(days),
        "repayment": ["bullet"] * len(days),
    }
    return pl.DataFrame(columns, schema={name: dtypes[name] for name in columns})


@feature(REPAYMENTS, unit="days", risk="rises", reason="R34", plausible=(0, 10_000))
def worst_delay_of_this_loan() -> pl.Expr:
    """The canary: what only the months after the application can tell, once they are let in."""
    return pl.col("days_past_due").max().cast(pl.Float64)


def backdated(by: str) -> Callable[[pl.DataFrame, Tables, Sequence[Feature]], pl.DataFrame]:
    """A build that prepares the loan book as if each month had been known ``by`` earlier."""

    def prepared(
        applications: pl.DataFrame, tables: Tables, features: Sequence[Feature]
    ) -> pl.DataFrame:
        early = tables["repayments"].with_columns(pl.col("known_on").dt.offset_by(f"-{by}"))
        return build(applications, {**tables, "repayments": early}, features)

    return prepared


@pytest.mark.parametrize("by", ["1d", "2mo"])
def test_a_planted_leak_is_caught_and_nothing_else(by: str) -> None:
    features = [*select(["declared_sales_monthly_12m", "term"]), worst_delay_of_this_loan]
    asked = asked_on(4, 20)
    assert future_bomb(asked, TABLES_OF_THE_SHOP, features, build=backdated(by)) == [
        "worst_delay_of_this_loan"
    ]
    assert future_bomb(asked, TABLES_OF_THE_SHOP, features) == []


def test_a_record_known_on_the_next_morning_is_enough_to_be_caught() -> None:
    """Also where the feeds end before the application, so that nothing real is known later."""
    leak = backdated("1d")
    assert future_bomb(
        asked_on(31), {"repayments": BOOK[:1]}, [worst_delay_of_this_loan], build=leak
    )


def a_day_too_late(
    applications: pl.DataFrame, tables: Tables, features: Sequence[Feature]
) -> pl.DataFrame:
    """A build whose cut lets the next morning in."""
    early = {
        name: rows.with_columns(pl.col("known_on").dt.offset_by("-1d"))
        for name, rows in tables.items()
    }
    return build(applications, early, features)


FEEDS = {
    "registrations": "established_on\n---\n2024-01-01",
    "registration_events": "event | happened_on\n---\npenalty | 2025-01-01",
    "tax_returns": "period | sales_fen\n---\n2025-02-01 | 100\n2025-03-01 | 200",
    "tax_grades": "year | grade\n---\n2023 | A",
    "invoices": "period | amount_fen\n---\n2025-02-01 | 100\n2025-03-01 | 200",
    "linked_bills": "period | quantity\n---\n2025-02-01 | 100\n2025-03-01 | 200",
    "peers": "peers | known_on\n---\n40 | 2025-05-01",
    "repayments": "period | state\n---\n2025-03-01 | performing",
}


@pytest.mark.parametrize("name", w.TABLE_NAMES)
def test_a_cut_that_comes_a_day_too_late_is_caught_in_every_source(name: str) -> None:
    features = [one for one in CATALOG if one.source and one.source.name == name]
    tables = {name: draw(name, FEEDS[name])}
    assert future_bomb(asked_on(31), tables, features, build=a_day_too_late)
    assert future_bomb(asked_on(31), tables, features) == []


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(world=st.one_of(w.worlds(), w.histories()), asking=w.applications())
def test_the_catalogue_survives_the_bomb(world: w.World, asking: list[w.Row]) -> None:
    assert future_bomb(w.frame("applications", asking), w.frames(world), CATALOG) == []
