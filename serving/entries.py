"""Entries of the journal: what is recorded of a decision, and the chain that binds them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import msgspec

from serving.chain import genesis, leaf, link
from serving.database import BadJournal, open_reader, said

SCHEMA = """
CREATE TABLE IF NOT EXISTS journal (identity TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS entry (
    sequence INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    decision_id TEXT NOT NULL UNIQUE,
    application_id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    key_hash BLOB NOT NULL UNIQUE,
    fingerprint BLOB NOT NULL,
    record BLOB NOT NULL,
    response BLOB NOT NULL,
    leaf BLOB NOT NULL,
    head BLOB NOT NULL,
    UNIQUE (application_id, revision)
) STRICT;
CREATE TRIGGER IF NOT EXISTS entries_never_change BEFORE UPDATE ON entry
BEGIN SELECT RAISE(ABORT, 'entries are never changed'); END;
CREATE TRIGGER IF NOT EXISTS entries_are_never_deleted BEFORE DELETE ON entry
BEGIN SELECT RAISE(ABORT, 'entries are never deleted'); END;
"""
NAME_ONCE = "INSERT INTO journal SELECT ? WHERE NOT EXISTS (SELECT 1 FROM journal);"
INSERT = "INSERT INTO entry VALUES (?,?,?,?,?,?,?,?,?,?,?)"
BY_KEY = "SELECT * FROM entry WHERE key_hash = ?"
BY_APPLICATION = "SELECT * FROM entry WHERE application_id = ? AND revision = ?"
BY_DECISION = "SELECT * FROM entry WHERE decision_id = ?"
IN_ORDER = "SELECT * FROM entry ORDER BY sequence"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What is recorded of one decision; ``record`` holds all that a replay needs."""

    kind: str
    decision_id: str
    application_id: str
    revision: int
    key_hash: bytes
    fingerprint: bytes
    record: bytes
    response: bytes


class Stored(Entry, frozen=True, kw_only=True):
    """An entry that is in the journal: its place, its leaf, and the chain's head after it."""

    sequence: int
    leaf: bytes
    head: bytes


def chain(entry: Entry, sequence: int, previous: bytes) -> Stored:
    """``entry`` at its place, after the head ``previous``."""
    fields = {name: getattr(entry, name) for name in Entry.__struct_fields__}
    hashed = leaf(_bytes(value) for value in (sequence, *fields.values()))
    return Stored(**fields, sequence=sequence, leaf=hashed, head=link(previous, hashed))


def row(stored: Stored) -> tuple[Any, ...]:
    """The row of the table ``entry``."""
    fields = (getattr(stored, name) for name in Entry.__struct_fields__)
    return (stored.sequence, *fields, stored.leaf, stored.head)


def find(connection: apsw.Connection, statement: str, *values: Any) -> Stored | None:
    """The one entry a statement selects, if any."""
    rows = connection.execute(statement, values).fetchall()
    return _stored(rows[0]) if rows else None


def entries(path: Path) -> Iterator[Stored]:
    """All entries in order, for replays and audits; the journal is opened read-only."""
    connection = open_reader(path)
    try:
        yield from map(_stored, connection.execute(IN_ORDER))
    finally:
        connection.close()


def verify(path: Path) -> tuple[int, bytes]:
    """Walk the whole chain: (entries, head). Raises ``BadJournal`` naming the first bad entry."""
    connection = open_reader(path)
    try:
        return _walk(connection)
    except apsw.Error as error:
        raise BadJournal(
            f"{path} cannot be read ({said(error)}). Hint: restore it from the last backup."
        ) from error
    finally:
        connection.close()


def _walk(connection: apsw.Connection) -> tuple[int, bytes]:
    ((identity,),) = connection.execute("SELECT identity FROM journal").fetchall()
    count, head = 0, genesis(str(identity))
    for found in connection.execute(IN_ORDER):
        stored = _stored(found)
        if chain(stored, count + 1, head) != stored:
            raise BadJournal(
                f"Entry {count + 1} of the journal is not what was recorded: its hash chain breaks "
                "there. Hint: keep the file as evidence and restore the last backup."
            )
        count, head = stored.sequence, stored.head
    return count, head


def _stored(found: Any) -> Stored:
    sequence, *fields, hashed, head = found
    named = dict(zip(Entry.__struct_fields__, fields, strict=True))
    return Stored(**named, sequence=sequence, leaf=hashed, head=head)


def _bytes(value: str | int | bytes) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
