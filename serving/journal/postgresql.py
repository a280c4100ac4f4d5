"""A journal on a PostgreSQL server, asked so that a commit it reports is on its disk.

One session writes, and holds an advisory lock of the schema: a session that lost its lock has lost
its connection too, so no two services can write. Connect directly, not through a pooler that lends
sessions by transaction. A connection that is lost during a commit leaves the outcome unknown, and a
lost connection is never replaced: the service stops, and the next start verifies what is there.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import count
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from serving.journal.database import (
    BUSY_MS,
    BadJournal,
    DatabaseFailed,
    DatabaseRefused,
    Server,
    said,
)
from serving.journal.entries import FORMAT

CONNECTION = {  # a server that vanished is noticed within seconds
    "application_name": "microloan",
    "connect_timeout": 5,
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}
SESSION = {  # and so is, by the server, a service that vanished: its lock goes to the next
    "lock_timeout": f"{BUSY_MS}ms",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}
DURABLE: Mapping[str, tuple[str, ...]] = {
    "fsync": ("on",),
    "full_page_writes": ("on",),
    "synchronous_commit": ("on", "remote_apply", "remote_write"),
}
LOCK = "SELECT pg_try_advisory_lock(hashtextextended('microloan ' || current_schema(), 0))"
REFUSED = (psycopg.OperationalError, psycopg.errors.ReadOnlySqlTransaction)
FETCHED = 1000  # rows a stream takes at a time
SCHEMA = """
CREATE TABLE journal (identity TEXT NOT NULL, format INTEGER NOT NULL);
CREATE TABLE entry (
    sequence BIGINT PRIMARY KEY,
    kind TEXT NOT NULL,
    entry_id TEXT NOT NULL,
    decision_id TEXT NOT NULL,
    application_id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    organisation TEXT NOT NULL,
    branch TEXT NOT NULL,
    business BYTEA NOT NULL,
    terms BYTEA NOT NULL,
    outcome TEXT NOT NULL,
    at TEXT COLLATE "C" NOT NULL,
    key_hash BYTEA NOT NULL UNIQUE,
    fingerprint BYTEA NOT NULL,
    record BYTEA NOT NULL,
    response BYTEA NOT NULL,
    UNIQUE (decision_id, kind, revision)
);
CREATE UNIQUE INDEX followed ON entry (entry_id) WHERE kind <> 'decision';
CREATE INDEX of_business ON entry (business, kind, at);
CREATE INDEX searched ON entry (organisation, kind, sequence, branch, outcome, at);
CREATE TABLE subtree (level INTEGER, number BIGINT, hash BYTEA NOT NULL,
    PRIMARY KEY (level, number));
