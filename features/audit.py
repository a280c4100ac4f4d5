"""The leakage audit: make all that was known after each application absurd, and see what moves."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from features.build import BUSINESS_ZONE, build
from features.definition import Feature
from features.tables import TABLES, Table

Build = Callable[[pl.DataFrame, Mapping[str, pl.DataFrame], Sequence[Feature]], pl.DataFrame]

ABSURD = 10**14 - 1
NEVER = pl.date(2199, 12, 31)
NEXT_MORNING = pl.col("applied_on").dt.offset_by("1d").alias("known_on")
# What must make sense for a record to be read at all: its period and its place among versions.
FEW: Mapping[str, pl.Expr] = {
    "period": pl.col("applied_on").dt.truncate("1mo"),
    "year": pl.col("applied_on").dt.year(),
    "months": pl.lit(1),
    "amendment": pl.lit(0),
}


def future_bomb(
    applications: pl.DataFrame,
    tables: Mapping[str, pl.DataFrame],
    features: Sequence[Feature],
    *,
    build: Build = build,
) -> list[str]:
    """Names of the features that change when what was known later becomes absurd.

    Of every application, each record known after its day is replaced by an absurd one; and on the
    very next morning each history known by then is restated absurdly, and events, months and loans
    come in that nobody had heard of. What is not equal to the last bit has seen the future; an
    honest catalogue gives an empty list.

    Args:
        applications: as ``build`` takes them.
        tables: records by table name, those known after the applications included.
        features: what to audit, with what they read before them.
        build: the build to audit, with whatever it prepares from the tables.
    """
    moments = _moments(applications)
    asked = applications.with_columns(pl.col("application_id").alias("business_id"))
    told = {name: rows for name, rows in tables.items() if TABLES[name].entity == "business_id"}
    copies = {name: _copies(moments, rows) for name, rows in told.items()}
    honest = {name: rows.drop("applied_on") for name, rows in copies.items()}
    bombed = {name: _bombed(rows, moments, TABLES[name]) for name, rows in copies.items()}
    names = [feature.name for feature in features]
    return _differing(build(asked, honest, features), build(asked, bombed, features), names)


def _moments(applications: pl.DataFrame) -> pl.DataFrame:
    applied_on = pl.col("applied_at").dt.convert_time_zone(BUSINESS_ZONE).dt.date()
    return applications.select(
        "business_id", pl.col("application_id").alias("asked"), applied_on.alias("applied_on")
    )


def _copies(moments: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Each application's own copy of its business's records, so that one build serves all days."""
    own = rows.join(moments, on="business_id", maintain_order="left_right")
    copies = own.with_columns(pl.col("asked").alias("business_id"))
    return copies.select(*rows.columns, "applied_on")


def _bombed(copies: pl.DataFrame, moments: pl.DataFrame, table: Table) -> pl.DataFrame:
    known = pl.col("known_on") <= pl.col("applied_on")
    past, later = copies.filter(known), copies.filter(~known)
    valid = past.unique(["business_id", *table.key], keep="last", maintain_order=True)
    restated = valid.with_columns(NEXT_MORNING)
    absurd = [_absurd(rows, table) for rows in (later, restated)]
    return pl.concat([past.drop("applied_on"), *absurd, _unheard(moments, table)])


def _absurd(rows: pl.DataFrame, table: Table) -> pl.DataFrame:
    """The same keys and versions, and nothing else that could be true."""
    kept = {"business_id", "months", *table.key, *table.version}
    lies = (_lie(name, dtype) for name, dtype in table.dtypes.items() if name not in kept)
    return rows.with_columns(lies).drop("applied_on")


def _lie(name: str, dtype: Any) -> pl.Expr:
    if dtype == pl.Boolean:
        return ~pl.col(name)
    if isinstance(dtype, pl.Enum):
        first, last = dtype.categories[0], dtype.categories[-1]
        other = pl.when(pl.col(name) == last).then(pl.lit(first)).otherwise(pl.lit(last))
        return other.cast(dtype).alias(name)
    value = NEVER if dtype == pl.Date else pl.lit("absurd" if dtype == pl.String else ABSURD)
    return value.cast(dtype).alias(name)


def _unheard(moments: pl.DataFrame, table: Table) -> pl.DataFrame:
    """A record of every kind the table knows, of the day itself, known on the next morning."""
    rows = moments.select(pl.col("asked").alias("business_id"), "applied_on")
    kinds = [name for name in table.key if isinstance(table.dtypes[name], pl.Enum)]
    for name in kinds:
        dtype = table.dtypes[name]
        rows = rows.join(pl.DataFrame({name: dtype.categories}, schema={name: dtype}), how="cross")
    taken = {"business_id", "known_on", *kinds}
    news = (_news(name, dtype) for name, dtype in table.dtypes.items() if name not in taken)
    return rows.with_columns(*news, NEXT_MORNING).select(list(table.dtypes))


def _news(name: str, dtype: Any) -> pl.Expr:
    value: pl.Expr = pl.lit(ABSURD)
    if name in FEW:
        value = FEW[name]
    elif dtype == pl.Date:
        value = pl.col("applied_on")
    elif isinstance(dtype, pl.Enum):
        value = pl.lit(dtype.categories[-1])
    elif dtype in (pl.Boolean, pl.String):
        value = pl.lit(value=True) if dtype == pl.Boolean else pl.lit("absurd")
    return value.cast(dtype).alias(name)


def _differing(left: pl.DataFrame, right: pl.DataFrame, names: Sequence[str]) -> list[str]:
    """Columns that are not equal to the last bit: -0.0 is not 0.0."""
    bits = pl.col(pl.Float64).reinterpret(signed=False)
    a, b = left.select(names).with_columns(bits), right.select(names).with_columns(bits)
    return [name for name in names if not a[name].equals(b[name], null_equal=True)]
