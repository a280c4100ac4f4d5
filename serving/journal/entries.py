"""Entries of the journal: what is recorded, how it is stored, and the tree that binds it.

A decision is recorded in an entry of its own, and so is what happens to it later: an officer's
override, its approval, what became of the loan, an erasure. ``record`` and ``response`` are sealed
(``serving.journal.seals``); the other fields are what searches and locks need, and name nobody.
"""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Literal, NamedTuple

import msgspec

from serving.journal.database import Reader, Writer
from serving.journal.merkle import LEAF, Subtrees, grow
from serving.journal.seals import DESTROY, INSERT_SEAL, Random, Seal, Seals, Secret

FORMAT = 2
Peaks = tuple[bytes, ...]
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
DECIDED = """SELECT * FROM entry WHERE kind = 'decision' AND at >= ? AND at < ?
ORDER BY sequence"""
LATER = "SELECT * FROM entry WHERE kind IN ('override', 'approval', 'outcome') ORDER BY sequence"
LEAVES = """SELECT entry.*, subtree.hash FROM entry
LEFT JOIN subtree ON level = 0 AND number = sequence - 1
WHERE sequence > ? ORDER BY sequence"""
SUBTREE = "SELECT hash FROM subtree WHERE level = ? AND number = ?"
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

    def __init__(self, reader: Reader, secret: Secret, random: Random) -> None:
        self.reader = reader
        self.identity = identity_of(reader)
        self.seals = Seals(reader, secret, random)

    def select(self, statement: str, *values: Any) -> list[Stored]:
        """The entries a statement selects; an erased one comes with empty content."""
        return [self._opened(*found) for found in self.reader.rows(statement, *values)]

    def stream(self, statement: str, *values: Any) -> Iterator[Stored]:
        """The same, one after another, however many there are."""
        for found in self.reader.stream(statement, *values):
            yield self._opened(*found)

    def find(self, statement: str, *values: Any) -> Stored | None:
        """The one entry a statement selects, if any."""
        found = self.select(statement, *values)
        return found[0] if found else None

    def owner(self, entry: Entry, sequence: int) -> int:
        """The entry whose key seals the content: that of the decision."""
        return sequence if entry.has_own_seal else self.decision(entry)

    def decision(self, entry: Entry) -> int:
        """Sequence of the decision that an entry is about."""
        return int(self.reader.value(OWNER, entry.decision_id))

    def _opened(self, sequence: int, *fields: Any) -> Stored:
        stored = place(entry_of(fields), sequence, self.identity)
        owner = self.owner(stored, sequence)
        content = self.seals.open(owner, stored.record, stored.response)
        record, response = content or (b"", b"")
        return msgspec.structs.replace(
            stored, record=record, response=response, is_erased=content is None
        )


class Written(Opened):
    """The entries of the one connection that writes."""

    def __init__(self, writer: Writer, secret: Secret, random: Random) -> None:
        super().__init__(writer, secret, random)
        self.writer = writer

    def insert(self, entry: Entry, sequence: int, peaks: Peaks) -> tuple[Stored, Peaks]:
        """Put ``entry`` at its place: as it can be answered, and the peaks of the tree with it.

        Raises ``LookupError`` if its decision was erased.
        """
        seal = self._seal(entry, sequence)
        record, response = seal(entry.record), seal(entry.response)
        sealed = msgspec.structs.replace(entry, record=record, response=response)
        stored = place(sealed, sequence, self.identity)
        self.writer.write(INSERT, [row(stored)])
        peaks, made = grow(peaks, sequence - 1, stored.leaf)
        self.writer.write(INSERT_SUBTREE, made)
        if entry.kind == "erasure":
            self.writer.write(DESTROY, [(self.decision(entry),)])
        opened = msgspec.structs.replace(stored, record=entry.record, response=entry.response)
        return opened, peaks

    def _seal(self, entry: Entry, sequence: int) -> Seal:
        if entry.has_own_seal:
            seal, wrapped = self.seals.new(sequence)
            self.writer.write(INSERT_SEAL, [(sequence, wrapped)])
            return seal
        kept = self.seals.of(self.decision(entry))
        if kept is None:
            raise LookupError(entry.decision_id)
        return kept


def identity_of(reader: Reader) -> str:
    """The name of a journal, random and made once."""
    return str(reader.value("SELECT identity FROM journal"))


def size_of(reader: Reader) -> int:
    """Number of entries; they are numbered without gaps."""
    return int(reader.value("SELECT coalesce(max(sequence), 0) FROM entry"))


def subtrees_of(reader: Reader) -> Subtrees:
    """The subtrees a connection finds."""
    return partial(subtree_of, reader)


def subtree_of(reader: Reader, level: int, number: int) -> bytes:
    """Hash of a complete subtree as it is kept; b"" if it is not there."""
    return bytes(reader.value(SUBTREE, level, number) or b"")


def entry_of(fields: Sequence[Any]) -> Entry:
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
