"""A journal in a file: locked, full, on a failing disk, or opened so that it could lose."""

import gc
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from serving.journal import database
from serving.journal.database import BadJournal
from serving.journal.entries import Stored
from serving.journal.journal import Journal
from serving.journal.reading import entries, verify
from serving.journal.refusals import JournalUnavailable, OutcomeUnknown, QueueFull
from serving.journal.sqlite import SQLiteWriter, open_durable, require_durable
from tests.serving.test_journal import entry, wait

STRANGER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def locked_by_a_stranger(path: Path) -> Iterator[None]:
    """Another process (locks do not bind the process that holds them) holds the write lock."""
    command = [sys.executable, "-c", STRANGER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as stranger:
        assert stranger.stdout is not None
        assert stranger.stdout.readline() == b"held\n"
        yield
        stranger.communicate()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    opened = Journal(path)
    yield opened
    opened.close()


def test_concurrent_entries_share_a_commit(path: Path) -> None:
    syncs: list[int] = []
    with faulty_disk(syncs.append):
        journal = Journal(path, waiting=1000, batch=100)
        before = len(syncs)
        futures = [journal.append(entry(number)) for number in range(500)]
        [wait(future) for future in futures]
        assert len(syncs) - before < 100
        journal.close()


def test_a_full_queue_refuses_at_once(path: Path) -> None:
    journal = Journal(path, waiting=2)
    futures: list[Future[Stored]] = []
    with locked_by_a_stranger(path), pytest.raises(QueueFull):
        futures.extend(journal.append(entry(number)) for number in range(50))
    journal.close()
    assert all(future.done() for future in futures)


def test_a_locked_journal_refuses_within_its_patience_and_recovers(
    journal: Journal, path: Path
) -> None:
    assert database.BUSY_MS <= 500  # two waits in a row stay below a second
    with locked_by_a_stranger(path), pytest.raises(JournalUnavailable):
        wait(journal.append(entry(1)))
    assert wait(journal.append(entry(1))).sequence == 1
    assert not journal.failed


def test_a_full_disk_refuses_writes_keeps_reads_and_recovers(journal: Journal, path: Path) -> None:
    first = wait(journal.append(entry(1)))
    writer = journal._written.writer
    assert isinstance(writer, SQLiteWriter)
    pages = writer.connection.pragma("page_count")
    writer.connection.pragma("max_page_count", pages)
    with pytest.raises(JournalUnavailable, match="full"):
        wait(journal.append(entry(2, record=b"x" * 100_000)))
    assert journal.by_key(b"key 1") == first
    writer.connection.pragma("max_page_count", 10**6)
    assert wait(journal.append(entry(2, record=b"x" * 100_000))).sequence == 2
    assert verify(path)[0].size == 2


class FaultyFile(apsw.VFSFile):
    """A file of a disk whose flushes and writes are reported, and may fail."""

    def __init__(
        self,
        vfs: str,
        name: object,
        flags: list[int],
        on_sync: Callable[[], None],
        on_write: Callable[[], None],
    ) -> None:
        super().__init__(vfs, name, flags)
        self._on_sync, self._on_write = on_sync, on_write

    def xWrite(self, content: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        self._on_write()
        super().xWrite(content, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        self._on_sync()
        super().xSync(flags)


class FaultyDisk(apsw.VFS):
    """A disk that calls ``on_sync`` with the number of each flush, ``on_write`` at each write."""

    def __init__(self, on_sync: Callable[[int], None], on_write: Callable[[], None]) -> None:
        self._count, self._on_sync, self._on_write = 0, on_sync, on_write
        super().__init__("faulty", "", makedefault=False)

    def xOpen(self, name: object, flags: list[int]) -> FaultyFile:  # noqa: N802
        return FaultyFile("unix", name, flags, self._sync, self._on_write)

    def _sync(self) -> None:
        self._count += 1
        self._on_sync(self._count)


@contextmanager
def faulty_disk(
    on_sync: Callable[[int], None] = lambda _: None, on_write: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """While open, every database opened lives on a disk that reports its flushes and writes."""
    disk = FaultyDisk(on_sync, on_write)
    apsw.set_default_vfs("faulty")
    yield
    apsw.set_default_vfs("unix")
    gc.collect()  # what a failed journal left open goes now, not in the midst of another test
    disk.unregister()


def test_a_read_only_disk_refuses_writes_keeps_reads_and_recovers(path: Path) -> None:
    read_only = False

    def refuse() -> None:
        if read_only:
            raise apsw.ReadOnlyError("the disk was remounted")

    with faulty_disk(on_write=refuse):
        journal = Journal(path)
        first = wait(journal.append(entry(1)))
        read_only = True
        with pytest.raises(JournalUnavailable, match="remounted"):
            wait(journal.append(entry(2)))
        assert journal.by_key(b"key 1") == first
        assert not journal.failed
        read_only = False
        assert wait(journal.append(entry(2))).sequence == 2
        journal.close()
    assert verify(path)[0].size == 2


def test_a_backup_taken_while_it_writes_is_whole_and_holds_what_was_answered(
    path: Path, tmp_path: Path
) -> None:
    journal = Journal(path, waiting=1000)
    answered = [wait(journal.append(entry(number))) for number in range(20)]
    later = [journal.append(entry(number)) for number in range(20, 400)]
    restored = tmp_path / "restored.db"
    source, copy = sqlite3.connect(path), sqlite3.connect(restored)
    source.backup(copy)
    source.close()
    copy.close()
    shutil.copy2(tmp_path / "journal.db.key", tmp_path / "restored.db.key")
    [wait(future) for future in later]
    journal.close()
    assert list(entries(restored))[:20] == answered
    again = Journal(restored)
    assert again.size >= 20
    again.close()
    assert verify(restored)[0].size == again.size


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # its disk is gone
def test_a_failed_flush_is_unknown_and_nothing_is_tried_again(path: Path) -> None:
    broken = False

    def fail(_: int) -> None:
        if broken:
            raise apsw.IOError("the disk failed")

    failures: list[str] = []
    with faulty_disk(fail):
        journal = Journal(path, on_failure=failures.append)
        first = wait(journal.append(entry(1)))
        broken = True
        with pytest.raises(OutcomeUnknown):
            wait(journal.append(entry(2)))
        broken = False  # the disk seems well again: it must not be trusted
        with pytest.raises(JournalUnavailable):
            wait(journal.append(entry(3)))
        assert len(failures) == 1
        journal.close()
    reopened = Journal(path)
    assert reopened.by_key(b"key 1") == first
    assert reopened.by_key(b"key 3") is None
    again = reopened.by_key(b"key 2") or wait(reopened.append(entry(2)))
    assert again.record == entry(2).record
    reopened.close()
    assert verify(path)[0].size == 2


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # its disk is gone
@pytest.mark.parametrize("nth", range(1, 9))
def test_whichever_flush_fails_no_answered_entry_is_lost(path: Path, nth: int) -> None:
    Journal(path).close()
    answered = []

    def fail(count: int) -> None:
        if count == nth:
            raise apsw.IOError("the disk failed")

    with faulty_disk(fail):
        journal = Journal(path)
        for number in range(12):
            try:
                answered.append(wait(journal.append(entry(number))))
            except (OutcomeUnknown, JournalUnavailable):
                break
        assert journal.failed
        journal.close()
    assert verify(path)[0].size in (len(answered), len(answered) + 1)
    assert list(entries(path))[: len(answered)] == answered


@pytest.mark.parametrize(("pragma", "value"), [("synchronous", 1), ("synchronous", 0)])
def test_a_setting_that_can_lose_decisions_is_refused(path: Path, pragma: str, value: int) -> None:
    connection = open_durable(path)
    connection.pragma(pragma, value)
    with pytest.raises(BadJournal, match=f"{pragma} = {value}"):
        require_durable(connection)


def test_a_sqlite_that_can_corrupt_its_log_is_refused(path: Path) -> None:
    with pytest.raises(BadJournal, match="newer apsw"):
        require_durable(open_durable(path), sqlite=3_051_002)


@pytest.mark.parametrize("change", ["UPDATE entry SET revision = 9", "DELETE FROM entry"])
def test_the_database_itself_refuses_changes(path: Path, change: str) -> None:
    journal = Journal(path)
    wait(journal.append(entry(1)))
    journal.close()
    with pytest.raises(sqlite3.IntegrityError, match="never"):
        sqlite3.connect(path).execute(change)


def test_garbage_is_no_journal(path: Path) -> None:
    path.write_bytes(b"not a database at all" * 500)
    with pytest.raises(BadJournal, match="Hint"):
        Journal(path)
