"""A register that was moved: MLflow keeps absolute names of its files, which must follow."""

import sqlite3
from contextlib import closing
from pathlib import Path

_NAMED = (("runs", "artifact_uri"), ("experiments", "artifact_location"))


def follow(database: Path, before: str, now: str) -> None:
    """Name every file below the URI ``before`` as one below ``now``, in one transaction."""
    with closing(sqlite3.connect(database)) as connection, connection:
        for table, column in _NAMED:
            connection.execute(
                f"UPDATE {table} SET {column} = ? || substr({column}, ?)"  # noqa: S608  # of _NAMED
                f" WHERE {column} = ? OR {column} LIKE ? ESCAPE '!'",
                (now, len(before) + 1, before, _escaped(before) + "/%"),
            )


def _escaped(text: str) -> str:
    """As it stands in a LIKE pattern, where ``%`` and ``_`` mean something."""
    for sign in "!%_":
        text = text.replace(sign, f"!{sign}")
    return text
