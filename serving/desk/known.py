"""What the service knows of a business: by department and table, with the days it became known."""

from collections.abc import Mapping
from datetime import date
from itertools import groupby
from typing import Any

import msgspec
import polars as pl

from features.tables import TABLES, Table


class KnownTable(msgspec.Struct, frozen=True, kw_only=True):
    """Records of one table; ``newest`` is the one known last, money in fen as delivered."""

    table: str
    records: int
    first_known_on: date | None
    last_known_on: date | None
    newest: dict[str, Any] | None


class Department(msgspec.Struct, frozen=True):
    """What one department delivered."""

    department: str
    tables: tuple[KnownTable, ...]


class KnownBusiness(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a business on a day."""

    business_id: str
    as_of: date
    snapshot: str
    departments: tuple[Department, ...]


def known(
    business_id: str, tables: Mapping[str, pl.DataFrame], as_of: date, snapshot: str
) -> KnownBusiness:
    """The records of one business that were known up to ``as_of``, department by department."""
    declared = [TABLES[name] for name in tables]
    departments = groupby(
        sorted(declared, key=lambda table: table.department), lambda table: table.department
    )
    return KnownBusiness(
        business_id=business_id,
        as_of=as_of,
        snapshot=snapshot,
        departments=tuple(
            Department(name, tuple(_known(table, tables[table.name], as_of) for table in group))
            for name, group in departments
        ),
    )


def _known(table: Table, records: pl.DataFrame, as_of: date) -> KnownTable:
    seen = records.filter(pl.col("known_on") <= as_of).sort(*table.version, maintain_order=True)
    hidden = ("business_id", *table.sensitive)  # what serves fairness tests is shown to nobody
    rows = seen.drop(hidden, strict=False).tail(1).to_dicts()
    days = seen["known_on"].to_list()
    return KnownTable(
        table=table.name,
        records=seen.height,
        first_known_on=days[0] if days else None,
        last_known_on=days[-1] if days else None,
        newest=rows[0] if rows else None,
    )
