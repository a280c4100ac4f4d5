"""The decision journal: one writer, group commit, append-only, hash-chained, durable.

An answer leaves only after its entry survived an fsync. Errors say what is known of the outcome:

    NotRecorded            nothing was written; the same request may be tried again
    ├── QueueFull          too many entries are waiting
    └── JournalUnavailable the database is locked, full, read-only, or failed earlier
    OutcomeUnknown         a commit failed: the entry may or may not be there after a restart
    AlreadyDecided         the key or the application has an entry; carries it

A failed fsync must never be retried: after one, the database is not touched again, the writer
refuses everything, ``on_failure`` is called, and the process is expected to stop.
"""

import queue
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from serving.database import BadJournal, hold, open_durable, open_reader, said
from serving.entries import (
    BY_APPLICATION,
    BY_DECISION,
    BY_KEY,
    INSERT,
    NAME_ONCE,
    SCHEMA,
    Entry,
    Stored,
    chain,
    find,
    row,
    verify,
)

CHECKPOINT_PAGES = 1000


class NotRecorded(Exception):
    """Nothing was written."""


class QueueFull(NotRecorded):
    """More entries wait than the writer can take."""


class JournalUnavailable(NotRecorded):
    """The database refused the entry."""


class OutcomeUnknown(Exception):
    """The commit failed; only a reopened journal can tell whether the entry is there."""


class AlreadyDecided(Exception):
    """The idempotency key, or the application's revision, already has an entry."""

    def __init__(self, stored: Stored) -> None:
        super().__init__(stored.decision_id)
        self.stored = stored


class _Waiting(NamedTuple):
    entry: Entry
    future: "Future[Stored]"


_Result = Stored | AlreadyDecided


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
    ) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.failed = ""
        self._lock = hold(path)
        self._connection = open_durable(path)
        _create(self._connection, identity)
        self._sequence, self._head = verify(path)
        self._reader = open_reader(path)
        self._reading = threading.Lock()
        self._queue: queue.Queue[_Waiting | None] = queue.Queue(waiting)
        self._batch = batch
        self._on_failure = on_failure
        self._wal_pages = 0
        self._connection.set_wal_hook(self._note_wal)
        self._writer = threading.Thread(target=self._write, name="journal", daemon=True)
        self._writer.start()

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

    def by_application(self, application_id: str, revision: int) -> Stored | None:
        """The effective decision of an application's revision, if any."""
        return self._find(BY_APPLICATION, application_id, revision)

    def by_decision(self, decision_id: str) -> Stored | None:
        """The entry of a decision, if any."""
        return self._find(BY_DECISION, decision_id)

    def close(self) -> None:
        """Write what is queued, then close; after a failure the database is left untouched."""
        self._queue.put(None)
        self._writer.join()
        if not self.failed:
            self._reader.close()
            self._connection.close()
        self._lock.close()

    def _find(self, statement: str, *values: Any) -> Stored | None:
        with self._reading:
            return find(self._reader, statement, *values)

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
        before = self._sequence, self._head
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except apsw.Error as error:
            _refuse(batch, JournalUnavailable(said(error)))
            return
        try:
            results = [self._insert(waiting.entry) for waiting in batch]
            self._connection.execute("COMMIT")
        except (apsw.BusyError, apsw.FullError, apsw.ReadOnlyError) as error:
            self._sequence, self._head = before
            self._roll_back()
            _refuse(batch, JournalUnavailable(said(error)))
        except Exception as error:
            self._fail(said(error))
            _refuse(batch, OutcomeUnknown(said(error)))
        else:
            _answer(batch, results)
            self._checkpoint()

    def _insert(self, entry: Entry) -> _Result:
        existing = find(self._connection, BY_KEY, entry.key_hash) or find(
            self._connection, BY_APPLICATION, entry.application_id, entry.revision
        )
        if existing:
            return AlreadyDecided(existing)
        stored = chain(entry, self._sequence + 1, self._head)
        self._connection.execute(INSERT, row(stored))
        self._sequence, self._head = stored.sequence, stored.head
        return stored

    def _roll_back(self) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except apsw.Error as error:
            self._fail(said(error))

    def _note_wal(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self._wal_pages = pages
        return apsw.SQLITE_OK

    def _checkpoint(self) -> None:
        """Move the WAL into the database; SQLite's own checkpoint would hide a failed fsync."""
        if self._wal_pages < CHECKPOINT_PAGES:
            return
        try:
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except (apsw.BusyError, apsw.FullError):
            return  # everything is still safe in the WAL; the next commit tries again
        except apsw.Error as error:
            self._fail(said(error))

    def _fail(self, reason: str) -> None:
        self.failed = reason
        if self._on_failure:
            self._on_failure(reason)


def _create(connection: apsw.Connection, identity: Callable[[], str]) -> None:
    try:
        connection.execute(f"BEGIN IMMEDIATE; {SCHEMA} {NAME_ONCE} COMMIT", (identity(),))
    except apsw.Error as error:
        raise BadJournal(
            f"The journal cannot be written ({said(error)}). "
            "Hint: check that no other program holds it and that its disk has space."
        ) from error


def _answer(batch: list[_Waiting], results: list[_Result]) -> None:
    for waiting, result in zip(batch, results, strict=True):
        if isinstance(result, Stored):
            waiting.future.set_result(result)
        else:
            waiting.future.set_exception(result)


def _refuse(batch: list[_Waiting], error: Exception) -> None:
    for waiting in batch:
        waiting.future.set_exception(error)
