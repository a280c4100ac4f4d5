"""Features of where a business stands among similar ones, in the newest comparison."""

import polars as pl

from features.definition import feature
from features.tables import PEERS

SHARE = 0.01
VALID_DAYS = 120  # comparisons come every three months; an older one says nothing of today


def _newest(column: str) -> pl.Expr:
    return pl.col(column).filter(pl.col("known_ago") <= VALID_DAYS).last()


def _position(column: str) -> pl.Expr:
    """Share of the businesses compared that have less."""
    return _newest(column) * SHARE


def _off_the_middle(column: str) -> pl.Expr:
    """0 in the middle of the businesses compared, 1 at either end."""
    return (_newest(column) * 2 - 100).abs() * SHARE


@feature(PEERS, unit="share", risk="falls", reason="R43", told_if="< 0.5", plausible=(0, 1))
def sales_growth_position() -> pl.Expr:
    """Share of similar businesses whose declared sales of half a year grew less, year on year."""
    return _position("sales_growth_percentile")


@feature(PEERS, unit="share", risk="rises", reason="R44", told_if="> 0.5", plausible=(0, 1))
def sales_volatility_position() -> pl.Expr:
    """Share of similar businesses whose declared sales are less volatile."""
    return _position("sales_volatility_percentile")


@feature(PEERS, unit="share", risk="falls", reason="R45", told_if="< 0.5", plausible=(0, 1))
def electricity_growth_position() -> pl.Expr:
    """Share of similar businesses whose electricity of half a year grew less, year on year."""
    return _position("electricity_growth_percentile")


@feature(PEERS, unit="share", risk="rises", reason="R26", told_if="> 0.5", plausible=(0, 1))
def vat_burden_off_peers() -> pl.Expr:
    """How far VAT over declared sales is off that of similar businesses: 0 amid them, 1 outside."""
    return _off_the_middle("vat_burden_percentile")


@feature(PEERS, unit="share", risk="rises", reason="R25", told_if="> 0.5", plausible=(0, 1))
def purchases_off_peers() -> pl.Expr:
    """How far purchases over sales are off those of similar businesses: 0 amid them, 1 outside."""
    return _off_the_middle("purchases_to_sales_percentile")


@feature(PEERS, unit="share", risk="rises", reason="R31", told_if="> 0.5", plausible=(0, 1))
def electricity_to_sales_off_peers() -> pl.Expr:
    """How far electricity over sales is off that of similar businesses: 0 amid them, 1 outside."""
    return _off_the_middle("electricity_to_sales_percentile")


@feature(PEERS, unit="ratio", risk="falls", reason="R46", told_if="< 1", plausible=(0, 50))
def peer_sales_growth() -> pl.Expr:
    """Median growth of half a year of declared sales, year on year, among similar businesses."""
    return _newest("sales_growth_median")


@feature(
    PEERS,
    unit="count",
    reason="R61",
    undirected="says how many there are to compare with, not how they compare",
    plausible=(0, 1e7),
)
def peers_compared() -> pl.Expr:
    """Similar businesses compared with; unknown where the business could not be compared."""
    return _newest("peers").cast(pl.Float64)
