"""Time is cut once, and a business alone gets the row it gets among many."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.build import build
from features.catalog import CATALOG, select
from features.definition import feature
from features.errors import BadTable
from features.tables import REGISTRATIONS, TABLES
from tests.features import worlds as w
from tests.features.oracle import features_of
from tests.features.spec import asked, draw

few = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
worlds_and_applications = given(world=w.worlds(), asking=w.applications())


def table(world: w.World, asking: list[w.Row]) -> pl.DataFrame:
    return build(w.frame("applications", asking), w.frames(world), CATALOG)


def day_of(application: w.Row) -> date:
    moment: datetime = application["applied_at"]
    return moment.astimezone(ZoneInfo("Asia/Shanghai")).date()


def assert_same_bytes(left: pl.DataFrame, right: pl.DataFrame) -> None:
    """Equal to the last bit: -0.0 is not 0.0, and no tolerance."""
    assert left.schema == right.schema
    a, b = (
        table.with_columns(pl.col(pl.Float64).reinterpret(signed=False)) for table in (left, right)
    )
    if not a.equals(b, null_equal=True):
        assert [name for name in a.columns if not a[name].equals(b[name], null_equal=True)] == []


def assert_as_plainly_reckoned(world: w.World, asking: list[w.Row]) -> None:
    built = table(world, asking)
    for application, row in zip(asking, built.iter_rows(named=True), strict=True):
        expected = features_of(application, world, day_of(application))
        for name in (one.name for one in CATALOG):
            value = expected.get(name)
            near = pytest.approx(value, rel=1e-9, abs=1e-9) if type(value) is float else value
            assert row[name] == near, f"{name} of {application}"


@few
@given(world=w.worlds(rows=24), asking=w.applications())
def test_every_feature_equals_the_plain_reckoning(world: w.World, asking: list[w.Row]) -> None:
    assert_as_plainly_reckoned(world, asking)


@few
@given(world=w.histories(), asking=w.applications(first=w.LATE))
def test_every_feature_of_unbroken_months_equals_the_plain_reckoning(
    world: w.World, asking: list[w.Row]
) -> None:
    assert_as_plainly_reckoned(world, asking)


@few
@worlds_and_applications
def test_nothing_known_later_changes_a_feature(world: w.World, asking: list[w.Row]) -> None:
    same_day = [{**one, "applied_at": asking[0]["applied_at"]} for one in asking]
    cut = day_of(asking[0])
    future = {name: [row for row in rows if row["known_on"] <= cut] for name, rows in world.items()}
    assert_same_bytes(table(world, same_day), table(future, same_day))


@few
@worlds_and_applications
def test_absurd_records_known_from_the_next_morning_change_nothing(
    world: w.World, asking: list[w.Row]
) -> None:
    same_day = [{**one, "applied_at": asking[0]["applied_at"]} for one in asking]
    cut = day_of(asking[0])
    tomorrow = cut + timedelta(days=1)
    bomb = {
        name: rows
        + [{**_absurd(row), "known_on": tomorrow} for row in rows if row["known_on"] != tomorrow]
        for name, rows in _without(world, tomorrow).items()
    }
    assert_same_bytes(table(_without(world, tomorrow), same_day), table(bomb, same_day))


def _without(world: w.World, day: date) -> w.World:
    return {name: [r for r in rows if r["known_on"] != day] for name, rows in world.items()}


def _absurd(row: w.Row) -> w.Row:
    """The same key with every figure absurd: a bomb that goes off if it is seen."""
    key = {"period", "amendment", "year", "months"}
    return {
        name: 10**14 - 1 if type(value) is int and name not in key else value
        for name, value in row.items()
    }


@few
@worlds_and_applications
def test_restating_history_later_leaves_a_rebuild_as_of_the_old_day_as_it_was(
    world: w.World, asking: list[w.Row]
) -> None:
    last = max(map(day_of, asking))
    restated = {
        name: rows
        + [
            {**_absurd(row), "known_on": last + timedelta(days=9 + i)}
            for i, row in enumerate(rows[::2])
        ]
        for name, rows in world.items()
    }
    assert_same_bytes(table(world, asking), table(restated, asking))


@few
@given(world=st.one_of(w.worlds(), w.histories()), asking=w.applications())
def test_one_application_alone_gets_the_row_it_gets_in_a_batch(
    world: w.World, asking: list[w.Row]
) -> None:
    batch = table(world, asking)
    for i, application in enumerate(asking):
        own = {
            name: [row for row in rows if row["business_id"] == application["business_id"]]
            for name, rows in world.items()
        }
        assert_same_bytes(table(own, [application]), batch[i : i + 1])


@few
@given(world=w.worlds(), asking=w.applications(), shuffle=st.randoms(use_true_random=False))
def test_the_order_of_records_is_irrelevant(
    world: w.World, asking: list[w.Row], shuffle: Any
) -> None:
    shuffled = {name: shuffle.sample(rows, len(rows)) for name, rows in world.items()}
    assert_same_bytes(table(shuffled, asking), table(world, asking))


@few
@given(world=w.worlds(), asking=w.applications(), shuffle=st.randoms(use_true_random=False))
def test_rows_come_in_the_order_of_the_applications(
    world: w.World, asking: list[w.Row], shuffle: Any
) -> None:
    order = shuffle.sample(range(len(asking)), len(asking))
    moved = table(world, [asking[i] for i in order])
    assert moved["application_id"].to_list() == [asking[i]["application_id"] for i in order]
    assert_same_bytes(moved, table(world, asking)[order])


INCOMPLETE = tuple(name for name in w.TABLE_NAMES if not TABLES[name].complete)


@few
@given(world=w.worlds(), asking=w.applications(), name=st.sampled_from(INCOMPLETE))
def test_in_an_incomplete_source_an_absent_table_is_an_empty_one(
    world: w.World, asking: list[w.Row], name: str
) -> None:
    asked_for = w.frame("applications", asking)
    empty = w.frames({**world, name: []})
    absent = {key: rows for key, rows in empty.items() if key != name}
    assert_same_bytes(build(asked_for, absent, CATALOG), build(asked_for, empty, CATALOG))


def values_of(names: list[str], tables: dict[str, pl.DataFrame]) -> dict[str, tuple[Any, ...]]:
    """The named features of a shop and of a stranger on a June day, by business."""
    row = build(asked(["shop", "stranger"], date(2025, 6, 15)), tables, select(names))
    return {values[0]: values[1:] for values in row.select("business_id", *names).iter_rows()}


PENALTY = draw("registration_events", "event | happened_on\n---\npenalty | 2025-06-01")
BOOK = draw("repayments", "period | balance_fen | state\n---\n2025-04-01 | 5000 | performing")
COMPLETE = {
    "registration_events": (PENALTY, ["penalties_24m", "penalty_amount_24m"]),
    "repayments": (BOOK, ["earlier_loans", "balance_owed"]),
}


@pytest.mark.parametrize("name", COMPLETE)
def test_in_a_complete_source_no_row_means_that_nothing_happened(name: str) -> None:
    rows, names = COMPLETE[name]
    assert TABLES[name].complete
    told = values_of(names, {name: rows})
    assert told["shop"] != (0, 0)
    assert told["stranger"] == (0, 0)
    assert values_of(names, {name: rows.clear()})["stranger"] == (0, 0)


@pytest.mark.parametrize("name", COMPLETE)
def test_what_is_known_too_late_leaves_a_complete_source_at_nothing(name: str) -> None:
    rows, names = COMPLETE[name]
    late = rows.with_columns(pl.lit(date(2025, 6, 16)).alias("known_on"))
    assert values_of(names, {name: late})["shop"] == (0, 0)


@pytest.mark.parametrize("name", COMPLETE)
def test_a_complete_source_that_was_never_delivered_says_nothing(name: str) -> None:
    names = COMPLETE[name][1]
    assert values_of(names, {}) == {"shop": (None, None), "stranger": (None, None)}


def test_in_a_complete_source_only_counts_and_sums_are_zero() -> None:
    names = ["months_since_penalty", "earlier_days_past_due", "paid_share_of_due"]
    empty = {name: rows.clear() for name, (rows, _) in COMPLETE.items()}
    assert values_of(names, empty)["shop"] == (None, None, None)


def test_in_any_other_source_no_row_means_that_nothing_is_known() -> None:
    names = ["late_returns_24m", "months_without_invoice_12m", "late_utility_bills_12m"]
    tables = {
        "tax_returns": draw("tax_returns", "period\n---\n2025-04-01"),
        "invoices": draw("invoices", "period\n---\n2025-04-01"),
        "linked_bills": draw("linked_bills", "period\n---\n2025-04-01"),
    }
    told = values_of(names, tables)
    assert told["shop"] == (0, 0, 0)
    assert told["stranger"] == (None, None, None)


def bucket_of_many(copies: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Returns of one small business under many names: long enough for every path of the build."""
    returns = draw(
        "tax_returns",
        """
        period     | sales_fen          | tax_due_fen | amendment | known_on
        -----------+--------------------+-------------+-----------+-----------
        2024-01-01 | 99_999_999_999_999 |          17 |         0 | 2024-02-20
        2024-02-01 |                  5 |          19 |         0 | 2024-03-20
        2024-02-01 | 33_333_333_333_333 |          19 |         1 | 2024-05-20
        2024-03-01 |                  7 |          23 |         0 | 2024-04-20
        2024-04-01 | 12_345_678_901_234 |          29 |         0 | 2024-05-20
        """,
    )
    names = pl.DataFrame({"business_id": [f"firm {i:05d}" for i in range(copies)]})
    many = names.join(returns.drop("business_id"), how="cross", maintain_order="left_right")
    return many.select(returns.columns), asked(names["business_id"], date(2024, 6, 1))


