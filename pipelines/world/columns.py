"""Records kept as one array per column, in dataclasses that may hold one another."""

from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, TypeVar

import numpy as np

Rows = TypeVar("Rows")


def taken(rows: Rows, index: Any) -> Rows:
    """The entries at ``index`` (positions, a mask or a slice) of every column."""
    kind: Any = type(rows)
    columns = [getattr(rows, name) for name in _names(kind)]
    result: Rows = kind(
        *[
            column[index] if isinstance(column, np.ndarray) else taken(column, index)
            for column in columns
        ]
    )
    return result


def joined(parts: Sequence[Rows], join: Callable[[Any], Any] = np.concatenate) -> Rows:
    """One object whose columns join those of ``parts``: end to end, or as ``join`` says."""
    kind: Any = type(parts[0])
    columns = [[getattr(part, name) for part in parts] for name in _names(kind)]
    result: Rows = kind(
        *[joined(column, join) if is_dataclass(column[0]) else join(column) for column in columns]
    )
    return result


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(f.name for f in fields(kind))
