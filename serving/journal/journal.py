"""The decision journal: one writer, group commit, append-only, under a hash tree, durable.

An answer leaves only after its entry survived an fsync; ``refusals`` are the errors. A failed fsync
must never be retried: after one, the database is not touched again, the writer refuses everything,
``on_failure`` is called, and the process is expected to stop.
"""

import queue
import secrets
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from serving.journal import checkpoints
from serving.journal.database import BadJournal, hold, open_durable, open_reader, said
from serving.journal.entries import (
    BY_KEY,
    BY_PLACE,
    DECISION,
    FOLLOW_UP,
    NAME_ONCE,
    SCHEMA,
    Entry,
    Kind,
    Opened,
    Peaks,
    Stored,
    Whole,
    decision_id_of,
    size_of,
    subtrees_of,
)
from serving.journal.merkle import Subtrees, peaks_of, root_of
from serving.journal.reading import demand_format, walk
from serving.journal.refusals import (
    AlreadyDecided,
    Erased,
    JournalUnavailable,
    OutcomeUnknown,
    QueueFull,
)
from serving.journal.seals import Random, Secret

CHECKPOINT_PAGES = 1000


class _Waiting(NamedTuple):
    entry: Entry
    future: "Future[Stored]"


_Result = Stored | AlreadyDecided | Erased


