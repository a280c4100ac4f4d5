"""Open SQLite so that it keeps what it said it wrote, and so that one server alone writes."""

import fcntl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import apsw

from features.errors import MicroloanError
from serving.durable import sync

PRAGMAS: Mapping[str, str | int] = {"journal_mode": "wal", "synchronous": 2}  # 2 is FULL
OLDEST_SQLITE = 3_051_003  # the WAL-reset corruption bug lives from 3.7.0 to 3.51.2
BUSY_MS = 400


class BadJournal(MicroloanError):
    """The journal cannot be opened safely, or its chain is broken."""


def said(error: Exception) -> str:
    """Kind and message of an error, for logs."""
    return f"{type(error).__name__}: {error}"


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
        sync(path.parent)
    return connection


def open_reader(path: Path) -> apsw.Connection:
    """A connection that can only read."""
    try:
        return _connect(path, apsw.SQLITE_OPEN_READONLY)
    except apsw.Error as error:
        raise BadJournal(
            f"{path} cannot be opened ({said(error)}). Hint: check that it exists and is readable."
        ) from error


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
