"""Records sent with a request: rows of one business, by the feeds' contracts, read strictly."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import polars as pl
from msgspec import Meta

from features.tables import TABLES, Table
from serving.wire.bodies import invalid
from serving.wire.problems import FieldError

MOST_ROWS = 2000  # of a table: five years of a busy business are a few hundred
SENT = tuple(t for t in TABLES.values() if t.entity == "business_id" and not t.personal)

_KINDS = {pl.String: str, pl.Int64: int, pl.Float64: float, pl.Boolean: bool, pl.Date: date}
_INVALID = "invalid"  # dataframely's word


def _kind(dtype: Any) -> Any:
    if isinstance(dtype, pl.Enum):
        return Literal[tuple(dtype.categories.to_list())]
    if isinstance(dtype, pl.Datetime):
        return Annotated[datetime, Meta(tz=True)]
    return _KINDS[type(dtype)]


def _row_of(table: Table) -> Any:
    """The type of a row: the contract's columns but the business, and what features never see."""
    fields: list[Any] = []
    for name, column in table.schema.columns().items():
        if name == "business_id" or name in table.sensitive:
            continue
        said = Meta(description=column.description or name)
        kind = _kind(column.dtype)
        if column.nullable:
            fields.append((name, Annotated[kind | None, said], None))
        else:
            fields.append((name, Annotated[kind, said]))
    title = "".join(part.capitalize() for part in table.name.split("_"))
    return msgspec.defstruct(
        f"{title}Row", fields, frozen=True, kw_only=True, forbid_unknown_fields=True
    )


if TYPE_CHECKING:

    class RawRecords(msgspec.Struct, frozen=True):
        """Rows by table. Of one that is absent nothing is known."""

else:
    RawRecords = msgspec.defstruct(
        "RawRecords",
        [
            (t.name, Annotated[tuple[_row_of(t), ...], Meta(max_length=MOST_ROWS)] | None, None)
            for t in SENT
        ],
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=True,
        namespace={
            "__doc__": "Rows by table (docs/tables.md). Of one that is absent nothing is known."
        },
    )


def tables_of(business_id: str, records: RawRecords) -> dict[str, pl.DataFrame]:
    """The records as the store would hold them. Raises ``Problem`` naming rows that break rules."""
    sent = ((table, getattr(records, table.name)) for table in SENT)
    tables = {t.name: _frame(t, business_id, rows) for t, rows in sent if rows is not None}
    if broken := [error for name, rows in tables.items() for error in _broken(TABLES[name], rows)]:
        raise invalid(*broken)
    return tables


def _frame(table: Table, business_id: str, rows: Iterable[msgspec.Struct]) -> pl.DataFrame:
    told = ({**msgspec.structs.asdict(row), "business_id": business_id} for row in rows)
    return pl.DataFrame(list(told), schema=table.dtypes, orient="row")


def _broken(table: Table, rows: pl.DataFrame) -> Iterator[FieldError]:
    """A mistake for every rule of the contract that a row breaks."""
    good, failure = table.schema.filter(rows)
    if good.height == rows.height:
        return
    numbered = rows.with_row_index("row")
    details = numbered.join(
        failure.details().unique(), on=rows.columns, nulls_equal=True, maintain_order="left"
    )
    for row in details.iter_rows(named=True):
        yield from (FieldError(f"/records/{table.name}/{row['row']}", rule) for rule in _rules(row))


def _rules(row: Mapping[str, Any]) -> Iterator[str]:
    return (name for name, status in row.items() if status == _INVALID)
