"""Which checked rows are new, which repeat an accepted row, and which contradict another.

A primary key says one thing only. A row equal to an accepted one in every column is a duplicate. Of
rows that share a key and differ none is taken, so that nothing is chosen silently; a row accepted
earlier stays, and what contradicts it is refused.
"""

from dataclasses import dataclass

import polars as pl

from features.tables import Table
from pipelines.intake.store import sort_key


@dataclass(frozen=True)
class Merged:
    """What became of checked rows; ``accepted`` is in the order of the store."""

    accepted: pl.DataFrame
    duplicates: pl.DataFrame
    conflicts: pl.DataFrame


def merge(
    table: Table, stored: pl.DataFrame, checked: pl.DataFrame, contested: pl.DataFrame
) -> Merged:
    """Hold checked rows against the stored ones and against each other.

    Args:
        table: their feed.
        stored: accepted rows of the bucket; no two share a key.
        checked: rows that keep the contract, in order of delivery; may have further columns.
        contested: keys that several entities claim (``contested_keys``).
    """
    rows = checked.sort(sort_key(table), maintain_order=True)
    suspect = _repeats(rows, table) | _among(rows, stored, table) | _among(rows, contested, table)
    if not suspect.any():
        return Merged(rows, rows.clear(), rows.clear())
    judged = _judge(table, stored, rows.filter(suspect), contested)
    accepted = pl.concat([rows.filter(~suspect), judged.accepted]).sort(sort_key(table))
    return Merged(accepted, judged.duplicates, judged.conflicts)


def contested_keys(table: Table, claims: pl.LazyFrame) -> pl.DataFrame:
    """Keys that more than one entity claims, where the entity is no part of the key.

    Their rows may lie in different buckets, where ``merge`` cannot see that they contradict.
    ``claims`` has the key and the entity of every row, checked or stored.
    """
    key = table.schema.primary_key()
    claimants = claims.group_by(key).agg(pl.col(table.entity).n_unique().alias("claimants"))
    return claimants.filter(pl.col("claimants") > 1).select(key).collect(engine="streaming")


def _repeats(rows: pl.DataFrame, table: Table) -> pl.Series:
    """True where a neighbour has the same key; ``rows`` are sorted."""
    same_as_before = pl.all_horizontal(
        pl.col(name) == pl.col(name).shift(1) for name in table.schema.primary_key()
    ).fill_null(value=False)
    return rows.select(same_as_before | same_as_before.shift(-1, fill_value=False)).to_series()


def _among(rows: pl.DataFrame, others: pl.DataFrame, table: Table) -> pl.Series:
    """True where ``others`` has the key."""
    if others.is_empty():
        return pl.repeat(value=False, n=rows.height, eager=True)
    key = table.schema.primary_key()
    known = others.select(key).unique().with_columns(pl.lit(value=True).alias("_known"))
    return (
        rows.select(key)
        .join(known, on=key, how="left", maintain_order="left")["_known"]
        .is_not_null()
    )


def _judge(
    table: Table, stored: pl.DataFrame, suspects: pl.DataFrame, contested: pl.DataFrame
) -> Merged:
    """The rules of this module on rows whose key is not theirs alone."""
    key, columns = table.schema.primary_key(), list(table.dtypes)
    known = suspects.join(stored, on=columns, how="semi", nulls_equal=True)
    fresh = suspects.join(stored, on=columns, how="anti", nulls_equal=True)
    distinct = fresh.unique(columns, keep="first", maintain_order=True)
    differing = distinct.filter(pl.struct(key).is_duplicated())
    refused = pl.concat([each.select(key) for each in (differing, stored, contested)])
    conflicts = fresh.join(refused, on=key, how="semi", maintain_order="left")
    agreeing = fresh.join(refused, on=key, how="anti", maintain_order="left")
    first = agreeing.select(pl.struct(key).is_first_distinct()).to_series()
    return Merged(agreeing.filter(first), pl.concat([known, agreeing.filter(~first)]), conflicts)
