"""One writer at a time: a folder is written by the process that holds its lock."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from features.errors import MicroloanError

LOCK = ".lock"


class AnotherWriter(MicroloanError):
    """Another process writes the same folder; it can be tried again later."""


@contextmanager
def alone(folder: Path, doing: str) -> Iterator[None]:
    """Hold the only right to write ``folder``, which is made if it is not there.

    Raises:
        AnotherWriter: another process is ``doing`` ("ingesting into") that.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AnotherWriter(
                f"Another process is {doing} {folder}. Wait for it to end, then run again."
            ) from None
        yield
