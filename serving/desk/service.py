"""Decisions: made with the champion on what is known now, and recorded once."""

import logging
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime

import msgspec
import polars as pl

from features.errors import MicroloanError, UnknownName
from serving.bundles.champion import Champion
from serving.decision.decide import Application
from serving.decision.rows import evidence, finished
from serving.decision.sources import Dates
from serving.desk.approvals import approvals_of
from serving.desk.caller import Caller
from serving.desk.quotes import quote
from serving.desk.recorder import Answer, Asked, Limits, Place, Recorder
from serving.desk.replay import Record, decide_with
from serving.desk.trials import business_hash, terms_of, trials_of
from serving.journal.entries import Entry, Stored, decision_id_of, moment
from serving.journal.journal import Journal
from serving.online import Online
from serving.policy.values import Row
from serving.records import Records
from serving.wire.bodies import invalid
from serving.wire.problems import FieldError, Problem
from serving.wire.raw_records import tables_of
from serving.wire.schemas import (
    API_VERSION,
    DecisionRequest,
    QuoteRequest,
    Terms,
    answer,
    answer_quote,
)

__all__ = ["Answer", "Caller", "DecisionService", "Limits"]

_log = logging.getLogger("microloan.serving")

ROUTE = "POST /v1/decisions"


class DecisionService:
    """Decides each application once, whatever the retries, and answers only what is durable."""

    def __init__(
        self,
        champion: Champion,
        records: Records,
        journal: Journal,
        limits: Limits | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        online: Online | None = None,
    ) -> None:
        self.champion = champion
        self.records = records
        self.online = online
        self.rows_from: Counter[str] = Counter(online=0, records=0, request=0)
        self.journal = journal
        self.recorder = Recorder(journal, limits, monotonic)

    @property
    def is_ready(self) -> bool:
        """Whether decisions can be made and recorded."""
        return not self.journal.failed and not self.recorder.is_draining

    def drain(self) -> None:
        """Take nothing new from now on."""
        self.recorder.is_draining = True

    def close(self) -> None:
        """Finish what runs, and close the journal."""
        self.recorder.close()

    def refresh(self) -> None:
        """Turn to a new bundle, new records and what was made of them; never raises."""
        parts = (self.champion, self.records, self.online)
        for part in (part for part in parts if part is not None):
            try:
                part.refresh()
            except Exception:
                _log.exception("%s stays as it is", type(part).__name__.lower())

    def save_checkpoint(self) -> None:
        """Write the journal's signed checkpoint beside it; never raises."""
        try:
            self.journal.save_checkpoint()
        except Exception:
            _log.exception("the checkpoint stays as it is")

    async def decide(
        self, request: DecisionRequest, key: str, caller: Caller, now: datetime
    ) -> Answer:
        """Decide ``request``, or answer again what was decided. Raises ``Problem``."""
        content = API_VERSION.encode() + b"\n" + request.canonical()
        decision_id = decision_id_of(caller.organisation, request.application_id, 0)
        place = Place(decision_id, "decision", 0)
        business = business_hash(self.journal, caller.organisation, request.business_id)
        asked = self.recorder.asked(caller, ROUTE, key, content, place, alone_with=(business,))
        return await self.recorder.once(
            asked, caller, lambda: self._entry(request, asked, business, caller, now)
        )

    async def quote(self, request: QuoteRequest, caller: Caller, now: datetime) -> bytes:
        """What would be decided now; recorded nowhere. Raises ``Problem``."""
        return await self.recorder.unrecorded(lambda: self._quoted(request, caller, now))

    def find(self, decision_id: str, caller: Caller) -> Stored:
        """The entry of a decision that the caller may see, even if erased. Raises ``Problem``."""
        stored = self.journal.by_decision(decision_id)
        if stored is None or not caller.may_see(stored):
            raise Problem("not-found")
        return stored

    def read(self, decision_id: str, caller: Caller) -> Stored:
        """The entry of a decision that the caller may see. Raises ``Problem``."""
        stored = self.find(decision_id, caller)
        if stored.is_erased:
            raise Problem("erased")
        return stored

    def _entry(
        self,
        request: DecisionRequest,
        asked: Asked,
        business: bytes,
        caller: Caller,
        now: datetime,
    ) -> Entry:
        bundle, snapshot = self.champion.bundle, self.records.snapshot
        application = request.application(now)
        row, sources = self._evidence(request, application, snapshot)
        terms = terms_of(self.journal, request)
        trials = trials_of(self.journal, business, terms, now)
        decision_id = decision_id_of(
            caller.organisation, application.application_id, application.revision
        )
        approvals = approvals_of(self.journal, business, now, bundle.policy.limit.approved_days)
        decision = decide_with(
            bundle, application, row, sources, now, decision_id, trials.changed, approvals.amount
        )
        record = Record(
            request=request,
            application=application,
            organisation=caller.organisation,
            branch=caller.branch,
            by=caller.name,
            key_id=caller.key_id,
            row=dict(row),
            sources=dict(sources),
            bundle_id=bundle.id,
            policy_sha256=bundle.policy_version.sha256,
            snapshot=snapshot if request.records is None else "",
            decided_at=now,
            decision=decision,
            trials=trials,
            approved_before=approvals.decision_ids,
            approved_before_yuan=approvals.amount,
        )
        return Entry(
            kind="decision",
            entry_id=decision_id,
            decision_id=decision_id,
            application_id=application.application_id,
            revision=application.revision,
            organisation=caller.organisation,
            branch=caller.branch,
            business=business,
            terms=terms,
            outcome=decision.outcome,
            at=moment(now),
            key_hash=asked.key_hash,
            fingerprint=asked.fingerprint,
            record=msgspec.json.encode(record),
            response=answer(decision, request.source, trials.decision_ids, approvals.decision_ids),
        )

    def _quoted(self, request: QuoteRequest, caller: Caller, now: datetime) -> bytes:
        application = request.asked_by("quote", now)
        row, sources = self._evidence(request, application, self.records.snapshot)
        business = business_hash(self.journal, caller.organisation, request.business_id)
        trials = trials_of(self.journal, business, terms_of(self.journal, request), now)
        bundle = self.champion.bundle
        approvals = approvals_of(self.journal, business, now, bundle.policy.limit.approved_days)
        try:
            quoted = quote(
                bundle,
                application,
                row,
                sources,
                now,
                actions=request.actions,
                changed_trials=trials.changed,
                approved_before=approvals.amount,
            )
        except UnknownName:
            raise invalid(FieldError("/actions", "not-allowed")) from None
        return answer_quote(quoted, request.source, request.actions)

    def _evidence(
        self, request: Terms, application: Application, snapshot: str
    ) -> tuple[Row, Dates]:
        """Features and dates, made ahead if they were and the records are still the same."""
        business_id = application.business_id
        if request.records is not None:
            self.rows_from["request"] += 1
            return evidence(application, tables_of(business_id, request.records))
        told = self.online and self.online.told(business_id, application.applied_on)
        if told and told.snapshot == snapshot:
            self.rows_from["online"] += 1
            return finished(application, told.features), told.sources
        self.rows_from["records"] += 1
        return evidence(application, self.records_of(business_id))

    def records_of(self, business_id: str) -> dict[str, pl.DataFrame]:
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
