"""Reading a journal from outside the service: read-only, and verified entry by entry."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from os import urandom
from pathlib import Path
from typing import Any

import apsw

from serving.journal.database import BadJournal, open_reader, said
from serving.journal.entries import (
    ABOVE,
    DECISION,
    FOLLOW_UP,
    FORMAT,
    IN_ORDER,
    LEAVES,
    NO_PEAKS,
    Opened,
    Peaks,
    Stored,
    Whole,
    entry_of,
    identity_of,
    place,
    subtree_of,
    subtrees_of,
)
from serving.journal.merkle import Subtree, grow, peaks_of, root_of
from serving.journal.seals import Secret


def entries(path: Path, statement: str = IN_ORDER, *values: Any) -> Iterator[Stored]:
    """Entries of a journal that is opened read-only, for replays and audits; all, in order."""
    with reading(path) as connection:
        yield from Opened(connection, Secret.of(path), urandom).select(statement, *values)


def entry(path: Path, entry_id: str) -> Stored | None:
    """One entry of a journal that is opened read-only."""
    statement = DECISION if entry_id.startswith("dec_") else FOLLOW_UP
    found = list(entries(path, statement, entry_id))
    return found[0] if found else None


@contextmanager
def reading(path: Path) -> Iterator[apsw.Connection]:
    """A journal opened read-only. Raises ``BadJournal`` if it cannot be read."""
    connection = open_reader(path)
    try:
        demand_format(connection, path)
        yield connection
    except apsw.Error as error:
        raise BadJournal(
            f"{path} cannot be read ({said(error)}). Hint: restore it from the last backup."
        ) from error
    finally:
        connection.close()


def demand_format(connection: apsw.Connection, path: Path) -> None:
    """Refuse the journal of another version of this program."""
    found = connection.pragma("user_version")
    if found != FORMAT:
        raise BadJournal(
            f"{path} is a journal of format {found}; this program writes {FORMAT}. "
            "Hint: keep it, and name a new one."
        )


def verify(path: Path, sizes: Collection[int] = ()) -> tuple[Whole, dict[int, bytes]]:
    """Walk the whole journal: what it is, and the roots it had at ``sizes``. Needs no key.

    Raises:
        BadJournal: naming the first entry that is not what was recorded.
    """
    with reading(path) as connection:
        identity, roots = identity_of(connection), {}
        size, peaks = 0, NO_PEAKS
        for size, peaks in walk(connection):
            if size in sizes:
                roots[size] = root_of(peaks)
        return Whole(identity, size, root_of(peaks)), roots


def walk(connection: apsw.Connection, after: int = 0) -> Iterator[tuple[int, Peaks]]:
    """Hold each entry ``after`` a size against the tree: the size with it, and the tree's peaks.

    Raises:
        BadJournal: naming the first entry that is not what was recorded.
    """
    identity, size = identity_of(connection), after
    peaks = peaks_of(after, subtrees_of(connection))
    for sequence, *fields, kept in connection.execute(LEAVES, (after,)):
        stored = place(entry_of(fields), size + 1, identity)
        peaks, made = grow(peaks, size, stored.leaf)
        if sequence != size + 1 or kept != stored.leaf or not _are_kept(connection, made[1:]):
            raise BadJournal(_broken(size + 1))
        size += 1
        yield size, peaks
    if connection.execute(ABOVE, (size,)).get:
        raise BadJournal(_broken(size + 1))


def _are_kept(connection: apsw.Connection, made: list[Subtree]) -> bool:
    return all(subtree_of(connection, each.level, each.number) == each.hash for each in made)


def _broken(sequence: int) -> str:
    return (
        f"Entry {sequence} of the journal is not what was recorded: the hash tree breaks there. "
        "Hint: keep the file as evidence and restore the last backup."
    )
