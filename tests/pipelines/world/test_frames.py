"""A feed is delivered in the order of its keys."""

from datetime import date, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from features.tables import TAX_RETURNS
from pipelines.world.frames import key_order

ROWS = st.lists(
    st.tuples(
        st.sampled_from(["b", "a", "ab", "B"]),
        st.sampled_from(["vat", "income"]),
        st.integers(0, 5_000),
        st.integers(0, 2),
        st.integers(0, 99),
    ),
    max_size=30,
)


@given(ROWS)
@settings(max_examples=50, deadline=None)
def test_rows_are_in_the_order_of_entity_key_and_version_and_ties_stay(
    drawn: list[tuple[str, str, int, int, int]],
) -> None:
    day = date(2015, 1, 1)
    rows = TAX_RETURNS.empty()
    if drawn:
        plain = pl.DataFrame(
            [
                {
                    "business_id": business, "tax": tax, "period": day + timedelta(days=period),
                    "amendment": amendment, "known_on": day + timedelta(days=period % 7),
                    "months": mark,
                }
                for business, tax, period, amendment, mark in drawn
            ],
            schema_overrides={"tax": TAX_RETURNS.dtypes["tax"]},
        )  # fmt: skip
        rows = pl.concat([rows, plain], how="diagonal")
    columns = ["business_id", "tax", "period", "known_on", "amendment"]
    in_order = rows.gather(key_order(TAX_RETURNS, rows))
    assert in_order.equals(rows.sort(columns, maintain_order=True))
