"""What each route does, once its caller is known to have the right: thin over the service."""

import asyncio
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from features.build import BUSINESS_ZONE
from features.tables import is_credit_code
from serving.console.files import CONTENT_POLICY as CONSOLE_POLICY
from serving.console.files import PAGE, console_files
from serving.desk.caller import Caller
from serving.desk.erasure import ErasureRequest, erase
from serving.desk.history import told
from serving.desk.known import known
from serving.desk.outcomes import OutcomeRequest, report
from serving.desk.overrides import ApprovalRequest, OverrideRequest, Overrides
from serving.desk.search import RULES, Search, find
from serving.desk.service import Answer, DecisionService
from serving.journal.entries import OF_DECISION
from serving.journal.receipts import checkpoint, receipt
from serving.web.docs_page import CONTENT_POLICY, docs_page, problem_page
from serving.web.envelope import read_body
from serving.web.keys import Key
from serving.web.metrics import MEDIA_TYPE, Metrics
from serving.web.openapi import openapi
from serving.wire.bodies import read_json, read_query
from serving.wire.problems import KINDS, Problem
from serving.wire.schemas import (
    AnsweredPolicy,
    ModelResponse,
    answered_model,
    read_quote,
    read_request,
)

ZONE = ZoneInfo(BUSINESS_ZONE)
LARGEST_BODY = 64 * 1024
LARGEST_WITH_RECORDS = 512 * 1024
_KEY = re.compile(r'"?([!#-~]{16,128})"?')


