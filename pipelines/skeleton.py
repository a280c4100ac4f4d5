"""The beginning of a feature: a declaration that knows nothing, and a drawn table that fails."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from features.catalog import CATALOG, MODULES
from features.definition import Feature, Risk
from features.errors import MicroloanError, UnknownName
from features.reasons import REASONS
from features.tables import TABLES

NAME = re.compile(r"[a-z][a-z0-9_]*")
REQUEST = "request"


@dataclass(frozen=True)
class Skeleton:
    """What must be known of a feature before it can begin."""

    name: str
    table: str
    unit: str
    reason: str
    risk: Risk | None
    undirected: str = ""


@dataclass(frozen=True)
class Begun:
    """The files that now hold the declaration and its drawn table."""

    declaration: str
    drawn_table: str


def begin(root: Path, asked: Skeleton) -> Begun:
    """Append the skeleton to the module of its table, and its drawn table to that module's tests.

    Raises:
        MicroloanError: the name is taken or no name, the table or reason is unknown, a direction
            is neither given nor explained, or ``root`` is not the project's folder.
    """
    module = _module(_checked(asked).table)
    stem = module.__name__.removeprefix("features.")
    declaration = root / "features" / f"{stem}.py"
    drawn = root / "tests" / "features" / f"test_{stem}.py"
    for file in (declaration, drawn):
        if not file.exists():
            raise MicroloanError(
                f"There is no {file}. Run this in the project's folder, or name it with --root."
            )
    if re.search(rf"^def {asked.name}\(", declaration.read_text(encoding="utf-8"), re.MULTILINE):
        raise MicroloanError(f"{declaration} already has {asked.name}. Choose another name.")
    _append(declaration, _declaration(asked))
    _import(drawn, module.__name__, asked.name)
    _append(drawn, _drawn_table(asked))
    return Begun(str(declaration), str(drawn))


def _checked(asked: Skeleton) -> Skeleton:
    if not NAME.fullmatch(asked.name):
        raise MicroloanError(
            f"{asked.name!r} is no name of a feature; write small letters, digits and _, as "
            "late_returns_24m."
        )
    if asked.name in {one.name for one in CATALOG}:
        raise MicroloanError(f"{asked.name} is in the catalogue already. Choose another name.")
    if asked.reason not in REASONS:
        raise UnknownName("reason", asked.reason, REASONS)
    if (asked.risk is None) == (not asked.undirected):
        raise MicroloanError(
            "A feature has a direction of risk, or says why not: give --risk or --undirected."
        )
    return asked


def _module(table: str) -> ModuleType:
    """The module whose features read the table."""
    read = {_read(one): module for module in MODULES for one in _features(module)}
    if table not in read:
        raise UnknownName("table with features", table, read)
    return read[table]


def _features(module: ModuleType) -> Sequence[Feature]:
    return [value for value in vars(module).values() if isinstance(value, Feature)]


def _read(feature: Feature) -> str:
    return feature.source.name if feature.source else REQUEST


def _declaration(asked: Skeleton) -> str:
    source = "None" if asked.table == REQUEST else asked.table.upper()
    quoted = json.dumps(asked.undirected, ensure_ascii=False)
    direction = f'risk="{asked.risk}"' if asked.risk else f"undirected={quoted}"
    return f'''
@feature(
    {source},
    unit={json.dumps(asked.unit, ensure_ascii=False)},
    {direction},
    reason="{asked.reason}",
    plausible=(0, 1),  # bounds of what makes sense
)
def {asked.name}() -> pl.Expr:
    """Say in one sentence what it is: this is the data dictionary."""
    return pl.lit(None, pl.Float64)  # what it computes; null is not known
'''


def _drawn_table(asked: Skeleton) -> str:
    if asked.table == REQUEST:
        drawn = ""
    else:
        columns = _told(asked.table)
        head = " | ".join(columns)
        rule = "-+-".join("-" * len(column) for column in columns)
        cells = " | ".join(value.ljust(len(column)) for column, value in columns.items())
        drawn = f'    drawn = """\n        {head}\n        {rule}\n        {cells}\n    """\n'
    given = "drawn, " if drawn else ""
    return f"""
def test_{asked.name}_is_as_drawn() -> None:
{drawn}    expected = {{"shop": 1.0, "stranger": None}}  # what should come out of it
    spec({asked.name}, {given}applied_on=date(2025, 6, 15), expected=expected)
"""


def _told(table: str) -> dict[str, str]:
    """One row of a table that says little: the columns that a drawn table may not leave out."""
    values = {
        "business_id": "shop       ",
        "event": "penalty",
        "happened_on": "2025-05-01",
        "period": "2025-04-01",
        "year": "2024",
        "known_on": "2025-05-01",
    }
    named = ("business_id", "event", "happened_on", "period", "year")
    found = {name: values[name] for name in named if name in TABLES[table].dtypes}
    return found if len(found) > 1 else {**found, "known_on": values["known_on"]}


def _append(file: Path, block: str) -> None:
    file.write_text(f"{file.read_text(encoding='utf-8').rstrip()}\n\n{block}", encoding="utf-8")


def _import(file: Path, module: str, name: str) -> None:
    """Add ``name`` to what the tests import from ``module``, in the order of the house."""
    text = file.read_text(encoding="utf-8")
    found = re.search(
        rf"^from {re.escape(module)} import \(\n(.*?)\n\)", text, re.MULTILINE | re.DOTALL
    )
    if not found:
        raise MicroloanError(f"{file} imports nothing from {module} to add {name} to.")
    names = [*re.findall(r"\w+", found[1]), name]
    lines = "".join(f"\n    {each}," for each in sorted(names, key=_natural))
    start, end = found.span()
    text = f"{text[:start]}from {module} import ({lines}\n){text[end:]}"
    file.write_text(text, encoding="utf-8")


def _natural(name: str) -> list[object]:
    """Numbers in a name count as numbers, so that 3m comes before 12m."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]
