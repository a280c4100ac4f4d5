"""Businesses are compared with similar ones, by what was known of all on that day."""

from collections.abc import Mapping, Sequence
from datetime import date
from statistics import median
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.standing import CELLS, FEWEST, MEASURES, SOURCES, measured, standings
from features.tables import PEERS, TABLES
from tests.features.spec import draw

ON = date(2025, 5, 1)
Row = Mapping[str, Any]
PLACES = {"industry": pl.String, "district": pl.String, "size": pl.Int64, "section": pl.String}
KNOWN = {"business_id": pl.String, "known_on": pl.Date, **PLACES}


def businesses(
    growth: Sequence[float | None], *, industry: str | None = "C18", **more: Any
) -> list[dict[str, Any]]:
    """Businesses of one trade, by the growth of their sales; nothing else is known of them."""
    section = None if industry is None else industry[0]
    place = {"industry": industry, "section": section, "district": "330502", "size": 1, **more}
    nothing = dict.fromkeys(MEASURES)
    return [
        {"business_id": f"{industry} {i}", "known_on": ON, **place, **nothing, "sales_growth": each}
        for i, each in enumerate(growth)
    ]


def compare(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    schema = {**KNOWN, **dict.fromkeys(MEASURES, pl.Float64)}
    compared = standings(pl.DataFrame(rows, schema=schema))
    assert compared.schema == pl.Schema(PEERS.dtypes)
    return {row["business_id"]: row for row in compared.iter_rows(named=True)}


def test_a_percentile_counts_those_with_less_and_half_of_those_with_as_much() -> None:
    compared = compare(businesses([1.0] * 10 + [2.0] * 20 + [3.0] * 10))
    told = [compared[f"C18 {i}"]["sales_growth_percentile"] for i in (0, 10, 39)]
    assert told == [12, 50, 87]  # 5, 20 and 35 of 40
    assert {row["peers"] for row in compared.values()} == {40}
    assert {row["sales_growth_median"] for row in compared.values()} == {2.0}


def test_too_few_to_compare_with_is_no_comparison() -> None:
    assert not compare(businesses([1.0] * (FEWEST - 1) + [None]))
    assert len(compare(businesses([1.0] * FEWEST))) == FEWEST


def test_the_nearest_cell_with_enough_businesses_is_taken() -> None:
    here = businesses([1.0] * FEWEST)
    elsewhere = businesses([2.0] * 10, district="330503")
    larger = [{**row, "business_id": "large"} for row in businesses([3.0], size=3)]
    weavers = businesses([4.0], industry="C17")
    compared = compare(
        [
            *here,
            *({**row, "business_id": f"far {i}"} for i, row in enumerate(elsewhere)),
            *larger,
            *weavers,
        ]
    )
    peers = {name: row["peers"] for name, row in compared.items()}
    assert peers["C18 0"] == FEWEST  # its industry, district and size
    assert peers["far 0"] == FEWEST + 10  # its industry and size
    assert peers["large"] == FEWEST + 11  # its industry
    assert peers["C17 0"] == FEWEST + 12  # its section


def test_a_business_whose_growth_is_unknown_still_hears_of_its_trade() -> None:
    compared = compare(businesses([None, *[1.5] * FEWEST]))
    assert compared["C18 0"]["sales_growth_percentile"] is None
    assert compared["C18 0"]["sales_growth_median"] == 1.5


def test_a_business_of_no_known_trade_is_not_compared() -> None:
    assert not compare(businesses([1.0] * 2 * FEWEST, industry=None))


def test_days_are_compared_each_by_itself() -> None:
    later = [{**row, "known_on": date(2025, 8, 1)} for row in businesses([9.0] * FEWEST)]
    both = standings_of([*businesses([1.0] * FEWEST), *later])
    assert set(both["sales_growth_median"]) == {1.0, 9.0}
    assert set(both["peers"]) == {FEWEST}


def standings_of(rows: Sequence[Row]) -> pl.DataFrame:
    schema = {**KNOWN, **dict.fromkeys(MEASURES, pl.Float64)}
    return standings(pl.DataFrame(rows, schema=schema))


_place = st.fixed_dictionaries(
    {
        "industry": st.sampled_from(("C17", "C18", "F52", None)),
        "district": st.sampled_from(("a", "b", None)),
        "size": st.sampled_from((0, 1, None)),
        **dict.fromkeys(MEASURES, st.none() | st.sampled_from((0.0, 0.5, 1.0, 7.25))),
    }
)


@settings(max_examples=25, deadline=None)
@given(kinds=st.lists(_place, min_size=1, max_size=12), copies=st.integers(5, 20))
def test_standings_equal_a_plain_reckoning(kinds: list[Row], copies: int) -> None:
    rows = [
        {**kind, "section": kind["industry"] and kind["industry"][0], "known_on": ON}
        for kind in kinds * copies
    ]
    rows = [{**row, "business_id": str(i)} for i, row in enumerate(rows)]
    compared = compare(rows)
    for row in rows:
        plain = plainly(row, rows)
        found = compared.get(row["business_id"], dict.fromkeys(plain) | {"peers": plain["peers"]})
        assert {name: found[name] for name in plain} == plain


def plainly(row: Row, rows: Sequence[Row]) -> dict[str, Any]:
    told: dict[str, Any] = {"peers": 0, "sales_growth_median": None}
    for measure in MEASURES:
        cells = [similar(row, rows, cell, measure) for cell in CELLS]
        values = next((cell for cell in cells if len(cell) >= FEWEST), None)
        own, told[f"{measure}_percentile"] = row[measure], None
        if values is not None and own is not None:
            below = 2 * sum(v < own for v in values) + sum(v == own for v in values)
            told[f"{measure}_percentile"] = below * 50 // len(values)
        if values is not None and measure == "sales_growth":
            told |= {"peers": len(values), "sales_growth_median": median(values)}
    return told


def similar(row: Row, rows: Sequence[Row], cell: Sequence[str], measure: str) -> list[float]:
    if any(row[name] is None for name in cell):
        return []
    alike = [other for other in rows if all(other[name] == row[name] for name in cell)]
    return [other[measure] for other in alike if other[measure] is not None]


RETURNS = """
    business_id | period     | sales_fen
    ------------+------------+----------
    shop        | 2024-03-01 |      1000
    shop        | 2025-03-01 |      3000
    idle        | 2023-03-01 |      1000
    idle        | 2024-03-01 |      1000
    closed      | 2024-03-01 |      1000
    closed      | 2025-03-01 |      1000
"""
REGISTER = """
    business_id | industry | district | status    | known_on
    ------------+----------+----------+-----------+-----------
    shop        | F52      | 330503   | operating | 2024-01-01
    shop        | F51      | 330502   | operating | 2025-05-02
    idle        | C18      |          | operating | 2024-01-01
    closed      | F52      | 330502   | cancelled | 2025-01-01
"""


def measured_on(day: date) -> dict[str, dict[str, Any]]:
    tables = {name: TABLES[name].empty() for name in SOURCES}
    tables |= {"registrations": draw("registrations", REGISTER)}
    tables |= {"tax_returns": draw("tax_returns", RETURNS)}
    known = measured(pl.Series(["closed", "idle", "shop"]), tables, day)
    return {row["business_id"]: row for row in known.iter_rows(named=True)}


def test_measures_are_those_of_the_catalogue_as_known_that_morning() -> None:
    shop = measured_on(ON)["shop"]
    assert shop["sales_growth"] == pytest.approx(3.0)
    assert (shop["industry"], shop["section"], shop["district"]) == ("F52", "F", "330503")
    assert shop["size"] == 0
    later = measured_on(date(2025, 5, 2))["shop"]
    assert (later["industry"], later["district"]) == ("F51", "330502")


def test_a_department_that_fell_silent_and_a_closed_business_are_not_compared() -> None:
    known = measured_on(ON)
    assert known["idle"]["sales_growth"] is None
    assert "closed" not in known
