"""One decision for one application: idempotency, the decision itself, and its durable record."""

import asyncio
import hashlib
import hmac
import logging
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import NamedTuple

import msgspec
import polars as pl

from features.errors import MicroloanError
from serving.champion import Champion
from serving.decide import Application
from serving.entries import Entry, Stored
from serving.journal import (
    AlreadyDecided,
    Journal,
    JournalUnavailable,
    OutcomeUnknown,
    QueueFull,
)
from serving.problems import Problem
from serving.records import Records
from serving.replay import Record, decide_with
from serving.rows import evidence
from serving.schemas import API_VERSION, DecisionRequest, answer

_log = logging.getLogger("microloan.serving")

ROUTE = "POST /v1/decisions"


class Caller(NamedTuple):
    """Who asks: the organisation, and the id of its key."""

    organisation: str
    key_id: str


class Answer(NamedTuple):
    """An entry of the journal, and how it came to be answered."""

    stored: Stored
    status: int
    is_replayed: bool


class _Asked(NamedTuple):
    """What identifies a request: its key, its content, and the application it decides."""

    key_hash: bytes
    fingerprint: bytes
    application_id: str
    revision: int


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Bounds that make an overloaded service refuse early instead of answering late."""

    workers: int = 2
    waiting: int = 64
    deadline_s: float = 2.0
    patience_s: float = 0.25


class DecisionService:
    """Decides each application once, whatever the retries, and answers only what is durable."""

    def __init__(
        self,
        champion: Champion,
        records: Records,
        journal: Journal,
        pepper: bytes,
        limits: Limits | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.champion = champion
        self.records = records
        self.journal = journal
        self.is_draining = False
        self._pepper = pepper
        self._limits = limits or Limits()
        self._monotonic = monotonic
        self._running: dict[object, asyncio.Future[None]] = {}
        self._workers = ThreadPoolExecutor(self._limits.workers, thread_name_prefix="decide")

    @property
    def is_ready(self) -> bool:
        """Whether decisions can be made and recorded."""
        return not self.journal.failed and not self.is_draining

    def close(self) -> None:
        """Finish what runs, and close the journal."""
        self.is_draining = True
        self._workers.shutdown()
        self.journal.close()

    def refresh(self) -> None:
        """Turn to a newly published bundle and to newly ingested records; never raises."""
        for part in (self.champion, self.records):
            try:
                part.refresh()
            except Exception:
                _log.exception("%s stays as it is", type(part).__name__.lower())

    async def decide(
        self, request: DecisionRequest, key: str, caller: Caller, now: datetime
    ) -> Answer:
        """Decide ``request``, or answer again what was decided. Raises ``Problem``."""
        asked = self._asked(request, key, caller)
        if answer := await self._earlier(asked, caller):
            return answer
        if self.is_draining:
            raise Problem("draining")
        if len(self._running) // 2 >= self._limits.waiting:
            raise Problem("overloaded")
        finished = asyncio.get_running_loop().create_future()
        places = (asked.key_hash, (asked.application_id, asked.revision))
        self._running.update(dict.fromkeys(places, finished))
        try:
            stored = await self._decide_anew(request, asked, caller, now)
        except AlreadyDecided as known:
            return self._again(known.stored, asked, caller)
        finally:
            for place in places:
                del self._running[place]
            finished.set_result(None)
        return Answer(stored, 201, is_replayed=False)

    def read(self, decision_id: str, caller: Caller) -> Stored:
        """The entry of a decision of the caller's organisation. Raises ``Problem``."""
        stored = self.journal.by_decision(decision_id)
        if stored is None or _organisation(stored) != caller.organisation:
            raise Problem("not-found")
        return stored

    def _asked(self, request: DecisionRequest, key: str, caller: Caller) -> _Asked:
        scope = f"{caller.organisation}\n{ROUTE}\n{key}".encode()
        content = API_VERSION.encode() + b"\n" + request.canonical()
        return _Asked(self._hash(scope), self._hash(content), request.application_id, 0)

    def _hash(self, content: bytes) -> bytes:
        return hmac.new(self._pepper, content, hashlib.sha256).digest()

    async def _earlier(self, asked: _Asked, caller: Caller) -> Answer | None:
        """What was decided under this key or for this application; waits briefly if it is being."""
        until = self._monotonic() + self._limits.patience_s
        place = (asked.application_id, asked.revision)
        while running := self._running.get(asked.key_hash) or self._running.get(place):
            left = until - self._monotonic()
            await asyncio.wait([running], timeout=max(left, 0))
            if not running.done():
                raise Problem("request-in-progress")
        stored = self.journal.by_key(asked.key_hash)
        stored = stored or self.journal.by_application(*place)
        return self._again(stored, asked, caller) if stored else None

    def _again(self, stored: Stored, asked: _Asked, caller: Caller) -> Answer:
        """The same answer to the same request; anything else is told apart by its key."""
        is_same_key = hmac.compare_digest(stored.key_hash, asked.key_hash)
        if hmac.compare_digest(stored.fingerprint, asked.fingerprint) and (
            is_same_key or _organisation(stored) == caller.organisation
        ):
            return Answer(stored, 201 if is_same_key else 200, is_replayed=True)
        if is_same_key:
            raise Problem("idempotency-key-reused")
        is_own = _organisation(stored) == caller.organisation
        link = f'</v1/decisions/{stored.decision_id}>; rel="related"' if is_own else ""
        raise Problem("application-already-decided", link=link)

    async def _decide_anew(
        self, request: DecisionRequest, asked: _Asked, caller: Caller, now: datetime
    ) -> Stored:
        entry = await self._in_worker(lambda: self._entry(request, asked, caller, now))
        try:
            return await asyncio.wrap_future(self.journal.append(entry))
        except QueueFull:
            raise Problem("overloaded") from None
        except JournalUnavailable as error:
            _log.error("journal unavailable: %s", error)
            raise Problem("log-unavailable") from None
        except OutcomeUnknown as error:
            _log.critical("a commit failed, the service stops: %s", error)
            raise Problem("outcome-unknown") from None

    def _in_worker(self, work: Callable[[], Entry]) -> Awaitable[Entry]:
        """Run ``work`` in a thread, unless it had to wait beyond the deadline."""
        until = self._monotonic() + self._limits.deadline_s

        def run() -> Entry:
            if self._monotonic() > until:
                raise Problem("overloaded")
            return work()

        return asyncio.get_running_loop().run_in_executor(self._workers, run)

    def _entry(
        self, request: DecisionRequest, asked: _Asked, caller: Caller, now: datetime
    ) -> Entry:
        bundle, records = self.champion.bundle, self.records
        snapshot = records.snapshot
        application = request.application(now)
        row, sources = evidence(application, self._records_of(application.business_id))
        decision_id = _decision_id(application)
        decision = decide_with(bundle, application, row, sources, now, decision_id)
        record = Record(
            request=request,
            application=application,
            organisation=caller.organisation,
            key_id=caller.key_id,
            row=dict(row),
            sources=dict(sources),
            bundle_id=bundle.id,
            policy_sha256=bundle.policy_version.sha256,
            snapshot=snapshot,
            decided_at=now,
            decision=decision,
        )
        return Entry(
            kind="decision",
            decision_id=decision_id,
            application_id=asked.application_id,
            revision=asked.revision,
            key_hash=asked.key_hash,
            fingerprint=asked.fingerprint,
            record=msgspec.json.encode(record),
            response=answer(decision),
        )

    def _records_of(self, business_id: str) -> dict[str, pl.DataFrame]:
        """A business's records; a store that was replaced meanwhile is opened anew, once."""
        try:
            return self.records.business(business_id)
        except MicroloanError:
            self.records.refresh()
        try:
            return self.records.business(business_id)
        except MicroloanError as error:
            _log.error("records cannot be read: %s", error)
            raise Problem("not-ready") from None


def _decision_id(application: Application) -> str:
    """Name of the one effective decision of an application's revision."""
    named = f"{application.application_id}|{application.revision}"
    return f"dec_{hashlib.sha256(named.encode()).hexdigest()[:24]}"


class _Owner(msgspec.Struct):
    """The part of a record that says whose it is."""

    organisation: str


_OWNER = msgspec.json.Decoder(_Owner)


def _organisation(stored: Stored) -> str:
    return _OWNER.decode(stored.record).organisation
