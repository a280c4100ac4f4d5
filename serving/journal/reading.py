"""Reading a journal from outside the service: read-only, and verified entry by entry."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from os import urandom
from typing import Any

from serving.journal.database import (
    At,
    BadJournal,
    Database,
    DatabaseFailed,
    Reader,
    database_at,
    unreadable,
)
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


def entries(at: At, statement: str = IN_ORDER, *values: Any) -> Iterator[Stored]:
    """Entries of a journal that is opened read-only, for replays and audits; all, in order."""
    with reading(at) as reader:
        secret = Secret.of(database_at(at).files)
        yield from Opened(reader, secret, urandom).stream(statement, *values)


def entry(at: At, entry_id: str) -> Stored | None:
    """One entry of a journal that is opened read-only."""
    statement = DECISION if entry_id.startswith("dec_") else FOLLOW_UP
    found = list(entries(at, statement, entry_id))
    return found[0] if found else None


@contextmanager
def reading(at: At) -> Iterator[Reader]:
    """A journal opened read-only. Raises ``BadJournal`` if it cannot be read."""
    database = database_at(at)
    reader = database.reader()
    try:
        demand_format(reader, database)
        yield reader
    except DatabaseFailed as error:
        raise unreadable(database, error) from error
    finally:
        reader.close()


def demand_format(reader: Reader, database: Database) -> None:
    """Refuse the journal of another version of this program."""
    if (found := reader.format) != FORMAT:
        raise BadJournal(
            f"{database} is a journal of format {found}; this program writes {FORMAT}. "
            "Hint: keep it, and name a new one."
        )


def verify(at: At, sizes: Collection[int] = ()) -> tuple[Whole, dict[int, bytes]]:
    """Walk the whole journal: what it is, and the roots it had at ``sizes``. Needs no key.

    Raises:
        BadJournal: naming the first entry that is not what was recorded.
    """
    with reading(at) as reader:
        identity, roots = identity_of(reader), {}
        size, peaks = 0, NO_PEAKS
        for size, peaks in walk(reader):
            if size in sizes:
                roots[size] = root_of(peaks)
        return Whole(identity, size, root_of(peaks)), roots


def walk(reader: Reader, after: int = 0) -> Iterator[tuple[int, Peaks]]:
    """Hold each entry ``after`` a size against the tree: the size with it, and the tree's peaks.

    Raises:
        BadJournal: naming the first entry that is not what was recorded.
    """
    with reader.snapshot():  # a service may be writing meanwhile
        identity, size = identity_of(reader), after
        peaks = peaks_of(after, subtrees_of(reader))
        for sequence, *fields, kept in reader.stream(LEAVES, after):
            stored = place(entry_of(fields), size + 1, identity)
            peaks, made = grow(peaks, size, stored.leaf)
            if sequence != size + 1 or kept != stored.leaf or not _are_kept(reader, made[1:]):
                raise BadJournal(_broken(size + 1))
            size += 1
            yield size, peaks
        if reader.value(ABOVE, size):
            raise BadJournal(_broken(size + 1))


def _are_kept(reader: Reader, made: list[Subtree]) -> bool:
    return all(subtree_of(reader, each.level, each.number) == each.hash for each in made)


def _broken(sequence: int) -> str:
    return (
        f"Entry {sequence} of the journal is not what was recorded: the hash tree breaks there. "
        "Hint: keep the file as evidence and restore the last backup."
    )
