"""A journal in one file of SQLite, opened so that it keeps what it said it wrote."""

import fcntl
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, cast

import apsw

from serving import durable
from serving.journal.database import BUSY_MS, BadJournal, DatabaseFailed, DatabaseRefused, said
from serving.journal.entries import FORMAT

PRAGMAS: Mapping[str, str | int] = {"journal_mode": "wal", "synchronous": 2}  # 2 is FULL
OLDEST_SQLITE = 3_051_003  # the WAL-reset corruption bug lives from 3.7.0 to 3.51.2
CHECKPOINT_PAGES = 1000
REFUSED = (apsw.BusyError, apsw.FullError, apsw.ReadOnlyError)
SCHEMA = f"""
CREATE TABLE journal (identity TEXT NOT NULL) STRICT;
CREATE TABLE entry (
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
CREATE UNIQUE INDEX followed ON entry (entry_id) WHERE kind <> 'decision';
CREATE INDEX of_business ON entry (business, kind, at);
CREATE INDEX searched ON entry (organisation, kind, sequence, branch, outcome, at);
CREATE TABLE subtree (level INTEGER, number INTEGER, hash BLOB NOT NULL,
    PRIMARY KEY (level, number)) STRICT, WITHOUT ROWID;
CREATE TABLE seal (owner INTEGER PRIMARY KEY, wrapped BLOB NOT NULL) STRICT;
CREATE TRIGGER entries_never_change BEFORE UPDATE ON entry
BEGIN SELECT RAISE(ABORT, 'entries are never changed'); END;
CREATE TRIGGER entries_are_never_deleted BEFORE DELETE ON entry
BEGIN SELECT RAISE(ABORT, 'entries are never deleted'); END;
PRAGMA user_version = {FORMAT};
"""
NAME = "INSERT INTO journal VALUES (?);"


class SQLite:
    """The file of a journal."""

    def __init__(self, files: Path) -> None:
        self.files = files

    def __str__(self) -> str:
        return str(self.files)

    def writer(self) -> "SQLiteWriter":
        """The writing connection; one process alone has it."""
        self.files.parent.mkdir(parents=True, exist_ok=True)
        lock = hold(self.files)
        return SQLiteWriter(open_durable(self.files), lock)

    def reader(self) -> "SQLiteReader":
        """A connection that can only read."""
        try:
            return SQLiteReader(_connect(self.files, apsw.SQLITE_OPEN_READONLY))
        except apsw.Error as error:
            raise BadJournal(
                f"{self.files} cannot be opened ({said(error)}). "
                "Hint: check that it exists and is readable."
            ) from error


