"""Mistakes a user can make and mend.

    MicroloanError
    ├── UnknownName        a feature, table or column that does not exist
    ├── BadTable           a table that is not what its contract says
    └── (each room adds its own below this root)

Every message says the value, the rule and the next step. The command line prints it without a
traceback and exits with 1; the service answers it as a problem document.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class MicroloanError(Exception):
    """A mistake of the user's, told in one sentence."""


class UnknownName(MicroloanError):
    """A name that is not among the known ones; suggests the nearest."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = get_close_matches(name, names, n=3) or _some(names)
        super().__init__(
            f"There is no {kind} {name!r}. Hint: did you mean one of {', '.join(near)}?"
        )


class BadTable(MicroloanError):
    """A table that lacks a column, or holds one of another type than its contract."""


def _some(names: list[str], most: int = 12) -> list[str]:
    """All names if they are few, else the first with a sign that there are more."""
    return names if len(names) <= most else [*names[:most], "…"]
