"""How long requests take in a worker, lately, and so how long the next one would wait."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

WEIGHT = 0.05  # of the newest request in the moving mean


class Pace:
    """A moving mean of seconds; a new service knows none and expects no wait.

    Workers that end at once may overwrite each other's share, which costs a request of many.
    """

    def __init__(self, workers: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._workers = workers
        self._monotonic = monotonic
        self._seconds = 0.0

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Count what is done within, whatever becomes of it."""
        began = self._monotonic()
        try:
            yield
        finally:
            taken = self._monotonic() - began
            self._seconds += WEIGHT * (taken - self._seconds) if self._seconds else taken

    def wait(self, running: int) -> float:
        """Seconds until a request begins that comes when so many run or wait."""
        ahead = max(running - self._workers + 1, 0)
        return ahead * self._seconds / self._workers