class Journal:
    """The journal in one SQLite file, and its only writer."""

    def __init__(
        self,
        path: Path,
        *,
        waiting: int = 256,
        batch: int = 64,
        on_failure: Callable[[str], None] | None = None,
        identity: Callable[[], str] = lambda: secrets.token_hex(16),
        random: Random = secrets.token_bytes,
    ) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.failed = ""
        self._path = path
        self._lock = hold(path)
        self._secret = Secret.of(path, random)
        connection = open_durable(path)
        _create(connection, path, identity)
        self._written = Opened(connection, self._secret, random)
        self._read = Opened(open_reader(path), self._secret, random)
        self._reading = threading.Lock()
        self._scanned = open_reader(path)  # apart, so that no decision waits for a search
        self._scanning = threading.Lock()
        self._size, self._peaks = self._verified()
        self._queue: queue.Queue[_Waiting | None] = queue.Queue(waiting)
        self._batch = batch
        self._on_failure = on_failure
        self._wal = _Wal()
        connection.set_wal_hook(self._wal)
        self._writer = threading.Thread(target=self._write, name="journal", daemon=True)
        self._writer.start()

    @property
    def key(self) -> checkpoints.Key:
        """The public key that checkpoints of this journal are signed with."""
        return checkpoints.Key.of(self._read.identity, self._secret.signer)

    @property
    def size(self) -> int:
        """Number of entries."""
        return self._size

    @property
    def waiting(self) -> int:
        """Entries that wait for the writer."""
        return self._queue.qsize()

    def hashed(self, purpose: bytes, content: bytes) -> bytes:
        """Keyed hash: equal for equal content, and telling nothing without the journal's key."""
        return self._secret.hashed(purpose, content)

    def append(self, entry: Entry) -> "Future[Stored]":
        """Queue ``entry``; the future holds it once it is durable, or says why it is not.

        Raises ``QueueFull`` at once when the queue is full, ``JournalUnavailable`` after a failure.
        """
        if self.failed:
            raise JournalUnavailable(self.failed)
        future: Future[Stored] = Future()
        future.set_running_or_notify_cancel()  # what is queued can no longer be taken back
        try:
            self._queue.put_nowait(_Waiting(entry, future))
        except queue.Full:
            raise QueueFull("the journal's queue is full") from None
        return future

    def by_key(self, key_hash: bytes) -> Stored | None:
        """The entry made under an idempotency key, if any."""
        return self._find(BY_KEY, key_hash)

    def by_application(
        self, application_id: str, revision: int, organisation: str = "bank"
    ) -> Stored | None:
        """The effective decision of an application's revision, if any."""
        return self.by_decision(decision_id_of(organisation, application_id, revision))

    def at(self, decision_id: str, kind: Kind, revision: int) -> Stored | None:
        """The one entry of a kind for a decision and a revision, if any."""
        return self._find(BY_PLACE, decision_id, kind, revision)

    def by_decision(self, decision_id: str) -> Stored | None:
        """The entry of a decision, if any."""
        return self._find(DECISION, decision_id)

    def follow_up(self, entry_id: str) -> Stored | None:
        """The entry of what happened to a decision, if any."""
        return self._find(FOLLOW_UP, entry_id)

    def select(self, statement: str, *values: Any) -> list[Stored]:
        """The entries a statement selects, opened."""
        with self._reading:
            return list(self._read.select(statement, *values))

    def rows(self, statement: str, *values: Any) -> list[Any]:
        """What a statement selects, as stored."""
        with self._reading:
            return list(self._read.connection.execute(statement, values))

    def scan(self, statement: str, *values: Any) -> list[Any]:
        """What a statement selects that may look at many entries."""
        with self._scanning:
            return list(self._scanned.execute(statement, values))

    def tree(self, read: Callable[[Whole, Subtrees], Any]) -> Any:
        """``read`` of the journal's tree as it is at one moment."""
        with self._reading, self._read.connection:
            return read(_whole(self._read), subtrees_of(self._read.connection))

    def sign(self, whole: Whole) -> str:
        """The signed checkpoint of the journal as it is, or was."""
        return checkpoints.sign(whole, self._secret.signer)

    def save_checkpoint(self) -> None:
        """Write the journal's checkpoint beside it, where the next start begins to verify."""
        whole: Whole = self.tree(lambda whole, _: whole)
        if whole.size and not self.failed:
            checkpoints.write(_checkpoint_of(self._path), self.sign(whole))

    def close(self) -> None:
        """Write what is queued, then close; after a failure the database is left untouched."""
        if not self._writer.is_alive():
            return
        self._queue.put(None)
        self._writer.join()
        if not self.failed:
            with suppress(OSError):  # the next start then verifies from an older one
                self.save_checkpoint()
            self._scanned.close()
            self._read.connection.close()
            self._written.connection.close()
        self._lock.close()

    def _find(self, statement: str, *values: Any) -> Stored | None:
        with self._reading:
            return self._read.find(statement, *values)

    def _verified(self) -> tuple[int, Peaks]:
        """Size and peaks of the journal, its entries after the last checkpoint verified."""
        signed = self._checkpointed()
        before = signed, peaks_of(signed, subtrees_of(self._read.connection))
        return deque(chain([before], walk(self._read.connection, after=signed)), maxlen=1)[0]

    def _checkpointed(self) -> int:
        """Size of the last checkpoint, which the journal must continue; 0 if there is none."""
        path = _checkpoint_of(self._path)
        if not path.exists():
            return 0
        signed = checkpoints.read(path.read_text(encoding="utf-8"), self.key)
        subtrees = subtrees_of(self._read.connection)
        is_kept = signed.size <= _whole(self._read).size
        if not is_kept or root_of(peaks_of(signed.size, subtrees)) != signed.root:
            raise BadJournal(
                f"{self._path} does not continue its checkpoint of {signed.size} entries "
                f"({path.name}). Hint: `microloan journal verify --checkpoint {path}` says where."
            )
        return signed.size

    def _write(self) -> None:
        while batch := self._next_batch():
            if self.failed:
                _refuse(batch, JournalUnavailable(self.failed))
            else:
                self._record(batch)

    def _next_batch(self) -> list[_Waiting]:
        """Everything that waits, at least one entry; empty when the journal closes."""
        batch: list[_Waiting] = []
        while len(batch) < self._batch and (not batch or not self._queue.empty()):
            waiting = self._queue.get()
            if waiting is None:
                if batch:
                    self._queue.put(None)
                break
            batch.append(waiting)
        return batch

    def _record(self, batch: list[_Waiting]) -> None:
        before, connection = (self._size, self._peaks), self._written.connection
        try:
            connection.execute("BEGIN IMMEDIATE")
        except apsw.Error as error:
            _refuse(batch, JournalUnavailable(said(error)))
            return
        try:
            results = [self._insert(waiting.entry) for waiting in batch]
            connection.execute("COMMIT")
        except (apsw.BusyError, apsw.FullError, apsw.ReadOnlyError) as error:
            self._size, self._peaks = before
            self._roll_back()
            _refuse(batch, JournalUnavailable(said(error)))
        except Exception as error:
            self._fail(said(error))
            _refuse(batch, OutcomeUnknown(said(error)))
        else:
            if any(each.entry.kind == "erasure" for each in batch):
                self._checkpoint(apsw.SQLITE_CHECKPOINT_TRUNCATE)  # the WAL may hold the key
            _answer(batch, results)
            if self._wal.pages >= CHECKPOINT_PAGES:
                self._checkpoint(apsw.SQLITE_CHECKPOINT_PASSIVE)

    def _insert(self, entry: Entry) -> _Result:
        existing = self._written.find(BY_KEY, entry.key_hash)
        place = entry.decision_id, entry.kind, entry.revision
        if existing := existing or self._written.find(BY_PLACE, *place):
            return AlreadyDecided(existing)
        try:
            stored, self._peaks = self._written.insert(entry, self._size + 1, self._peaks)
        except LookupError:
            return Erased(entry.decision_id)
        self._size = stored.sequence
        if entry.kind == "erasure":
            self._written.seals.destroy(self._written.decision(entry))
        return stored

    def _roll_back(self) -> None:
        try:
            if self._written.connection.in_transaction:
                self._written.connection.execute("ROLLBACK")
        except apsw.Error as error:
            self._fail(said(error))

    def _checkpoint(self, mode: int) -> None:
        """Move the WAL into the database; SQLite's own checkpoint would hide a failed fsync."""
        try:
            self._written.connection.wal_checkpoint(mode=mode)
        except (apsw.BusyError, apsw.FullError):
            return  # everything is still safe in the WAL; the next commit tries again
        except apsw.Error as error:
            self._fail(said(error))

    def _fail(self, reason: str) -> None:
        self.failed = reason
        if self._on_failure:
            self._on_failure(reason)


