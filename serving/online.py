"""The read side of the online store: what the sources tell of a business, made ahead of requests.

One SQLite file with a row per business, written by ``pipelines.materialise``. A row holds what
``features.spans`` computed for the days of its span; for any other day, and while the records are
not those it was made from, there is no answer and the records themselves must be asked. So a row is
never wrong, only absent.
"""

import logging
import threading
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import apsw
import msgspec

from features.catalog import CATALOG, fingerprint
from features.spans import AGING, LASTING
from features.tables import DATED
from serving.decision.sources import Dates

_log = logging.getLogger("microloan.serving")

FORMAT = 2
CURRENT = "current"  # holds the name of the file that is read
SCHEMA = """
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS standing (
    business_id TEXT PRIMARY KEY, last_day INTEGER NOT NULL, content BLOB NOT NULL) STRICT;
"""
MAPPED_BYTES = 1 << 33  # read through the page cache without a system call

Value = float | str | None
_LASTING = tuple(feature.name for feature in LASTING)
_AGING = tuple(feature.name for feature in AGING)
_DATED = tuple(table.name for table in DATED)


class Standing(msgspec.Struct, frozen=True, array_like=True):
    """What is told of one business from ``first`` (a proleptic ordinal) on, features in order.

    ``dates`` is the newest day of each dated table, which is the same on every day of a span: it
    ends before the next record. Each of ``daily`` is packed; requests read one of them.
    """

    first: int
    lasting: tuple[Value, ...]
    dates: tuple[int | None, ...]
    daily: tuple[bytes, ...]


class Told(NamedTuple):
    """What the sources tell of a business on a day, and the state of the records it is from."""

    features: Mapping[str, Value]
    sources: Dates
    snapshot: str


class Online:
    """The online store, or the lack of one. Threads may share one object."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._name = ""
        self._connection: apsw.Connection | None = None
        self._lock = threading.Lock()
        self.refresh()

    def refresh(self) -> bool:
        """Turn to the file that ``current`` names, if it is another; says whether it did."""
        name = current(self._folder)
        if name == self._name:
            return False
        connection = _open(self._folder / name) if name else None
        with self._lock:
            self._name, self._connection = name, connection
        return True

    @property
    def snapshot(self) -> str:
        """The state of the records the store is from; "" if there is no store."""
        return self._select("SELECT value FROM about WHERE name = 'snapshot'") or ""

    def told(self, business_id: str, day: date) -> Told | None:
        """What the sources tell of a business on a day; None if that was not made ahead."""
        found = self._select(
            "SELECT content, value FROM standing, about"
            " WHERE business_id = ? AND name = 'snapshot'",
            business_id,
        )
        if found is None:
            return None
        content, snapshot = found
        standing = _STANDING.decode(content)
        ahead = day.toordinal() - standing.first
        if not 0 <= ahead < len(standing.daily):
            return None
        features = dict(zip(_LASTING, standing.lasting, strict=True))
        features.update(zip(_AGING, _AGED.decode(standing.daily[ahead]), strict=True))
        days = (None if each is None else date.fromordinal(each) for each in standing.dates)
        return Told(features, dict(zip(_DATED, days, strict=True)), snapshot)

    def _select(self, statement: str, *values: str) -> Any:
        with self._lock:
            if self._connection is None:
                return None
            try:
                return self._connection.execute(statement, values).get
            except apsw.Error as error:
                self._connection = None
                _log.error("the online store is left until there is another: %s", error)
                return None


_STANDING = msgspec.msgpack.Decoder(Standing)
_AGED = msgspec.msgpack.Decoder(tuple[Value, ...])


def current(folder: Path) -> str:
    """Name of the file that is read; "" if there is none."""
    try:
        return (folder / CURRENT).read_text(encoding="ascii")
    except FileNotFoundError:
        return ""


def contract() -> str:
    """What a file must have been written under to be read: its format and the features."""
    return f"{FORMAT} {fingerprint(CATALOG)}"


def _open(path: Path) -> apsw.Connection | None:
    """A reading connection; None if the file cannot be read or is of other features."""
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        connection.pragma("mmap_size", MAPPED_BYTES)
        written = connection.execute("SELECT value FROM about WHERE name = 'contract'").get
    except apsw.Error as error:
        _log.error("the online store cannot be read: %s", error)
        return None
    if written != contract():
        _log.error("the online store was made for other features; run `microloan materialise`")
        return None
    return connection