class SQLiteReader:
    """A connection to the file."""

    def __init__(self, connection: apsw.Connection) -> None:
        self.connection = connection

    @property
    def format(self) -> int | None:
        """Format of the journal; None in an empty file."""
        is_empty = self.value("SELECT 1 FROM sqlite_schema LIMIT 1") is None
        return None if is_empty else int(self.value("PRAGMA user_version"))

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """All rows that a statement selects."""
        with _told():
            return list(self.connection.execute(statement, values))

    def stream(self, statement: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        """The rows that a statement selects, one after another."""
        with _told():
            yield from self.connection.execute(statement, values)

    def value(self, statement: str, *values: Any) -> Any:
        """The first value of the first row, if any."""
        found = self.rows(statement, *values)
        return found[0][0] if found else None

    def snapshot(self) -> AbstractContextManager[object]:
        """Reads at one moment."""
        return cast("AbstractContextManager[object]", self.connection)

    def close(self) -> None:
        """Give the connection back."""
        self.connection.close()


class SQLiteWriter(SQLiteReader):
    """The connection that writes, and the lock that keeps it the only one."""

    def __init__(self, connection: apsw.Connection, lock: Any) -> None:
        super().__init__(connection)
        self._lock = lock
        self._wal = _Wal()
        connection.set_wal_hook(self._wal)

    def create(self, identity: str) -> None:
        """Make the tables of a new journal."""
        try:
            self.connection.execute(f"BEGIN IMMEDIATE; {SCHEMA} {NAME} COMMIT", (identity,))
        except apsw.Error as error:
            raise BadJournal(
                f"The journal cannot be written ({said(error)}). "
                "Hint: check that no other program holds it and that its disk has space."
            ) from error

    def begin(self) -> None:
        """Begin a transaction."""
        try:
            self.connection.execute("BEGIN IMMEDIATE")
        except apsw.Error as error:
            raise DatabaseRefused(said(error)) from error

    def write(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a statement once for each of ``rows``."""
        with _told():
            self.connection.executemany(statement, rows)

    def commit(self) -> None:
        """Make the transaction durable; returns after the fsync."""
        with _told():
            self.connection.execute("COMMIT")

    def roll_back(self) -> None:
        """Take the transaction back, if SQLite has not done so itself."""
        with _told():
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")

    def forget(self) -> None:
        """Empty the WAL, which may hold what was deleted; the file itself is overwritten."""
        self._checkpoint(apsw.SQLITE_CHECKPOINT_TRUNCATE)

    def settle(self) -> None:
        """Move a long WAL into the file; SQLite's own checkpoint would hide a failed fsync."""
        if self._wal.pages >= CHECKPOINT_PAGES:
            self._checkpoint(apsw.SQLITE_CHECKPOINT_PASSIVE)

    def abandon(self) -> None:
        """Let go of the lock alone; closing the connection would write."""
        self._lock.close()

    def close(self) -> None:
        """Close the file, then let go of the lock."""
        super().close()
        self._lock.close()

    def _checkpoint(self, mode: int) -> None:
        try:
            self.connection.wal_checkpoint(mode=mode)
        except (apsw.BusyError, apsw.FullError):
            return  # everything is still safe in the WAL; the next commit tries again
        except apsw.Error as error:
            raise DatabaseFailed(said(error)) from error


class _Wal:
    """Pages in the WAL after the last commit; no part of the writer, so as to form no cycle."""

    pages = 0

    def __call__(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self.pages = pages
        return apsw.SQLITE_OK


def hold(path: Path) -> Any:
    """Lock ``<path>.lock`` until the returned file closes; refuses at once if another holds it."""
    lock = path.with_name(path.name + ".lock").open("wb")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise BadJournal(
            f"{path} is in use by another service; one journal has one writer. "
            "Hint: stop that service, or name another journal."
        ) from None
    return lock


def open_durable(path: Path) -> apsw.Connection:
    """The writing connection: WAL, FULL, and checkpoints only when we ask for them."""
    is_new = not path.exists()
    try:
        connection = _connect(path, apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE)
        for name, value in PRAGMAS.items():
            connection.pragma(name, value)
        connection.pragma("secure_delete", 1)  # a key that was destroyed leaves no trace
        connection.wal_autocheckpoint(0)
    except apsw.Error as error:
        raise BadJournal(
            f"{path} cannot be opened for writing ({said(error)}). "
            "Hint: check the permissions and the free space of its folder."
        ) from error
    require_durable(connection)
    if is_new:
        durable.sync(path.parent)
    return connection


def require_durable(connection: apsw.Connection, sqlite: int = apsw.SQLITE_VERSION_NUMBER) -> None:
    """Refuse a SQLite that loses or corrupts answered decisions; raises ``BadJournal``."""
    if sqlite < OLDEST_SQLITE:
        raise BadJournal(
            f"SQLite {sqlite} can corrupt its log; {OLDEST_SQLITE} is the oldest that does not. "
            "Hint: install a newer apsw."
        )
    for name, value in PRAGMAS.items():
        if (found := connection.pragma(name)) != value:
            raise BadJournal(
                f"The journal runs with {name} = {found}, which can lose answered decisions; it "
                f"must be {value}. Hint: keep it on a local disk, with no other settings."
            )


def _connect(path: Path, flags: int) -> apsw.Connection:
    connection = apsw.Connection(str(path), flags=flags)
    connection.set_busy_timeout(BUSY_MS)
    return connection


@contextmanager
def _told() -> Iterator[None]:
    """SQLite's errors, as the journal knows them."""
    try:
        yield
    except REFUSED as error:
        raise DatabaseRefused(said(error)) from error
    except apsw.Error as error:
        raise DatabaseFailed(said(error)) from error
