"""What is made ahead for a day is what ``build`` says on that day, and nothing beyond is made."""

from datetime import date, timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from features.build import as_of
from features.spans import AGING, LASTING, TOLD, moments_of, spans
from tests.features import worlds as w
from tests.features.spec import draw
from tests.features.test_build import assert_same_bytes, few

BUSINESSES = pl.Series(["mill", "shop", "stall", "stranger"])
LONGEST = (5, 3, 4, 1)


@few
@given(
    world=st.one_of(w.worlds(), w.histories()),
    first=st.dates(w.SETTLED, w.LAST - timedelta(days=max(LONGEST))),
)
def test_on_every_day_of_a_span_the_features_are_those_of_that_day(
    world: w.World, first: date
) -> None:
    tables = w.frames(world)
    made = spans(BUSINESSES, tables, first, LONGEST)
    assert len(made.daily) == made.lengths.max()
    for ahead, daily in enumerate(made.daily):
        held = made.lengths > ahead
        day = first + timedelta(days=ahead)
        expected = as_of(moments_of(BUSINESSES.filter(held), day), tables, TOLD)
        found = pl.concat([made.lasting.filter(held), daily], how="horizontal")
        assert_same_bytes(found.select(expected.columns), expected)


def test_a_span_ends_on_the_day_before_the_next_record_is_known() -> None:
    tables = {
        "invoices": draw(
            "invoices",
            """
            business_id | period     | known_on
            ------------+------------+-----------
            mill        | 2025-01-01 | 2025-03-03
            shop        | 2025-01-01 | 2025-03-02
            shop        | 2025-02-01 | 2025-03-04
            shop        | 2025-03-01 | 2025-04-01
            """,
        )
    }
    made = spans(BUSINESSES, tables, date(2025, 3, 2), [5, 5, 5, 4])
    assert made.lengths.to_list() == [1, 2, 5, 4]


def test_every_feature_of_a_source_is_lasting_or_aging() -> None:
    assert {*LASTING} | {*AGING} == {*TOLD}
    aging = {feature.name for feature in AGING}
    assert {"business_age_months", "tax_arrears", "days_since_tax_record"} <= aging
    assert "electricity_yoy_3m" not in aging