ORDERS: dict[str, Callable[[pl.DataFrame], pl.DataFrame]] = {
    "as the store sorts them": lambda rows: rows,
    "shuffled": lambda rows: rows.sample(fraction=1, shuffle=True, seed=1),
    "newest first in each business": lambda rows: rows.sort(
        "business_id", "known_on", descending=[False, True]
    ),
}


@pytest.mark.parametrize("order", ORDERS)
def test_a_business_alone_gets_the_row_it_gets_in_a_bucket_of_thousands(order: str) -> None:
    returns, asking = bucket_of_many(3_000)
    many = build(asking, {"tax_returns": ORDERS[order](returns)}, CATALOG)
    for i in (0, 1_234, 2_999):
        own = returns.filter(pl.col("business_id") == asking["business_id"][i])
        alone = build(asking[i : i + 1], {"tax_returns": own}, CATALOG)
        assert_same_bytes(alone, many[i : i + 1])
        assert alone["amended_returns_24m"].item() == 1
    assert many["declared_sales_volatility_24m"].n_unique() == 1


def test_a_feature_of_the_row_may_read_others_before_it() -> None:
    @feature(None, unit="months", reason="R36", undirected="a test")
    def twice() -> pl.Expr:
        """Twice the term."""
        return pl.col("term") * 2

    @feature(None, unit="months", reason="R36", undirected="a test")
    def four_times() -> pl.Expr:
        """Twice that."""
        return pl.col("twice") * 2

    features = [*select(["term"]), twice, four_times]
    row = build(asked(["shop"], date(2025, 6, 15), term_months=3), {}, features)
    assert row.select("term", "twice", "four_times").row(0) == (3, 6, 12)