CREATE TABLE seal (owner BIGINT PRIMARY KEY, wrapped BYTEA NOT NULL);
CREATE FUNCTION entries_never_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'entries are never changed or deleted'; END $$;
CREATE TRIGGER entries_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON entry
FOR EACH STATEMENT EXECUTE FUNCTION entries_never_change();
"""


class PostgreSQL:
    """The schema of a journal on a server."""

    def __init__(self, server: Server) -> None:
        self.files = server.files
        self._url = server.url

    def __str__(self) -> str:
        """Where it is, without the password."""
        told = conninfo_to_dict(self._url)
        return f"postgresql://{told.get('host', '')}/{told.get('dbname', '')}"

    def writer(self) -> "PostgreSQLWriter":
        """The writing connection; one session alone has it."""
        self.files.parent.mkdir(parents=True, exist_ok=True)
        connection = self._connect()
        for name, value in SESSION.items():
            connection.execute(_setting(name, value))
        require_durable(connection)
        if connection.execute(LOCK).fetchall() != [(True,)]:
            connection.close()
            raise BadJournal(
                f"{self} is in use by another service; one journal has one writer. "
                "Hint: stop that service, or name another journal."
            )
        return PostgreSQLWriter(connection)

    def reader(self) -> "PostgreSQLReader":
        """A connection that can only read."""
        connection = self._connect()
        connection.execute(_setting("default_transaction_read_only", "on"))
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        return PostgreSQLReader(connection)

    def _connect(self) -> psycopg.Connection[Any]:
        try:
            given: Any = CONNECTION | conninfo_to_dict(self._url)
            return psycopg.connect(**given, autocommit=True)
        except psycopg.Error as error:
            raise BadJournal(
                f"{self} cannot be opened ({said(error)}). "
                "Hint: check that the server runs and lets this user in."
            ) from None


class PostgreSQLReader:
    """A session on the server."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection
        self._numbers = count()

    @property
    def format(self) -> int | None:
        """Format of the journal; None in a schema without one."""
        is_empty = self.value("SELECT to_regclass('journal')") is None
        return None if is_empty else int(self.value("SELECT format FROM journal"))

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """All rows that a statement selects."""
        with _told(self.connection):
            return self.connection.execute(_numbered(statement), values).fetchall()

    def stream(self, statement: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        """The rows that a statement selects, some at a time, in a snapshot."""
        with (
            _told(self.connection),
            self.connection.transaction(),
            self.connection.cursor(f"stream_{next(self._numbers)}") as cursor,
        ):
            cursor.itersize = FETCHED
            yield from cursor.execute(_numbered(statement), values)

    def value(self, statement: str, *values: Any) -> Any:
        """The first value of the first row, if any."""
        found = self.rows(statement, *values)
        return found[0][0] if found else None

    @contextmanager
    def snapshot(self) -> Iterator[object]:
        """Reads at one moment."""
        with _told(self.connection), self.connection.transaction():
            yield self

    def close(self) -> None:
        """Give the connection back."""
        self.connection.close()


class PostgreSQLWriter(PostgreSQLReader):
    """The session that writes, and that holds the lock."""

    def create(self, identity: str) -> None:
        """Make the tables of a new journal."""
        try:
            with self.connection.transaction():
                self.connection.execute(SCHEMA)
                self.connection.execute("INSERT INTO journal VALUES (%s, %s)", (identity, FORMAT))
        except psycopg.Error as error:
            raise BadJournal(
                f"The journal cannot be written ({said(error)}). "
                "Hint: check that its user may create tables, and that the disk has space."
            ) from error

    def begin(self) -> None:
        """Begin a transaction."""
        try:
            self.connection.execute("BEGIN")
        except psycopg.Error as error:
            raise DatabaseRefused(said(error)) from error

    def write(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a statement once for each of ``rows``, in one exchange with the server."""
        with _told(self.connection), self.connection.cursor() as cursor:
            cursor.executemany(_numbered(statement), rows)

    def commit(self) -> None:
        """Make the transaction durable; an error of any kind leaves it unknown."""
        try:
            done = self.connection.execute("COMMIT")
        except psycopg.Error as error:
            raise DatabaseFailed(said(error)) from error
        if done.statusmessage != "COMMIT":
            raise DatabaseFailed(f"the server answered {done.statusmessage} to COMMIT")

    def roll_back(self) -> None:
        """Take the transaction back."""
        with _told(self.connection):
            self.connection.execute("ROLLBACK")

    def forget(self) -> None:
        """Nothing: only the server's own upkeep can overwrite what was deleted (docs/api.md)."""

    def settle(self) -> None:
        """Nothing: the server moves its log by itself."""

    def abandon(self) -> None:
        """End the session, and the lock with it; an open transaction is never committed."""
        self.connection.close()


def require_durable(connection: psycopg.Connection[Any]) -> None:
    """Refuse a server that can lose what it said it committed; raises ``BadJournal``."""
    for name, safe in DURABLE.items():
        ((found,),) = connection.execute(sql.SQL("SHOW {}").format(sql.Identifier(name)))
        if found not in safe:
            raise BadJournal(
                f"The server runs with {name} = {found}, which can lose answered decisions; it "
                f"must be {safe[0]}. Hint: set it in postgresql.conf, or for this database."
            )


@lru_cache(64)
def _numbered(statement: str) -> bytes:
    """A statement as psycopg takes it."""
    return statement.replace("?", "%s").encode()


def _setting(name: str, value: str) -> sql.Composed:
    return sql.SQL("SET {} = {}").format(sql.Identifier(name), sql.Literal(value))


@contextmanager
def _told(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """PostgreSQL's errors before a commit, as the journal knows them."""
    try:
        yield
    except REFUSED as error:
        kind = DatabaseFailed if connection.closed else DatabaseRefused
        raise kind(said(error)) from error
    except psycopg.Error as error:
        raise DatabaseFailed(said(error)) from error
