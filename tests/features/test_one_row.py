"""One applicant's features of the row are those of the query, bit for bit, and need no query."""

from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features import one_row
from features.build import REQUEST, as_of, build
from features.catalog import CATALOG
from features.definition import Feature, feature
from features.one_row import as_of_one, finish_one
from features.spans import TOLD, moments_of
from tests.features import worlds as w
from tests.features.spec import asked
from tests.features.test_build import few

OF_ROW = [feature for feature in CATALOG if feature.source is None]


def same(left: object, right: object) -> bool:
    """Equal to the last bit; floats print by their bits."""
    return type(left) is type(right) and repr(left) == repr(right)


@few
@given(world=w.histories(), asking=w.applications(first=w.LATE))
def test_the_features_of_a_row_alone_are_those_of_the_query(
    world: w.World, asking: list[w.Row]
) -> None:
    applications = w.frame("applications", asking)
    built = build(applications, w.frames(world), CATALOG)
    requests = applications.select(REQUEST).iter_rows(named=True)
    for request, row in zip(requests, built.iter_rows(named=True), strict=True):
        told = {one.name: row[one.name] for one in CATALOG if one.source}
        found = finish_one({**told, **request}, CATALOG)
        assert [name for name, value in found.items() if not same(value, row[name])] == []
        assert list(found) == [one.name for one in OF_ROW]


@few
@given(world=st.one_of(w.worlds(), w.histories()), day=st.dates(w.FIRST, w.LAST))
def test_what_the_sources_tell_of_one_is_what_they_tell_among_many(
    world: w.World, day: date
) -> None:
    tables = w.frames(world)
    businesses = pl.Series([*w.BUSINESSES, "stranger"])
    among_many = as_of(moments_of(businesses, day), tables, TOLD)
    for business, expected in zip(businesses, among_many.iter_rows(named=True), strict=True):
        alone = as_of_one(moments_of(pl.Series([business]), day), tables, TOLD)
        assert [name for name, value in alone.items() if not same(value, expected[name])] == []
        assert list(alone) == among_many.columns


def test_of_one_a_source_that_was_never_delivered_says_nothing() -> None:
    alone = as_of_one(moments_of(pl.Series(["shop"]), date(2025, 6, 15)), {}, TOLD)
    assert alone == dict.fromkeys(one.name for one in TOLD)


def test_no_feature_of_the_catalogue_takes_a_query() -> None:
    assert one_row._computed(CATALOG) is not None


@feature(None, unit="ratio", reason="R36", undirected="a test")
def logarithm() -> pl.Expr:
    """What plain arithmetic cannot do."""
    return (pl.col("amount_fen") * pl.col("tax_arrears")).log1p()


@feature(None, unit="ratio", reason="R36", undirected="a test")
def halved() -> pl.Expr:
    """What reads it."""
    return pl.col("logarithm") * 0.5


@pytest.mark.parametrize("arrears", [None, 12.5])
def test_what_is_beyond_arithmetic_takes_the_query_and_says_the_same(
    arrears: float | None,
) -> None:
    features: list[Feature] = [
        *(one for one in CATALOG if one.name == "tax_arrears"),
        logarithm,
        halved,
    ]
    request = asked(["shop"], date(2025, 6, 15)).select(REQUEST).row(0, named=True)
    rows = pl.DataFrame(
        [{**request, "tax_arrears": arrears}], schema_overrides={"tax_arrears": pl.Float64}
    )
    expected = rows.with_columns(logarithm.expression).select("logarithm", halved.expression)
    found = finish_one(rows.row(0, named=True), features)
    assert tuple(found.values()) == expected.row(0)
