"""As of any day, the linked bills say what was then known of whose bill is whose."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from features.tables import LINKED_BILLS, LINKS, UTILITY_BILLS
from pipelines.intake.attribute import attribute
from tests.pipelines.feeds import credit_code

START = date(2024, 6, 1)
BAKERY, TEAHOUSE = credit_code(1), credit_code(2)
PERIODS = (date(2024, 1, 1), date(2024, 2, 1))
Row = dict[str, Any]


def meter(
    business: str | None, known: int, *, from_on: date = date(2019, 1, 1), to_on: date | None = None
) -> Row:
    """What was believed of the account of meter M from a day after the start on."""
    account = {"meter_id": "M", "service": "water", "from_on": from_on, "to_on": to_on}
    link = {"business_id": business, "link_probability": business and 0.95}
    return account | link | {"known_on": START + timedelta(known)}


def bill(known: int, quantity: int = 1, period: date = PERIODS[0]) -> Row:
    """A version of a bill of meter M."""
    read = {"meter_id": "M", "period": period, "quantity": quantity, "estimated": False}
    due = {"amount_fen": 5, "billed_on": date(2024, 3, 2), "due_on": date(2024, 3, 20)}
    return read | due | {"paid_on": None, "known_on": START + timedelta(known)}


def linked(meters: Iterable[Row], bills: Iterable[Row]) -> pl.DataFrame:
    """The linked bills that follow."""
    return attribute(
        pl.DataFrame(list(meters), schema=LINKS.dtypes),
        pl.DataFrame(list(bills), schema=UTILITY_BILLS.dtypes),
    )


def seen(rows: pl.DataFrame, day: int) -> set[tuple[str, date, int]]:
    """(business, period, quantity) as of a day: the newest row of each key, unless withdrawn."""
    known = rows.filter(pl.col("known_on") <= START + timedelta(day)).sort("known_on")
    newest = known.group_by(LINKED_BILLS.key).last().filter("attributed")
    return set(newest.select("business_id", "period", "quantity").iter_rows())


def history(rows: pl.DataFrame) -> list[tuple[str, int, int, bool]]:
    """(business, day, quantity, attributed) of every row."""
    days = (pl.col("known_on") - START).dt.total_days()
    columns = ["business_id", days, "quantity", "attributed"]
    return sorted(rows.select(columns).iter_rows())


def test_a_bill_is_known_once_both_it_and_the_link_are_known() -> None:
    assert history(linked([meter(BAKERY, 3)], [bill(1), bill(5, 2)])) == [
        (BAKERY, 3, 1, True),
        (BAKERY, 5, 2, True),
    ]


def test_a_bill_replaced_before_its_meter_was_linked_was_never_seen() -> None:
    assert history(linked([meter(BAKERY, 9)], [bill(1), bill(5, 2)])) == [(BAKERY, 9, 2, True)]


def test_a_meter_never_matched_gives_no_bills() -> None:
    assert linked([meter(None, 0)], [bill(1)]).is_empty()


def test_a_link_mended_later_ends_the_first_attribution_on_that_day_and_not_before() -> None:
    rows = linked([meter(BAKERY, 0), meter(TEAHOUSE, 7)], [bill(1)])

    assert seen(rows, 6) == {(BAKERY, PERIODS[0], 1)}
    assert seen(rows, 7) == {(TEAHOUSE, PERIODS[0], 1)}
    assert history(rows) == sorted(
        [(BAKERY, 1, 1, True), (BAKERY, 7, 1, False), (TEAHOUSE, 7, 1, True)]
    )


def test_a_link_restated_without_a_change_adds_nothing() -> None:
    assert history(linked([meter(BAKERY, 0), meter(BAKERY, 7)], [bill(1)])) == [
        (BAKERY, 1, 1, True)
    ]


def test_an_account_closed_in_hindsight_loses_the_bills_after_its_last_day() -> None:
    closed = meter(BAKERY, 7, to_on=date(2024, 1, 15))
    rows = linked([meter(BAKERY, 0), closed], [bill(1), bill(1, 2, PERIODS[1])])

    assert len(seen(rows, 6)) == 2
    assert seen(rows, 7) == {(BAKERY, PERIODS[0], 1)}


def test_the_month_belongs_to_the_account_that_held_on_its_first_day() -> None:
    moved_out = meter(BAKERY, 0, to_on=date(2024, 1, 20))
    moved_in = meter(TEAHOUSE, 0, from_on=date(2024, 1, 21))
    rows = linked([moved_out, moved_in], [bill(1), bill(1, 2, PERIODS[1])])

    assert seen(rows, 1) == {(BAKERY, PERIODS[0], 1), (TEAHOUSE, PERIODS[1], 2)}


def expected(meters: list[Row], bills: list[Row], day: int) -> set[tuple[str, date, int]]:
    """What was known on a day, reckoned the long way: newest accounts times newest bills."""
    now = START + timedelta(day)

    def newest(rows: list[Row], key: str) -> list[Row]:
        known = sorted(
            (row for row in rows if row["known_on"] <= now), key=lambda row: row["known_on"]
        )
        return list({row[key]: row for row in known}.values())

    return {
        (account["business_id"], each["period"], each["quantity"])
        for account in newest(meters, "from_on")
        for each in newest(bills, "period")
        if account["business_id"]
        and account["from_on"] <= each["period"] <= (account["to_on"] or date.max)
    }


DAYS = st.integers(0, 9)
METER_HISTORIES = st.lists(
    st.builds(
        meter,
        st.sampled_from([BAKERY, TEAHOUSE, None]),
        DAYS,
        from_on=st.sampled_from([date(2019, 1, 1), date(2024, 1, 20)]),
        to_on=st.sampled_from([None, date(2024, 1, 25), date(2024, 2, 10)]),
    ),
    max_size=5,
    unique_by=lambda row: (row["from_on"], row["known_on"]),
)
BILL_HISTORIES = st.lists(
    st.builds(bill, DAYS, st.integers(1, 9), st.sampled_from(PERIODS)),
    max_size=5,
    unique_by=lambda row: (row["period"], row["known_on"]),
)


@settings(max_examples=60, deadline=None)
@given(METER_HISTORIES, BILL_HISTORIES)
def test_as_of_any_day_the_linked_bills_are_what_was_known_then(
    meters: list[Row], bills: list[Row]
) -> None:
    rows = linked(meters, bills)

    for day in range(11):
        assert seen(rows, day) == expected(meters, bills, day)
    LINKED_BILLS.schema.validate(rows)
