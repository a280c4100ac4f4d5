"""Entries of the journal: what is recorded, how it is stored, and the tree that binds it.

A decision is recorded in an entry of its own, and so is what happens to it later: an officer's
override, its approval, what became of the loan, an erasure. ``record`` and ``response`` are sealed
(``serving.journal.seals``); the other fields are what searches and locks need, and name nobody.
"""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any, Literal, NamedTuple

import apsw
import msgspec

from serving.journal.merkle import LEAF, Subtrees, grow
from serving.journal.seals import SCHEMA as SEALS
from serving.journal.seals import Random, Seal, Seals, Secret

FORMAT = 2
Peaks = tuple[bytes, ...]
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS journal (identity TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS entry (
    sequence INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    entry_id TEXT NOT NULL,
    decision_id TEXT NOT NULL,
    application_id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    organisation TEXT NOT NULL,
    branch TEXT NOT NULL,
    business BLOB NOT NULL,
    terms BLOB NOT NULL,
    outcome TEXT NOT NULL,
    at TEXT NOT NULL,
    key_hash BLOB NOT NULL UNIQUE,
    fingerprint BLOB NOT NULL,
    record BLOB NOT NULL,
    response BLOB NOT NULL,
    UNIQUE (decision_id, kind, revision)
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS followed ON entry (entry_id) WHERE kind <> 'decision';
CREATE INDEX IF NOT EXISTS of_business ON entry (business, kind, at);
CREATE INDEX IF NOT EXISTS searched ON entry (organisation, kind, sequence, branch, outcome, at);
CREATE TABLE IF NOT EXISTS subtree (level INTEGER, number INTEGER, hash BLOB NOT NULL,
    PRIMARY KEY (level, number)) STRICT, WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS entries_never_change BEFORE UPDATE ON entry
BEGIN SELECT RAISE(ABORT, 'entries are never changed'); END;
CREATE TRIGGER IF NOT EXISTS entries_are_never_deleted BEFORE DELETE ON entry
BEGIN SELECT RAISE(ABORT, 'entries are never deleted'); END;
{SEALS}
PRAGMA user_version = {FORMAT};
"""
NAME_ONCE = "INSERT INTO journal SELECT ? WHERE NOT EXISTS (SELECT 1 FROM journal);"
INSERT = "INSERT INTO entry VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
INSERT_SUBTREE = "INSERT INTO subtree VALUES (?, ?, ?)"
BY_KEY = "SELECT * FROM entry WHERE key_hash = ?"
BY_PLACE = "SELECT * FROM entry WHERE decision_id = ? AND kind = ? AND revision = ?"
DECISION = "SELECT * FROM entry WHERE decision_id = ? AND kind = 'decision'"
FOLLOW_UP = "SELECT * FROM entry WHERE entry_id = ? AND kind <> 'decision'"
OWNER = "SELECT sequence FROM entry WHERE decision_id = ? AND kind = 'decision'"
OF_DECISION = "SELECT * FROM entry WHERE decision_id = ? ORDER BY sequence"
IN_ORDER = "SELECT * FROM entry ORDER BY sequence"
DECISIONS = "SELECT * FROM entry WHERE kind = 'decision' ORDER BY sequence"
LEAVES = """SELECT entry.*, subtree.hash FROM entry
LEFT JOIN subtree ON level = 0 AND number = sequence - 1
WHERE sequence > ? ORDER BY sequence"""
ABOVE = "SELECT 1 FROM subtree WHERE level = 0 AND number >= ? LIMIT 1"
NO_PEAKS: Peaks = ()

Kind = Literal["decision", "override", "approval", "outcome", "erasure"]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What is recorded; ``record`` holds all that a replay needs.

    A decision's name stands for its application and revision; of what happens to it later the
    ``revision`` counts, so that there is one entry of each kind, decision and revision.
    ``business`` and ``terms`` are keyed hashes of who asked and of what was asked for; ``at`` is
    ISO 8601 in UTC.
    """

    kind: Kind
    entry_id: str
    decision_id: str
    application_id: str
    revision: int
    organisation: str
    branch: str = ""
    business: bytes = b""
    terms: bytes = b""
    outcome: str = ""
    at: str = ""
    key_hash: bytes
    fingerprint: bytes
    record: bytes
    response: bytes

    @property
    def has_own_seal(self) -> bool:
        """Whether it has a key of its own: a decision, and an erasure, which outlives it."""
        return self.kind in ("decision", "erasure")


class Stored(Entry, frozen=True, kw_only=True):
    """An entry that is in the journal, at its place (from 1) and with its leaf in the tree."""

    sequence: int
    leaf: bytes
    is_erased: bool = False


class Whole(NamedTuple):
    """A journal that is what was recorded: its name, its entries, and the root of its tree."""

    identity: str
    size: int
    root: bytes


_FIELDS = Entry.__struct_fields__


def decision_id_of(organisation: str, application_id: str, revision: int) -> str:
    """Name of the one effective decision of an application's revision."""
    named = f"{organisation}|{application_id}|{revision}"
    return f"dec_{hashlib.sha256(named.encode()).hexdigest()[:24]}"


def moment(at: datetime) -> str:
    """A moment in UTC as entries hold it: text that sorts."""
    return at.isoformat(timespec="microseconds")


def place(entry: Entry, sequence: int, identity: str) -> Stored:
    """``entry``, already sealed, at its place in the journal ``identity``."""
    fields = {name: getattr(entry, name) for name in _FIELDS}
    return Stored(**fields, sequence=sequence, leaf=_leaf(identity, sequence, *fields.values()))


def row(stored: Stored) -> tuple[Any, ...]:
    """The row of the table ``entry``."""
    return (stored.sequence, *(getattr(stored, name) for name in _FIELDS))


class Opened:
    """The entries a connection finds, opened with the journal's secret."""

    def __init__(self, connection: apsw.Connection, secret: Secret, random: Random) -> None:
        self.connection = connection
        self.identity = identity_of(connection)
        self.seals = Seals(connection, secret, random)

    def select(self, statement: str, *values: Any) -> Iterator[Stored]:
        """The entries a statement selects; an erased one comes with empty content."""
        for sequence, *fields in self.connection.execute(statement, values):
            stored = place(entry_of(fields), sequence, self.identity)
            owner = self.owner(stored, sequence)
            content = self.seals.open(owner, stored.record, stored.response)
            record, response = content or (b"", b"")
            yield msgspec.structs.replace(
                stored, record=record, response=response, is_erased=content is None
            )

    def find(self, statement: str, *values: Any) -> Stored | None:
        """The one entry a statement selects, if any."""
        found = list(self.select(statement, *values))
        return found[0] if found else None

    def insert(self, entry: Entry, sequence: int, peaks: Peaks) -> tuple[Stored, Peaks]:
        """Put ``entry`` at its place: as it can be answered, and the peaks of the tree with it.

        Raises ``LookupError`` if its decision was erased.
        """
        seal = self._seal(entry, sequence)
        record, response = seal(entry.record), seal(entry.response)
        sealed = msgspec.structs.replace(entry, record=record, response=response)
        stored = place(sealed, sequence, self.identity)
        self.connection.execute(INSERT, row(stored))
        peaks, made = grow(peaks, sequence - 1, stored.leaf)
        self.connection.executemany(INSERT_SUBTREE, made)
        opened = msgspec.structs.replace(stored, record=entry.record, response=entry.response)
        return opened, peaks

    def owner(self, entry: Entry, sequence: int) -> int:
        """The entry whose key seals the content: that of the decision."""
        return sequence if entry.has_own_seal else self.decision(entry)

    def decision(self, entry: Entry) -> int:
        """Sequence of the decision that an entry is about."""
        found: Any = self.connection.execute(OWNER, (entry.decision_id,)).get
        return int(found)

    def _seal(self, entry: Entry, sequence: int) -> Seal:
        owner = self.owner(entry, sequence)
        seal = self.seals.new(owner) if entry.has_own_seal else self.seals.of(owner)
        if seal is None:
            raise LookupError(entry.decision_id)
        return seal


def identity_of(connection: apsw.Connection) -> str:
    """The name of a journal, random and made once."""
    ((identity,),) = connection.execute("SELECT identity FROM journal").fetchall()
    return str(identity)


def size_of(connection: apsw.Connection) -> int:
    """Number of entries; they are numbered without gaps."""
    found: Any = connection.execute("SELECT coalesce(max(sequence), 0) FROM entry").get
    return int(found)


def subtrees_of(connection: apsw.Connection) -> Subtrees:
    """The subtrees a connection finds."""
    return partial(subtree_of, connection)


def subtree_of(connection: apsw.Connection, level: int, number: int) -> bytes:
    """Hash of a complete subtree as it is kept; b"" if it is not there."""
    statement = "SELECT hash FROM subtree WHERE level = ? AND number = ?"
    found = connection.execute(statement, (level, number)).get
    return bytes(found) if found else b""


def entry_of(fields: list[Any]) -> Entry:
    """The sealed entry in a row, without its sequence."""
    return Entry(**dict(zip(_FIELDS, fields, strict=True)))


def _leaf(*fields: str | int | bytes) -> bytes:
    """SHA-256 over the stored bytes of an entry, each field led by its length (8 bytes)."""
    digest = hashlib.sha256(LEAF)
    for field in fields:
        content = field if isinstance(field, bytes) else str(field).encode()
        digest.update(len(content).to_bytes(8, "big"))
        digest.update(content)
    return digest.digest()
