"""Expressions that are taken apart say what they said, and what they share is computed once."""

import polars as pl
import pytest

from features.periods import count, mean, ratio, volatility
from features.trees import divide

SALES, LARGE = pl.col("sales"), pl.col("sales") > 3
ROWS = pl.DataFrame(
    {
        "shop": ["mill", "mill", "mill", "stall", "stall"],
        "sales": pl.Series([4, 2, 9, None, 5], dtype=pl.Int64),
    }
)
EXPRESSIONS = {
    "a mean": mean(SALES),
    "a share": ratio(SALES.filter(LARGE).sum(), SALES.sum()),
    "a count": count(LARGE),
    "the newest": SALES.last() * 0.5,
    "any": (SALES > 8).any().cast(pl.Float64),
    "how many": pl.len().cast(pl.Float64),
    "a volatility": volatility(SALES),
    "no less than nothing": (SALES.min() - 3).clip(0),
}


@pytest.mark.parametrize("names", [[name] for name in EXPRESSIONS] + [list(EXPRESSIONS)])
def test_in_two_steps_and_in_functions_they_are_what_they_were(names: list[str]) -> None:
    expressions = [EXPRESSIONS[name].alias(name) for name in names]
    divided = divide(expressions)

    whole = ROWS.group_by("shop", maintain_order=True).agg(expressions).drop("shop")
    aggregates = ROWS.group_by("shop", maintain_order=True).agg(divided.aggregates)
    assert aggregates.select(divided.features).equals(whole)
    computed = [
        tuple(compute(row) for compute in divided.computed.values())
        for row in aggregates.iter_rows(named=True)
    ]
    assert computed == whole.rows()
    assert list(divided.computed) == names


def test_a_sum_that_several_ask_for_is_computed_once() -> None:
    total, large = SALES.sum(), SALES.filter(LARGE).sum()
    shares = [ratio(large, total).alias("share"), ratio(total - large, total).alias("rest")]
    assert len(divide(shares).aggregates) == 2


def test_what_is_no_arithmetic_over_aggregates_stays_whole() -> None:
    for name in ("any", "how many", "a volatility"):
        (only,) = divide([EXPRESSIONS[name].alias(name)]).aggregates
        assert only.meta.eq(EXPRESSIONS[name].alias(name))
