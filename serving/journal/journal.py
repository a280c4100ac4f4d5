"""The decision journal: one writer, group commit, append-only, under a hash tree, durable.

An answer leaves only after its entry survived an fsync; ``refusals`` are the errors. A failed fsync
must never be retried: after one, the database is not touched again, the writer refuses everything,
``on_failure`` is called, and the process is expected to stop.
"""

import queue
import secrets
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from itertools import chain
from typing import Any, NamedTuple

from serving.journal import checkpoints
from serving.journal.database import (
    At,
    BadJournal,
    DatabaseFailed,
    DatabaseRefused,
    Writer,
    database_at,
    said,
    unreadable,
)
from serving.journal.entries import (
    BY_KEY,
    BY_PLACE,
    DECISION,
    FOLLOW_UP,
    Entry,
    Kind,
    Opened,
    Peaks,
    Stored,
    Whole,
    Written,
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


class _Waiting(NamedTuple):
    entry: Entry
    future: "Future[Stored]"


_Result = Stored | AlreadyDecided | Erased


class Journal:
    """The journal in one database, and its only writer."""

    def __init__(
        self,
        at: At,
        *,
        waiting: int = 256,
        batch: int = 64,
        on_failure: Callable[[str], None] | None = None,
        identity: Callable[[], str] = lambda: secrets.token_hex(16),
        random: Random = secrets.token_bytes,
    ) -> None:
        self.failed = ""
        self._database = database_at(at)
        writer = self._database.writer()
        try:
            self._open(writer, identity, random)
        except DatabaseFailed as error:
            writer.abandon()
            raise unreadable(self._database, error) from error
        except BadJournal:
            writer.abandon()
            raise
        self._reading = threading.Lock()
        self._scanning = threading.Lock()
        self._queue: queue.Queue[_Waiting | None] = queue.Queue(waiting)
        self._batch = batch
        self._on_failure = on_failure
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
        with self._alone(self._reading):
            return self._read.select(statement, *values)

    def rows(self, statement: str, *values: Any) -> list[Any]:
        """What a statement selects, as stored."""
        with self._alone(self._reading):
            return self._read.reader.rows(statement, *values)

    def scan(self, statement: str, *values: Any) -> list[Any]:
        """What a statement selects that may look at many entries."""
        with self._alone(self._scanning):
            return self._scanned.rows(statement, *values)

    def tree(self, read: Callable[[Whole, Subtrees], Any]) -> Any:
        """``read`` of the journal's tree as it is at one moment."""
        with self._alone(self._reading), self._read.reader.snapshot():
            return read(_whole(self._read), subtrees_of(self._read.reader))

    def sign(self, whole: Whole) -> str:
        """The signed checkpoint of the journal as it is, or was."""
        return checkpoints.sign(whole, self._secret.signer)

    def save_checkpoint(self) -> None:
        """Write the journal's checkpoint beside it, where the next start begins to verify."""
        whole: Whole = self.tree(lambda whole, _: whole)
        if whole.size and not self.failed:
            checkpoints.write(checkpoints.beside(self._database.files), self.sign(whole))

    def close(self) -> None:
        """Write what is queued, then close; after a failure the database is left untouched."""
        if not self._writer.is_alive():
            return
        self._queue.put(None)
        self._writer.join()
        if not self.failed:
            with suppress(OSError, JournalUnavailable):  # the next start begins at an older one
                self.save_checkpoint()
        if self.failed:
            self._written.writer.abandon()
            return
        self._scanned.close()
        self._read.reader.close()
        self._written.writer.close()

    def _open(self, writer: Writer, identity: Callable[[], str], random: Random) -> None:
        """Make the journal if it is new, verify it, and open what reads it."""
        is_new = writer.format is None
        self._secret = Secret.of(self._database.files, random if is_new else None)
        if is_new:
            writer.create(identity())
        demand_format(writer, self._database)
        self._written = Written(writer, self._secret, random)
        self._read = Opened(self._database.reader(), self._secret, random)
        self._scanned = self._database.reader()  # apart, so that no decision waits for a search
        self._size, self._peaks = self._verified()

    def _find(self, statement: str, *values: Any) -> Stored | None:
        with self._alone(self._reading):
            return self._read.find(statement, *values)

    @contextmanager
    def _alone(self, lock: threading.Lock) -> Iterator[None]:
        """Read while nobody else does. Raises ``JournalUnavailable``."""
        with lock:
            try:
                yield
            except DatabaseRefused as error:
                raise JournalUnavailable(str(error)) from error
            except DatabaseFailed as error:
                self._fail(str(error))
                raise JournalUnavailable(str(error)) from error

    def _verified(self) -> tuple[int, Peaks]:
        """Size and peaks of the journal, its entries after the last checkpoint verified."""
        signed = self._checkpointed()
        reader = self._read.reader
        before = signed, peaks_of(signed, subtrees_of(reader))
        return deque(chain([before], walk(reader, after=signed)), maxlen=1)[0]

    def _checkpointed(self) -> int:
        """Size of the last checkpoint, which the journal must continue; 0 if there is none."""
        path = checkpoints.beside(self._database.files)
        if not path.exists():
            return 0
        signed = checkpoints.read(path.read_text(encoding="utf-8"), self.key)
        subtrees = subtrees_of(self._read.reader)
        is_kept = signed.size <= _whole(self._read).size
        if not is_kept or root_of(peaks_of(signed.size, subtrees)) != signed.root:
            raise BadJournal(
                f"{self._database} does not continue its checkpoint of {signed.size} entries "
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
        """Write a batch in one transaction; each hears what is known of it."""
        before, writer = (self._size, self._peaks), self._written.writer
        try:
            writer.begin()
            results = [self._insert(waiting.entry) for waiting in batch]
            writer.commit()
        except DatabaseRefused as error:
            self._size, self._peaks = before
            self._tidy(writer.roll_back)
            _refuse(batch, JournalUnavailable(str(error)))
        except Exception as error:
            reason = str(error) if isinstance(error, DatabaseFailed) else said(error)
            self._fail(reason)
            _refuse(batch, OutcomeUnknown(reason))
        else:
            if any(each.entry.kind == "erasure" for each in batch):
                self._tidy(writer.forget)
            _answer(batch, results)
            self._tidy(writer.settle)

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
        return stored

    def _tidy(self, work: Callable[[], None]) -> None:
        """Do what follows a transaction; what fails there stops the journal."""
        try:
            work()
        except DatabaseFailed as error:
            self._fail(str(error))

    def _fail(self, reason: str) -> None:
        if self.failed:
            return
        self.failed = reason
        if self._on_failure:
            self._on_failure(reason)


def _whole(opened: Opened) -> Whole:
    """The journal as a connection sees it, taken from the tree alone."""
    size = size_of(opened.reader)
    return Whole(opened.identity, size, root_of(peaks_of(size, subtrees_of(opened.reader))))


def _answer(batch: list[_Waiting], results: list[_Result]) -> None:
    for waiting, result in zip(batch, results, strict=True):
        if isinstance(result, Stored):
            waiting.future.set_result(result)
        else:
            waiting.future.set_exception(result)


def _refuse(batch: list[_Waiting], error: Exception) -> None:
    for waiting in batch:
        waiting.future.set_exception(error)