class _Wal:
    """Pages in the WAL after the last commit; no part of the journal, so as to form no cycle."""

    pages = 0

    def __call__(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self.pages = pages
        return apsw.SQLITE_OK


def _create(connection: apsw.Connection, path: Path, identity: Callable[[], str]) -> None:
    try:
        if connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").get:
            return demand_format(connection, path)
        connection.execute(f"BEGIN IMMEDIATE; {SCHEMA} {NAME_ONCE} COMMIT", (identity(),))
    except apsw.Error as error:
        raise BadJournal(
            f"The journal cannot be written ({said(error)}). "
            "Hint: check that no other program holds it and that its disk has space."
        ) from error


def _checkpoint_of(path: Path) -> Path:
    return path.with_name(path.name + ".checkpoint")


def _whole(opened: Opened) -> Whole:
    """The journal as a connection sees it, taken from the tree alone."""
    size = size_of(opened.connection)
    return Whole(opened.identity, size, root_of(peaks_of(size, subtrees_of(opened.connection))))


def _answer(batch: list[_Waiting], results: list[_Result]) -> None:
    for waiting, result in zip(batch, results, strict=True):
        if isinstance(result, Stored):
            waiting.future.set_result(result)
        else:
            waiting.future.set_exception(result)


def _refuse(batch: list[_Waiting], error: Exception) -> None:
    for waiting in batch:
        waiting.future.set_exception(error)
