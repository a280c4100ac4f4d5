"""Stability: what has not moved has no index, and what has moved is named."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.validation.stability import drift, light, stability_index


def test_the_index_is_the_sum_over_bins_of_change_times_log_ratio() -> None:
    """Shares .5, .3, .2 that become .4, .4, .2: .1·ln(5/4) + .1·ln(4/3)."""
    then = pl.Series(["a"] * 50 + ["b"] * 30 + ["c"] * 20)
    now = pl.Series(["a"] * 40 + ["b"] * 40 + ["c"] * 20)
    assert stability_index(then, now) == pytest.approx(0.1 * np.log(5 / 4) + 0.1 * np.log(4 / 3))


values = st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=1, max_size=60)


@settings(max_examples=50, deadline=None)
@given(values, values)
def test_the_index_is_never_negative_and_nought_for_the_same_rows(
    then: list[float | None], now: list[float | None]
) -> None:
    before, after = pl.Series(then, dtype=pl.Float64), pl.Series(now, dtype=pl.Float64)
    assert stability_index(before, after) >= 0
    assert stability_index(before, before.reverse()) == 0


def test_missing_values_are_a_bin_of_their_own() -> None:
    then = pl.Series([1.0, 2.0, 3.0, 4.0] * 25)
    now = pl.concat([then.head(50), pl.Series([None] * 50, dtype=pl.Float64)])
    assert stability_index(then, now) > 0.25
    nans = now.fill_null(float("nan"))
    assert stability_index(then, nans) == stability_index(then, now)


def test_a_value_never_seen_before_counts_for_much_but_not_for_infinity() -> None:
    index = stability_index(pl.Series(["a"] * 100), pl.Series(["b"] * 100))
    assert 10 < index < 20


def test_drift_names_the_feature_that_moved_first() -> None:
    random = np.random.default_rng(0)
    then = pl.DataFrame({"same": random.normal(0, 1, 2000), "moved": random.normal(0, 1, 2000)})
    now = pl.DataFrame({"same": random.normal(0, 1, 2000), "moved": random.normal(1, 1, 2000)})
    first, second = drift(then, now)
    assert (first.name, first.light) == ("moved", "red")
    assert (second.name, second.light) == ("same", "green")


def test_the_lines_are_at_ten_and_twenty_five_hundredths() -> None:
    assert [light(index) for index in (0.0999, 0.1, 0.25, 0.2501)] == [
        "green",
        "amber",
        "amber",
        "red",
    ]
