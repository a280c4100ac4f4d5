"""Where businesses stand among similar ones: percentiles of what was known of all on one day."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date

import polars as pl

from features.build import as_of, finish
from features.catalog import select
from features.known import as_known
from features.spans import moments_of
from features.tables import PEERS, REGISTRATIONS

FEWEST = 30  # businesses that make a comparison
FRESH_DAYS = 183  # a department silent for longer tells nothing of today
MONTHLY_SALES = (200_000 / 12, 500_000 / 12, 100_000, 5_000_000 / 12)  # yuan, bounds of the sizes
# Who is similar, the most alike first; the first cell with enough businesses is taken.
CELLS: Sequence[Sequence[str]] = (
    ("industry", "district", "size"),
    ("industry", "size"),
    ("industry",),
    ("section",),
)
# What is compared: the feature, and the one that tells how fresh its department's word is.
MEASURES: Mapping[str, tuple[str, str]] = {
    "sales_growth": ("declared_sales_yoy_6m", "days_since_tax_record"),
    "sales_volatility": ("declared_sales_volatility_24m", "days_since_tax_record"),
    "vat_burden": ("vat_burden_12m", "days_since_tax_record"),
    "purchases_to_sales": ("purchases_to_sales_12m", "days_since_invoice_record"),
    "electricity_growth": ("electricity_yoy_6m", "days_since_utility_record"),
    "electricity_to_sales": ("electricity_to_declared_sales", "days_since_utility_record"),
}
READ = select(
    [
        *(name for pair in MEASURES.values() for name in pair),
        "industry",
        "is_operating",
        "declared_sales_monthly_12m",
        "electricity_monthly_12m",
    ]
)
SOURCES = tuple(dict.fromkeys(one.source.name for one in READ if one.source))


def measured(businesses: pl.Series, tables: Mapping[str, pl.DataFrame], on: date) -> pl.DataFrame:
    """What was known of each business on the morning of ``on``: where it belongs, its measures.

    Args:
        businesses: their codes, each once.
        tables: records by table name, as ``build`` takes them.
        on: the day of the comparison.

    Returns:
        A row per business in operation: ``business_id``, ``known_on``, the columns of ``CELLS``,
        and ``MEASURES``, null where the department has fallen silent.
    """
    moments = moments_of(businesses, on)
    told = as_of(moments, tables, READ)
    fresh = (
        pl.when(pl.col(freshness) <= FRESH_DAYS).then(pl.col(feature)).alias(measure)
        for measure, (feature, freshness) in MEASURES.items()
    )
    return (
        finish(pl.concat([moments, told], how="horizontal"), READ)
        .with_columns(_districts(moments, tables))
        .filter(pl.col("is_operating") == 1)
        .select(
            "business_id",
            pl.col("applied_on").alias("known_on"),
            "industry",
            "district",
            _size(pl.col("declared_sales_monthly_12m")).alias("size"),
            pl.col("industry").str.head(1).alias("section"),
            *fresh,
        )
    )


def standings(known: pl.DataFrame) -> pl.DataFrame:
    """Rows of ``PEERS`` from what ``measured`` says of all businesses, on one day or several.

    A percentile counts the businesses with less and half of those with as much, itself included,
    rounded down. A business that cannot be compared in anything has no row.
    """
    growth = pl.col("sales_growth")
    compared = known.with_columns(
        *(
            _in_nearest_cell(pl.col(measure), _percentile).alias(f"{measure}_percentile")
            for measure in MEASURES
        ),
        _in_nearest_cell(growth, pl.Expr.median).alias("sales_growth_median"),
        _in_nearest_cell(growth, pl.Expr.count).cast(pl.Int64).fill_null(0).alias("peers"),
    )
    some = pl.any_horizontal(pl.col("^.*_(percentile|median)$").is_not_null())
    return compared.filter(some).select(list(PEERS.dtypes))


def _in_nearest_cell(value: pl.Expr, told: Callable[[pl.Expr], pl.Expr]) -> pl.Expr:
    """What is ``told`` of ``value`` in the first cell of each row that has enough of it."""
    return pl.coalesce(_in_cell(value, told, ("known_on", *cell)) for cell in CELLS)


def _in_cell(value: pl.Expr, told: Callable[[pl.Expr], pl.Expr], cell: Sequence[str]) -> pl.Expr:
    placed = pl.all_horizontal(pl.col(name).is_not_null() for name in cell)
    enough = value.count().over(cell) >= FEWEST
    return pl.when(placed & enough).then(told(value).over(cell))


def _percentile(value: pl.Expr) -> pl.Expr:
    """Rank counts from one and splits ties, so that twice of it is whole."""
    below = (value.rank("average") * 2 - 1).cast(pl.Int64)
    return below * 50 // value.count().cast(pl.Int64)


def _size(monthly_sales: pl.Expr) -> pl.Expr:
    """How many of the bounds the sales have reached; unknown where the sales are."""
    return sum(((monthly_sales >= bound).cast(pl.Int64) for bound in MONTHLY_SALES), pl.lit(0))


def _districts(moments: pl.DataFrame, tables: Mapping[str, pl.DataFrame]) -> pl.Series:
    """The district that the register told of each business, in their order."""
    told = as_known(moments, tables[REGISTRATIONS.name], REGISTRATIONS)
    rows = moments.lazy().join(told, on="row", how="left", maintain_order="left")
    return rows.select("district").collect().to_series()
