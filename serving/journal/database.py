"""What the journal asks of a database, whichever it is: read, write in one transaction, or fail.

Statements are written once, with ``?`` for values. Two errors are told apart:

DatabaseFailed        what was being written may or may not be there
└── DatabaseRefused   nothing was written; the same may be tried again
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

from features.errors import MicroloanError

BUSY_MS = 400  # how long a writer waits for a stranger's lock
URLS = ("postgresql://", "postgres://")


class BadJournal(MicroloanError):
    """The journal cannot be opened safely, or its chain is broken."""


class DatabaseFailed(Exception):
    """The database failed; only a reopened one can tell what it holds."""


class DatabaseRefused(DatabaseFailed):
    """The database took nothing: it is locked, full, read-only, or gone before the commit."""


class Server(NamedTuple):
    """A PostgreSQL server by its URL; the journal's own files are named after ``files``."""

    url: str
    files: Path


At = Path | Server  # where a journal is: in a file of SQLite, or on a server


class Reader(Protocol):
    """A connection that reads; its errors are ``DatabaseFailed``."""

    @property
    def format(self) -> int | None:
        """Format of the journal it finds; None if there is none yet."""

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """All rows that a statement selects."""

    def stream(self, statement: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        """The rows that a statement selects, one after another, however many there are."""

    def value(self, statement: str, *values: Any) -> Any:
        """The first value of the first row; None if there is no row."""

    def snapshot(self) -> AbstractContextManager[object]:
        """While open, everything that is read is as it was at one moment."""

    def close(self) -> None:
        """Give the connection back."""


class Writer(Reader, Protocol):
    """The one connection that writes."""

    def create(self, identity: str) -> None:
        """Make the tables of a new journal. Raises ``BadJournal``."""

    def begin(self) -> None:
        """Begin a transaction. Raises ``DatabaseRefused``."""

    def write(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a statement once for each of ``rows``."""

    def commit(self) -> None:
        """Make the transaction durable. Raises ``DatabaseFailed`` if that is not certain."""

    def roll_back(self) -> None:
        """Take the transaction back, if there is one."""

    def forget(self) -> None:
        """What was deleted leaves no trace where the database can help it."""

    def settle(self) -> None:
        """What has to be done now and then, after a commit was answered."""

    def abandon(self) -> None:
        """Let go of the one writer's lock, and touch nothing else."""


class Database(Protocol):
    """Where one journal lies."""

    @property
    def files(self) -> Path:
        """What the journal's own files, its secret and its checkpoint, are named after."""

    def writer(self) -> Writer:
        """The writing connection. Raises ``BadJournal`` if it is unsafe, or taken by another."""

    def reader(self) -> Reader:
        """A connection that can only read. Raises ``BadJournal``."""


def located(journal: str, folder: Path) -> At:
    """Where ``journal``, a path or the URL of a server, is; ``folder`` is for a server's files."""
    if not journal.startswith(URLS):
        return Path(journal)
    return Server(journal, folder / (urlsplit(journal).path.strip("/") or "postgresql"))


def database_at(at: At) -> Database:
    """The database of a journal; a path is a file of SQLite."""
    if isinstance(at, Server):
        from serving.journal.postgresql import PostgreSQL

        return PostgreSQL(at)
    from serving.journal.sqlite import SQLite

    return SQLite(at)


def said(error: BaseException) -> str:
    """Kind and message of an error, for logs."""
    return f"{type(error).__name__}: {error}".strip()


def unreadable(database: Database, error: Exception) -> BadJournal:
    """The journal is there and cannot be read."""
    return BadJournal(
        f"{database} cannot be read ({error}). Hint: restore it from the last backup."
    )