REGISTER = """
    status    | registered_capital_fen | known_on
    ----------+------------------------+-----------
    operating |                    100 | 2025-03-10
    suspended |                    200 | 2025-06-15
    revoked   |                    300 | 2025-06-16
"""


def test_what_is_known_on_the_very_day_is_seen_and_the_next_day_is_not() -> None:
    register = {"registrations": draw("registrations", REGISTER)}
    capital = {
        day: build(asked(["shop"], day), register, select(["registered_capital"])).item(0, -1)
        for day in (date(2025, 3, 9), date(2025, 6, 14), date(2025, 6, 15), date(2025, 6, 16))
    }
    assert list(capital.values()) == [None, 1, 2, 3]


@pytest.mark.parametrize(("hour", "second", "capital"), [(15, 59, 2), (16, 0, 3)])
def test_the_day_turns_at_midnight_in_shanghai(hour: int, second: int, capital: float) -> None:
    register = {"registrations": draw("registrations", REGISTER)}
    moment = datetime(2025, 6, 15, hour, second, second, tzinfo=UTC)
    late = asked(["shop"], date(2025, 6, 15)).with_columns(
        pl.lit(moment).cast(pl.Datetime("us", "UTC")).alias("applied_at")
    )
    row = build(late, register, select(["registered_capital"]))
    assert row["applied_on"].item() == date(2025, 6, 15) + timedelta(days=capital - 2)
    assert row["registered_capital"].item() == capital


