"""Records kept as one array per column, in dataclasses that may hold one another."""

from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import numpy as np

Rows = TypeVar("Rows")


def taken(rows: Rows, index: Any) -> Rows:
    """The entries at ``index`` (positions, a mask or a slice) of every column."""
    return _each(rows, lambda column: column[index])


def joined(parts: Sequence[Rows], join: Callable[[Any], Any] = np.concatenate) -> Rows:
    """One object whose columns join those of ``parts``: end to end, or as ``join`` says."""
    kind: Any = type(parts[0])
    columns = {f.name: [getattr(part, f.name) for part in parts] for f in fields(kind)}
    together = {
        name: joined(column, join) if is_dataclass(column[0]) else join(column)
        for name, column in columns.items()
    }
    result: Rows = kind(**together)
    return result


def _each(rows: Rows, change: Callable[[Any], Any]) -> Rows:
    kind: Any = type(rows)
    columns = {f.name: getattr(rows, f.name) for f in fields(kind)}
    changed = {
        name: _each(column, change) if is_dataclass(column) else change(column)
        for name, column in columns.items()
    }
    result: Rows = kind(**changed)
    return result
