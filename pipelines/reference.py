"""The reference documents, written from the declarations of tables and features."""

import sys
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl

from features.catalog import CATALOG
from features.definition import Feature
from features.reasons import REASONS
from features.tables import TABLES, Table

TABLES_HEAD = """# Tables

What each department delivers, as `features/tables.py` demands it; written by `make docs`.

Money is in whole fen (1 yuan = 100 fen). `known_on` is the first day (Asia/Shanghai) on whose
morning the bank had the row. A restatement is a new row of the same key with a later `known_on`,
never an edit. What no row of a business means is said of each table; of a table that was never
delivered nothing is known.
"""
FEATURES_HEAD = """# Features

The {count} features of the catalogue, as `features/` declares them; written by `make docs`.

Empty means not known; zero means zero. *Risk* is the declared direction, which the scorer must
keep: `rises` if more of it never lowers the probability of default. *Reason* is what an applicant
is told when the feature counted against them and, where values are named, has one of those; of any
other value the neutral reason of the department is told.
"""


def write(folder: Path) -> None:
    """Write ``tables.md`` and ``features.md`` into ``folder``."""
    (folder / "tables.md").write_text(tables_markdown(), encoding="utf-8")
    (folder / "features.md").write_text(features_markdown(), encoding="utf-8")


def tables_markdown() -> str:
    """The contracts of all tables, as ``docs/tables.md``."""
    return "\n".join([TABLES_HEAD, *(_table_section(table) for table in TABLES.values())])


def features_markdown() -> str:
    """The catalogue by department, as ``docs/features.md``."""
    parts = [FEATURES_HEAD.format(count=len(CATALOG))]
    order = list(dict.fromkeys(feature.department for feature in CATALOG))
    by_department = sorted(CATALOG, key=lambda feature: order.index(feature.department))
    for department, features in groupby(by_department, key=lambda feature: feature.department):
        parts.append(_department_section(department, list(features)))
    return "\n".join([*parts, _reasons_section()])


def _table_section(table: Table) -> str:
    columns = table.schema.columns()
    delivered = "Delivered by" if table.delivered else "Made by ingest; department"
    rows = [
        (
            f"`{name}`",
            _type(column.dtype),
            _unit(column),
            _allowed(column),
            column.description or "",
        )
        for name, column in columns.items()
    ]
    source = (
        f"{delivered}: {table.department}. Key: {_names(table.key)}; its versions are ordered by"
    )
    parts = [
        f"## {table.name}\n",
        f"{_text(table.schema.__doc__)}\n",
        f"{source} {_names(table.version)}. {_absence(table)}\n",
        _grid(("column", "type", "unit", "allowed", "meaning"), rows) + _rules(table),
    ]
    return "\n".join(parts)


def _absence(table: Table) -> str:
    """What it means that a business has no row, once the table was delivered at all."""
    if table.complete:
        return "No row of a business: nothing happened, so its counts are 0."
    return "No row of a business: nothing is known, so its features are empty."


def _rules(table: Table) -> str:
    """The rules across columns, named as quarantine names them."""
    rules = rules_across_columns(table)
    return f"\nAcross columns: {_names(rules)}.\n" if rules else ""


def rules_across_columns(table: Table) -> list[str]:
    """Names a contract adds to a bare schema that are not its columns, base contracts first."""
    declared = [name for schema in reversed(table.schema.__mro__) for name in vars(schema)]
    known = {*dir(dy.Schema), *table.dtypes}
    return [name for name in dict.fromkeys(declared) if name not in known and name[0] != "_"]


def _department_section(department: str, features: Sequence[Feature]) -> str:
    rows = [
        (
            f"`{feature.name}`",
            feature.meaning,
            feature.unit,
            _range(feature.plausible),
            feature.risk or f"– ({feature.undirected})",
            f"{feature.reason} if {feature.told_if}" if feature.told_if else feature.reason,
            f"`{feature.source.name}`" if feature.source else "the row",
        )
        for feature in features
    ]
    head = ("feature", "meaning", "unit", "plausible", "risk", "reason", "from")
    return f"## {department}\n\n{_grid(head, rows)}"


def _reasons_section() -> str:
    rows = [
        (reason.code, reason.english, reason.chinese, "yes" if reason.actionable else "no")
        for reason in REASONS.values()
    ]
    grid = _grid(("code", "English", "中文", "the applicant can act on it"), rows)
    return f"## Reasons\n\n{grid}"


def _grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(_cell(cell) for cell in line) + " |\n" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _text(docstring: str | None) -> str:
    paragraphs = (docstring or "").split("\n\n")
    return "\n\n".join(" ".join(p.split()) for p in paragraphs).strip().replace("``", "`")


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _type(dtype: pl.DataType) -> str:
    words = {pl.Enum: "one of", pl.Datetime: "moment (UTC)", pl.Date: "date", pl.Int64: "integer"}
    return words.get(dtype.base_type(), str(dtype).lower())


def _unit(column: Any) -> str:
    return str((column.metadata or {}).get("unit", ""))


def _allowed(column: Any) -> str:
    """What a cell may hold, beyond its type."""
    if isinstance(column.dtype, pl.Enum):
        rule = ", ".join(column.dtype.categories)
    elif getattr(column, "is_in", None):
        rule = ", ".join(str(value) for value in column.is_in)
    elif getattr(column, "regex", None):
        rule = f"`{column.regex}`"
    else:
        rule = _range((getattr(column, "min", None), getattr(column, "max", None)))
    return f"{rule}; may be empty".removeprefix("; ") if column.nullable else rule


def _range(bounds: tuple[float | None, float | None] | None) -> str:
    low, high = bounds or (None, None)
    if low is None and high is None:
        return ""
    return f"{_number(low)} to {_number(high)}"


def _number(value: float | None) -> str:
    return "…" if value is None else f"{value:,.0f}"


if __name__ == "__main__":
    write(Path(sys.argv[1]))