def test_no_applications_make_an_empty_table_of_the_same_schema() -> None:
    one = build(asked(["shop"], date(2025, 6, 15)), {}, CATALOG)
    none = build(asked([], date(2025, 6, 15)), {}, CATALOG)
    assert none.height == 0
    assert none.schema == one.schema


def test_numbers_are_floats_and_categories_strings_whatever_is_known() -> None:
    row = build(asked(["shop"], date(2025, 6, 15)), {}, CATALOG)
    for one in CATALOG:
        assert row.schema[one.name] == (pl.String if one.is_category else pl.Float64), one.name


def test_only_the_features_asked_for_are_built() -> None:
    names = ["term", "declared_sales_monthly_12m"]
    row = build(asked(["shop"], date(2025, 6, 15)), {}, select(names))
    assert row.columns == ["application_id", "business_id", "applied_on", *names[::-1]]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda rows: rows.drop("sales_fen"), "tax_returns has no column 'sales_fen'"),
        (lambda rows: rows.drop("owner_is_local", strict=False).drop("levy"), "no column 'levy'"),
        (lambda rows: rows.with_columns(pl.col("months").cast(pl.Int32)), "months is Int32"),
        (lambda rows: rows.with_columns(pl.col("tax").cast(pl.String)), "tax is String"),
        (lambda rows: rows.clear().drop("known_on"), "no column 'known_on'"),
    ],
)
def test_a_table_that_breaks_its_contract_is_refused(
    spoil: Callable[[pl.DataFrame], pl.DataFrame], message: str
) -> None:
    returns = draw("tax_returns", "period\n---\n2025-01-01")
    with pytest.raises(BadTable, match=message):
        build(asked(["shop"], date(2025, 6, 15)), {"tax_returns": spoil(returns)}, CATALOG)


@pytest.mark.parametrize("column", ["owner_sex", "owner_is_local", "known_on", "established_on"])
def test_a_feature_body_sees_neither_sensitive_columns_nor_dates(column: str) -> None:
    @feature(REGISTRATIONS, unit="flag", reason="R01", undirected="a test")
    def peeks() -> pl.Expr:
        """Looks where it may not."""
        return pl.col(column).is_not_null().last().cast(pl.Float64)

    register = {"registrations": draw("registrations", REGISTER)}
    with pytest.raises(pl.exceptions.ColumnNotFoundError, match=column):
        build(asked(["shop"], date(2025, 6, 15)), register, [peeks])


def test_every_table_with_features_is_in_the_random_worlds() -> None:
    sources = {one.source.name for one in CATALOG if one.source}
    assert sources == set(w.TABLE_NAMES)
