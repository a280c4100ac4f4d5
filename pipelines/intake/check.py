"""Holding delivered rows against their contract: a broken row is named with all rules it breaks.

Rules bear dataframely's names: ``<column>|<rule>`` for one column (``nullability``, ``min``,
``regex`` …), and the contract's own names for rules across columns. Three more are about reading:
``<column>|type`` (a cell that is not of the column's type), ``<column>|is_in`` (a word that is not
among the allowed ones) and ``row|fields`` (a CSV row with too few or too many fields).
"""

import types
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import dataframely as dy
import msgspec
import polars as pl

from features.tables import Table
from pipelines.intake.delivery import ROW, Batch
from pipelines.intake.parse import parser


class BrokenRule(msgspec.Struct, frozen=True):
    """A rule that a row breaks; a rule across columns names them all, with their values."""

    rule: str
    column: str
    value: str | None


class BrokenRow(msgspec.Struct, frozen=True):
    """A delivered row that cannot be accepted: its number, the rules it breaks, all its cells."""

    row: int
    broken: tuple[BrokenRule, ...]
    record: dict[str, Any]


@dataclass(frozen=True)
class Checked:
    """A batch after the check; ``rows`` has row numbers and the contract's columns and types."""

    rows: pl.DataFrame
    broken: list[BrokenRow]


def check(table: Table, batch: Batch) -> Checked:
    """Tell the rows that keep the contract from those that break it, each row by itself.

    Whether keys repeat is not judged here: a broken row must not put a good one under suspicion.
    """
    typed = _typed(table, batch.rows)
    unread = _unread_cells(table, batch.rows, typed)
    good, failure = _row_contract(table).filter(typed)
    failed = _failed_rules(table, failure.details())
    faulty = batch.rows.filter(pl.col(ROW).is_in(list(unread.keys() | failed.keys())))
    broken = [
        BrokenRow(
            number, broken_rules(table, row, unread.get(number, ()), failed.get(number, ())), row
        )
        for number, row in zip(faulty[ROW], faulty.drop(ROW).iter_rows(named=True), strict=True)
    ]
    broken += [_misshapen(table, number, line) for number, line in batch.misshapen.items()]
    rows = good.select(ROW, *table.dtypes)
    return Checked(rows.filter(~pl.col(ROW).is_in(list(unread))) if unread else rows, broken)


def broken_rules(
    table: Table, row: Mapping[str, Any], unread: Iterable[str] = (), failed: Iterable[str] = ()
) -> tuple[BrokenRule, ...]:
    """The rules a row breaks, with columns and values.

    A rule that needs a cell which could not be read is not judged: the cell is what is wrong.
    """
    columns = _columns_of_rules(table)
    reading = {f"{name}|{_reading_rule(table, name)}": (name,) for name in unread}
    judged = {rule: columns[rule] for rule in failed if not set(columns[rule]) & set(unread)}
    return tuple(
        BrokenRule(rule.replace("|check__", "|"), ", ".join(names), _values(row, names))
        for rule, names in (reading | judged).items()
    )


def _values(row: Mapping[str, Any], names: Iterable[str]) -> str | None:
    values = [row[name] for name in names]
    return None if all(value is None for value in values) else ", ".join(map(str, values))


def _typed(table: Table, raw: pl.DataFrame) -> pl.DataFrame:
    parsers = {name: parser(raw.schema[name], target) for name, target in table.dtypes.items()}
    return raw.select(ROW, *(parse(pl.col(name)).alias(name) for name, parse in parsers.items()))


def _unread_cells(table: Table, raw: pl.DataFrame, typed: pl.DataFrame) -> dict[int, list[str]]:
    """By row, the columns that hold something, but nothing of their type."""
    unread = defaultdict(list)
    for name in table.dtypes:
        for row in raw[ROW].filter(raw[name].is_not_null() & typed[name].is_null()):
            unread[row].append(name)
    return unread


def _failed_rules(table: Table, details: pl.DataFrame) -> dict[int, list[str]]:
    """By row, the rules of the contract that it breaks."""
    failed = defaultdict(list)
    for rule in _columns_of_rules(table):
        if rule in details.columns:
            for row in details[ROW].filter(details[rule] == "invalid"):
                failed[row].append(rule)
    return failed


def _reading_rule(table: Table, name: str) -> str:
    return "is_in" if isinstance(table.dtypes[name], pl.Enum) else "type"


def _misshapen(table: Table, number: int, line: str) -> BrokenRow:
    rule = BrokenRule("row|fields", "", f"not {len(table.dtypes)} fields")
    return BrokenRow(number, (rule,), {"line": line})


@cache
def _row_contract(table: Table) -> type[dy.Schema]:
    """The contract for single rows: keys may repeat, and row numbers come along."""
    ordinary = {
        name: column.with_properties(primary_key=False)
        for name, column in table.schema.columns().items()
        if column.primary_key
    }
    columns = ordinary | {ROW: dy.UInt32()}
    return types.new_class(
        "RowContract", (table.schema,), exec_body=lambda body: body.update(columns)
    )


@cache
def _columns_of_rules(table: Table) -> dict[str, tuple[str, ...]]:
    """The columns that each rule speaks of."""
    contract = _row_contract(table)
    # dataframely has no public list of its rules; the lock file pins what is read here.
    across = contract._schema_validation_rules()  # noqa: SLF001
    single = contract._validation_rules(with_cast=False).keys() - across.keys()  # noqa: SLF001
    columns: dict[str, tuple[str, ...]] = {rule: (rule.split("|")[0],) for rule in sorted(single)}
    columns["primary_key"] = tuple(table.schema.primary_key())
    return columns | {
        rule: tuple(dict.fromkeys(each.expr.meta.root_names())) for rule, each in across.items()
    }
