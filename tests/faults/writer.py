"""A process that writes to the real journal from several threads and notes what it was told.

``python -m tests.faults.writer JOURNAL HISTORY MODE FIRST [FILES]`` appends lines ``invoke n``,
``ok n``, ``unknown n`` or ``refused n`` to HISTORY, which lies on another disk than JOURNAL, with n
from FIRST on. JOURNAL is a file or, with FILES beside it, the URL of a server. MODE is ``full`` (as
shipped) or a control that must lose: ``normal`` (commits that do not wait for the disk) or
``early`` (told "ok" before the commit).
"""

import itertools
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from serving.journal import postgresql, sqlite
from serving.journal.database import At, Server
from serving.journal.entries import Entry
from serving.journal.journal import Journal
from serving.journal.refusals import NotRecorded, OutcomeUnknown

THREADS = 8


def entry(number: int) -> Entry:
    """The entry that ``number`` stands for, the same in every process."""
    return Entry(
        kind="decision",
        entry_id=f"dec_{number}",
        decision_id=f"dec_{number}",
        application_id=f"A-{number}",
        revision=0,
        organisation="bank",
        key_hash=f"key {number}".encode(),
        fingerprint=b"fingerprint",
        record=b'{"number": %d, "padding": "%s"}' % (number, b"x" * 2000),
        response=b'{"number": %d}' % number,
    )


def main(at: At, history: Path, mode: str, first: int) -> None:
    """Write until killed."""
    if mode == "normal":
        sqlite.PRAGMAS = {"journal_mode": "wal", "synchronous": 1}
        postgresql.DURABLE = {}
        if isinstance(at, Server):
            at = at._replace(
                url=at.url.replace("synchronous_commit%3Don", "synchronous_commit%3Doff")
            )
    descriptor = os.open(history, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    journal = Journal(at, on_failure=lambda _: threading.Timer(0.3, os._exit, [74]).start())
    numbers = itertools.count(first)

    def note(word: str, number: int) -> None:
        os.write(descriptor, f"{word} {number}\n".encode())

    def work() -> None:
        for number in numbers:
            note("invoke", number)
            note(_append(journal, number, note if mode == "early" else None), number)

    workers = [threading.Thread(target=work, daemon=True) for _ in range(THREADS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def _append(journal: Journal, number: int, note_early: Callable[[str, int], None] | None) -> str:
    """What the journal says of the entry, in one word."""
    try:
        future = journal.append(entry(number))
        if note_early:
            note_early("ok", number)
        future.result()
    except OutcomeUnknown:
        return "unknown"
    except NotRecorded:
        return "refused"
    return "ok"


if __name__ == "__main__":
    journal, history, mode, first, *files = sys.argv[1:]
    main(
        Server(journal, Path(files[0])) if files else Path(journal), Path(history), mode, int(first)
    )