class Handlers:
    """One method a route; the key is None where the route is open."""

    def __init__(
        self,
        service: DecisionService,
        overrides: Overrides,
        metrics: Metrics,
        clock: Callable[[], datetime],
        retention_years: int,
        backdating: timedelta,
    ) -> None:
        self._service = service
        self._retention_years = retention_years
        self._backdating = backdating
        self._overrides = overrides
        self._metrics = metrics
        self._clock = clock
        described = openapi()
        self._document = msgspec.json.format(msgspec.json.encode(described), indent=2)
        self._page = docs_page(described)
        self._console = console_files()

    async def decide(self, request: Request, key: Key) -> Response:
        """Decide an application."""
        idempotency_key = _idempotency_key(request)
        body = await _body(request, LARGEST_WITH_RECORDS)
        now = self._clock()
        asked = read_request(body, now, self._backdating)
        answer = await self._service.decide(asked, idempotency_key, _caller(key), now)
        return self._answered(answer)

    async def quote(self, request: Request, key: Key) -> Response:
        """Say what would be decided; nothing is recorded."""
        self._service.recorder.demand_room()  # nothing is kept of it: refused before it is read
        body = await _body(request, LARGEST_WITH_RECORDS)
        now = self._clock()
        asked = read_quote(body, now, self._backdating)
        return _json(await self._service.quote(asked, _caller(key), now))

    async def override(self, request: Request, key: Key) -> Response:
        """Override a decision."""
        idempotency_key = _idempotency_key(request)
        asked = read_json(await _body(request), OverrideRequest)
        decision = self._service.read(request.path_params["decision_id"], _caller(key))
        answer = await self._overrides.override(
            decision, asked, idempotency_key, _caller(key), self._clock()
        )
        return self._answered(answer)

    async def approve(self, request: Request, key: Key) -> Response:
        """Approve or refuse an override."""
        idempotency_key = _idempotency_key(request)
        asked = read_json(await _body(request), ApprovalRequest)
        override_id = request.path_params["override_id"]
        answer = await self._overrides.approve(
            override_id, asked, idempotency_key, _caller(key), self._clock()
        )
        return self._answered(answer)

    async def outcome(self, request: Request, key: Key) -> Response:
        """Record what became of a loan."""
        idempotency_key = _idempotency_key(request)
        now = self._clock()
        today = now.astimezone(ZONE).date()
        rules = {"as_of": lambda given: "in-the-future" if given > today else ""}
        asked = read_json(await _body(request), OutcomeRequest, rules)
        decision = self._service.read(asked.decision_id, _caller(key))
        answer = await report(
            self._service.recorder, decision, asked, idempotency_key, _caller(key), now
        )
        return self._answered(answer)

    async def erase(self, request: Request, key: Key) -> Response:
        """Erase the content of a decision."""
        idempotency_key = _idempotency_key(request)
        asked = read_json(await _body(request), ErasureRequest)
        decision = self._service.find(asked.decision_id, _caller(key))
        answer = await erase(
            self._service.recorder,
            decision,
            asked,
            idempotency_key,
            _caller(key),
            self._clock(),
            self._retention_years,
        )
        return self._answered(answer)

    async def search(self, request: Request, key: Key) -> Response:
        """Find decisions."""
        wanted = read_query(request.query_params.multi_items(), Search, RULES)
        page = await asyncio.to_thread(find, self._service.journal, wanted, _caller(key))
        return _json(msgspec.json.encode(page))

    async def read(self, request: Request, key: Key) -> Response:
        """The decision as answered, and what happened since."""
        stored = self._service.read(request.path_params["decision_id"], _caller(key))
        return _json(told(self._service.journal.select(OF_DECISION, stored.decision_id)))

    async def receipt(self, request: Request, key: Key) -> Response:
        """Proof that a decision stands in the journal."""
        stored = self._service.read(request.path_params["decision_id"], _caller(key))
        made = await asyncio.to_thread(receipt, self._service.journal, stored)
        return _json(msgspec.json.encode(made))

    async def business(self, request: Request, _key: Key) -> Response:
        """What is known of a business."""
        business_id = request.path_params["business_id"]
        if not is_credit_code(business_id):
            raise Problem("not-found")
        service, today = self._service, self._clock().astimezone(ZONE).date()
        snapshot = service.records.snapshot
        tables = await asyncio.to_thread(service.records_of, business_id)
        return _json(msgspec.json.encode(known(business_id, tables, today, snapshot)))

    async def checkpoint(self, _request: Request, _key: Key) -> Response:
        """The journal's signed checkpoint."""
        note = await asyncio.to_thread(checkpoint, self._service.journal)
        return PlainTextResponse(note)

    async def measured(self, _request: Request, _key: Key) -> Response:
        """Counters for Prometheus."""
        return Response(self._metrics.text(), media_type=MEDIA_TYPE)

    async def home(self, _request: Request, _key: None) -> Response:
        """To the officers' console."""
        return RedirectResponse("/console/")

    async def console(self, request: Request, _key: None) -> Response:
        """A file of the officers' console."""
        file = self._console.get(request.path_params.get("name", PAGE))
        if file is None:
            raise Problem("not-found")
        headers = {"content-security-policy": CONSOLE_POLICY}
        return Response(file.content, media_type=file.media_type, headers=headers)

    async def problem(self, request: Request, _key: None) -> Response:
        """What a problem means, for people."""
        code = request.path_params["code"]
        if code not in KINDS:
            raise Problem("not-found")
        return HTMLResponse(problem_page(code), headers={"content-security-policy": CONTENT_POLICY})

    def _answered(self, answer: Answer) -> Response:
        stored = answer.stored
        if not answer.is_replayed:
            self._metrics.recorded.labels(stored.kind, stored.outcome).inc()
        response = _json(stored.response, answer.status)
        response.headers["location"] = f"/v1/decisions/{stored.decision_id}"
        response.headers["receipt"] = f"{stored.sequence}:{stored.leaf.hex()}"
        if answer.is_replayed:
            response.headers["idempotency-replayed"] = "true"
        return response

    async def model(self, _request: Request, _key: Key) -> Response:
        """The model and the policy that decide now."""
        bundle = self._service.champion.bundle
        body = ModelResponse(
            model=answered_model(bundle.model),
            policy=AnsweredPolicy(bundle.policy.version),
            bundle_id=bundle.id,
            features=tuple(feature.name for feature in bundle.features),
        )
        return _json(msgspec.json.encode(body))

    async def live(self, _request: Request, _key: None) -> Response:
        """Whether the process runs."""
        return _json(b"true")

    async def ready(self, _request: Request, _key: None) -> Response:
        """Whether decisions can be made."""
        return _json(b"true") if self._service.is_ready else _json(b"false", 503)

    async def described(self, _request: Request, _key: None) -> Response:
        """The OpenAPI document."""
        return _json(self._document)

    async def docs(self, _request: Request, _key: None) -> Response:
        """The OpenAPI document for people."""
        return HTMLResponse(self._page, headers={"content-security-policy": CONTENT_POLICY})


def _idempotency_key(request: Request) -> str:
    given = request.headers.getlist("idempotency-key")
    shape = _KEY.fullmatch(given[0]) if len(given) == 1 else None
    if shape is None:
        raise Problem("idempotency-key-required")
    return shape.group(1)


def _caller(key: Key) -> Caller:
    return Caller(key.organisation, key.id, key.name, key.branch)


async def _body(request: Request, most: int = LARGEST_BODY) -> bytes:
    return await read_body(request.scope, request.receive, most)


def _json(body: bytes, status: int = 200) -> Response:
    return Response(body, status, media_type="application/json")
