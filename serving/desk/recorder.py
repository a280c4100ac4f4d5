"""Once per key and place: a request is recorded durably, or answered again as it was recorded."""

import asyncio
import hmac
import logging
import math
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

import msgspec

from serving.desk.caller import Caller
from serving.desk.pace import Pace
from serving.journal.entries import Entry, Kind, Stored
from serving.journal.journal import Journal
from serving.journal.refusals import (
    AlreadyDecided,
    Erased,
    JournalUnavailable,
    OutcomeUnknown,
    QueueFull,
)
from serving.wire.problems import Problem

T = TypeVar("T")

_log = logging.getLogger("microloan.serving")


FORESEEN = 0.5  # of the deadline: who waits twice as long as foreseen is still in time


class Place(NamedTuple):
    """What there is one entry of."""

    decision_id: str
    kind: Kind
    revision: int


class Asked(NamedTuple):
    """What identifies a request: its key, its content, and what it must not race with.

    ``place`` is what the request would fill, if that is known before it is made.
    """

    key_hash: bytes
    fingerprint: bytes
    place: Place | None = None
    alone_with: tuple[object, ...] = ()

    @property
    def locks(self) -> tuple[object, ...]:
        """What is held while the request is being answered."""
        return (self.key_hash, *((self.place,) if self.place else ()), *self.alone_with)


class Answer(NamedTuple):
    """An entry of the journal, and how it came to be answered."""

    stored: Stored
    status: int
    is_replayed: bool


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Bounds that make an overloaded service refuse early instead of answering late."""

    workers: int = 2
    waiting: int = 64
    deadline_s: float = 2.0
    patience_s: float = 0.25


class Recorder:
    """Records each request once, whatever the retries, and answers only what is durable."""

    def __init__(
        self,
        journal: Journal,
        limits: Limits | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.journal = journal
        self.is_draining = False
        self._limits = limits or Limits()
        self._monotonic = monotonic
        self._held: dict[object, asyncio.Future[None]] = {}
        self._running = 0
        self._pace = Pace(self._limits.workers, monotonic)
        self._workers = ThreadPoolExecutor(self._limits.workers, thread_name_prefix="decide")

    def asked(
        self,
        caller: Caller,
        route: str,
        key: str,
        content: bytes,
        place: Place | None = None,
        alone_with: tuple[object, ...] = (),
    ) -> Asked:
        """A request under its idempotency key, which belongs to the caller's branch and a route."""
        scope = f"{caller.organisation}\n{caller.branch}\n{route}\n{key}"
        hashed = self.journal.hashed
        return Asked(hashed(b"key", scope.encode()), hashed(b"content", content), place, alone_with)

    async def once(self, asked: Asked, caller: Caller, make: Callable[[], Entry]) -> Answer:
        """Record what ``make`` returns, or answer again what was recorded. Raises ``Problem``.

        ``make`` runs in a worker, while nothing else holds what the request holds.
        """
        if answer := await self._earlier(asked, caller):
            return answer
        self.demand_room()
        finished = asyncio.get_running_loop().create_future()
        self._running += 1
        self._held.update(dict.fromkeys(asked.locks, finished))
        try:
            stored = await self._record(await self._in_worker(make))
        except AlreadyDecided as known:
            return _again(known.stored, asked, caller)
        finally:
            self._running -= 1
            for lock in asked.locks:
                del self._held[lock]
            finished.set_result(None)
        return Answer(stored, 201, is_replayed=False)

    async def unrecorded(self, work: Callable[[], T]) -> T:
        """What ``work`` returns, run in a worker within the same bounds. Raises ``Problem``."""
        self.demand_room()
        self._running += 1
        try:
            return await self._in_worker(work)
        finally:
            self._running -= 1

    def close(self) -> None:
        """Finish what runs, and close the journal."""
        self.is_draining = True
        self._workers.shutdown()
        self.journal.close()

    def demand_room(self) -> None:
        """Refuse what would wait too long, or in too long a queue. Raises ``Problem``."""
        if self.is_draining:
            raise Problem("draining")
        wait = self._pace.wait(self._running)
        is_late = wait > 0 and wait > FORESEEN * self._limits.deadline_s
        if is_late or self._running >= self._limits.waiting:
            raise Problem("overloaded", after=max(1, math.ceil(wait)))

    async def _earlier(self, asked: Asked, caller: Caller) -> Answer | None:
        """What was recorded under this key or at this place; waits briefly if it is being."""
        until = self._monotonic() + self._limits.patience_s
        while running := next(filter(None, map(self._held.get, asked.locks)), None):
            left = until - self._monotonic()
            await asyncio.wait([running], timeout=max(left, 0))
            if not running.done():
                raise Problem("request-in-progress")
        stored = self.journal.by_key(asked.key_hash)
        if stored is None and asked.place:
            stored = self.journal.at(*asked.place)
        return _again(stored, asked, caller) if stored else None

    async def _record(self, entry: Entry) -> Stored:
        try:
            return await asyncio.wrap_future(self.journal.append(entry))
        except QueueFull:
            raise Problem("overloaded") from None
        except Erased:
            raise Problem("erased") from None
        except JournalUnavailable as error:
            _log.error("journal unavailable: %s", error)
            raise Problem("log-unavailable") from None
        except OutcomeUnknown as error:
            _log.critical("a commit failed, the service stops: %s", error)
            raise Problem("outcome-unknown") from None

    def _in_worker(self, make: Callable[[], T]) -> Awaitable[T]:
        """Run ``make`` in a thread, unless it had to wait beyond the deadline."""
        until = self._monotonic() + self._limits.deadline_s

        def run() -> T:
            if self._monotonic() > until:
                raise Problem("overloaded")
            with self._pace.timed():
                return make()

        return asyncio.get_running_loop().run_in_executor(self._workers, run)


def _again(stored: Stored, asked: Asked, caller: Caller) -> Answer:
    """The same answer to the same request; anything else is told apart by its key."""
    is_same_key = hmac.compare_digest(stored.key_hash, asked.key_hash)
    is_visible = caller.may_see(stored)
    if hmac.compare_digest(stored.fingerprint, asked.fingerprint) and is_visible:
        if stored.is_erased:
            raise Problem("erased")
        return Answer(stored, 201 if is_same_key else 200, is_replayed=True)
    if is_same_key:
        raise Problem("idempotency-key-reused")
    known = stored.decision_id if is_visible else None
    raise Problem("application-already-decided", decision_id=known)
