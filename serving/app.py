"""The routes: each is thin over the service, and says who may use it."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from features.build import BUSINESS_ZONE
from features.tables import is_credit_code
from serving.bodies import invalid, read_json, read_query
from serving.caller import Caller
from serving.docs_page import CONTENT_POLICY, docs_page, problem_page
from serving.entries import OF_DECISION
from serving.envelope import Envelope, read_body
from serving.erasure import ErasureRequest, erase
from serving.history import told
from serving.keys import SCOPES, Key
from serving.keys import Scope as Right
from serving.known import known
from serving.metrics import MEDIA_TYPE, Metrics
from serving.oidc import Authenticator
from serving.openapi import openapi
from serving.outcomes import OutcomeRequest, report
from serving.overrides import ApprovalRequest, OverrideRequest, Overrides
from serving.problems import KINDS, FieldError, Problem
from serving.receipts import checkpoint, receipt
from serving.schemas import AnsweredPolicy, ModelResponse, answered_model, read_quote, read_request
from serving.search import Search, find
from serving.service import Answer, DecisionService

Rights = tuple[Right, ...] | None
Handler = Callable[[Request, Any], Awaitable[Response]]

ZONE = ZoneInfo(BUSINESS_ZONE)
LARGEST_BODY = 64 * 1024
REFRESH_SECONDS = 1.0
CHECKPOINT_SECONDS = 60.0
SECOND_PERSON_ABOVE = 300_000  # yuan asked for
RETENTION_YEARS = 5
OPEN: Rights = None
MAY_DECIDE: Rights = ("officer", "supervisor")
MAY_APPROVE: Rights = ("supervisor",)
MAY_READ: Rights = ("officer", "supervisor", "auditor")
MAY_ERASE: Rights = ("operator",)
MAY_WATCH: Rights = ("operator", "auditor")
_KEY = re.compile(r'"?([!#-~]{16,128})"?')


def create_app(
    service: DecisionService,
    keys: Authenticator,
    *,
    clock: Callable[[], datetime],
    request_id: Callable[[], str],
    second_person_above: int = SECOND_PERSON_ABOVE,
    retention_years: int = RETENTION_YEARS,
) -> ASGIApp:
    """The service as an ASGI application.

    Above an amount (yuan) two people override; before so many years nothing is erased.
    """
    metrics = Metrics(service.journal, lambda: service.is_ready)
    overrides = Overrides(service.recorder, second_person_above)
    handle = _Handlers(service, overrides, metrics, clock, retention_years)

    def route(method: str, path: str, scopes: Rights, handler: Handler) -> Route:
        return Route(path, Guarded(keys, clock, scopes, handler, metrics, path), methods=[method])

    decision, override = "/v1/decisions/{decision_id}", "/v1/overrides/{override_id}"
    routes = [
        route("POST", "/v1/decisions", MAY_DECIDE, handle.decide),
        route("GET", "/v1/decisions", MAY_READ, handle.search),
        route("POST", "/v1/quotes", MAY_DECIDE, handle.quote),
        route("GET", decision, MAY_READ, handle.read),
        route("GET", f"{decision}/receipt", MAY_READ, handle.receipt),
        route("POST", f"{decision}/overrides", MAY_DECIDE, handle.override),
        route("POST", f"{override}/approvals", MAY_APPROVE, handle.approve),
        route("POST", "/v1/outcomes", MAY_DECIDE, handle.outcome),
        route("POST", "/v1/erasures", MAY_ERASE, handle.erase),
        route("GET", "/v1/businesses/{business_id}", MAY_READ, handle.business),
        route("GET", "/v1/journal/checkpoint", MAY_WATCH, handle.checkpoint),
        route("GET", "/v1/model", SCOPES, handle.model),
        route("GET", "/metrics", MAY_WATCH, handle.measured),
        route("GET", "/health/live", OPEN, handle.live),
        route("GET", "/health/ready", OPEN, handle.ready),
        route("GET", "/openapi.json", OPEN, handle.described),
        route("GET", "/docs", OPEN, handle.docs),
        route("GET", "/problems/{code}", OPEN, handle.problem),
    ]
    lifespan = _refreshing(service)
    router = Router(routes, redirect_slashes=False, default=_nowhere, lifespan=lifespan)
    return Envelope(router, request_id)


class Guarded:
    """An endpoint behind a key with one of ``scopes``; None leaves it open.

    The check stands on the matched route itself: no wording of a path can get around it.
    """

    def __init__(
        self,
        keys: Authenticator,
        clock: Callable[[], datetime],
        scopes: Rights,
        handler: Handler,
        metrics: Metrics,
        path: str,
    ) -> None:
        self.scopes = scopes
        self._keys = keys
        self._clock = clock
        self._handler = handler
        self._seconds = metrics.seconds.labels(path)
        self._problems = metrics.problems

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            with self._seconds.time():
                request = Request(scope, receive)
                key = None if self.scopes is OPEN else self._authorised(request)
                response = await self._handler(request, key)
        except Problem as problem:
            self._problems.labels(problem.code).inc()
            raise
        await response(scope, receive, send)

    def _authorised(self, request: Request) -> Key:
        given = request.headers.getlist("authorization")
        key = self._keys.authenticate(given[0], self._clock()) if len(given) == 1 else None
        if key is None:
            raise Problem("unauthenticated")
        if not set(key.scopes) & set(self.scopes or ()):
            raise Problem("scope-not-allowed")
        return key


class _Handlers:
    """What each route does, once its caller is known to have the right."""

    def __init__(
        self,
        service: DecisionService,
        overrides: Overrides,
        metrics: Metrics,
        clock: Callable[[], datetime],
        retention_years: int,
    ) -> None:
        self._service = service
        self._retention_years = retention_years
        self._overrides = overrides
        self._metrics = metrics
        self._clock = clock
        self._document = msgspec.json.format(msgspec.json.encode(openapi()), indent=2)
        self._page = docs_page(openapi())

    async def decide(self, request: Request, key: Key) -> Response:
        idempotency_key = _idempotency_key(request)
        body = await _body(request)
        now = self._clock()
        asked = read_request(body, now)
        answer = await self._service.decide(asked, idempotency_key, _caller(key), now)
        return self._answered(answer)

    async def quote(self, request: Request, key: Key) -> Response:
        body = await _body(request)
        now = self._clock()
        return _json(await self._service.quote(read_quote(body, now), _caller(key), now))

    async def override(self, request: Request, key: Key) -> Response:
        idempotency_key = _idempotency_key(request)
        asked = read_json(await _body(request), OverrideRequest)
        decision = self._service.read(request.path_params["decision_id"], _caller(key))
        answer = await self._overrides.override(
            decision, asked, idempotency_key, _caller(key), self._clock()
        )
        return self._answered(answer)

    async def approve(self, request: Request, key: Key) -> Response:
        idempotency_key = _idempotency_key(request)
        asked = read_json(await _body(request), ApprovalRequest)
        override_id = request.path_params["override_id"]
        answer = await self._overrides.approve(
            override_id, asked, idempotency_key, _caller(key), self._clock()
        )
        return self._answered(answer)

    async def outcome(self, request: Request, key: Key) -> Response:
        idempotency_key = _idempotency_key(request)
        asked = read_json(await _body(request), OutcomeRequest)
        now = self._clock()
        if asked.as_of > now.astimezone(ZONE).date():
            raise invalid(FieldError("/as_of", "in-the-future"))
        decision = self._service.read(asked.decision_id, _caller(key))
        answer = await report(
            self._service.recorder, decision, asked, idempotency_key, _caller(key), now
        )
        return self._answered(answer)

    async def erase(self, request: Request, key: Key) -> Response:
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
        wanted = read_query(request.query_params.multi_items(), Search)
        page = await asyncio.to_thread(find, self._service.journal, wanted, _caller(key))
        return _json(msgspec.json.encode(page))

    async def read(self, request: Request, key: Key) -> Response:
        stored = self._service.read(request.path_params["decision_id"], _caller(key))
        return _json(told(self._service.journal.select(OF_DECISION, stored.decision_id)))

    async def receipt(self, request: Request, key: Key) -> Response:
        stored = self._service.read(request.path_params["decision_id"], _caller(key))
        made = await asyncio.to_thread(receipt, self._service.journal, stored)
        return _json(msgspec.json.encode(made))

    async def business(self, request: Request, _key: Key) -> Response:
        business_id = request.path_params["business_id"]
        if not is_credit_code(business_id):
            raise Problem("not-found")
        service, today = self._service, self._clock().astimezone(ZONE).date()
        snapshot = service.records.snapshot
        tables = await asyncio.to_thread(service.records_of, business_id)
        return _json(msgspec.json.encode(known(business_id, tables, today, snapshot)))

    async def checkpoint(self, _request: Request, _key: Key) -> Response:
        note = await asyncio.to_thread(checkpoint, self._service.journal)
        return PlainTextResponse(note)

    async def measured(self, _request: Request, _key: Key) -> Response:
        return Response(self._metrics.text(), media_type=MEDIA_TYPE)

    async def problem(self, request: Request, _key: None) -> Response:
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
        bundle = self._service.champion.bundle
        body = ModelResponse(
            model=answered_model(bundle.model),
            policy=AnsweredPolicy(bundle.policy.version),
            bundle_id=bundle.id,
            features=tuple(feature.name for feature in bundle.features),
        )
        return _json(msgspec.json.encode(body))

    async def live(self, _request: Request, _key: None) -> Response:
        return _json(b"true")

    async def ready(self, _request: Request, _key: None) -> Response:
        return _json(b"true") if self._service.is_ready else _json(b"false", 503)

    async def described(self, _request: Request, _key: None) -> Response:
        return _json(self._document)

    async def docs(self, _request: Request, _key: None) -> Response:
        return HTMLResponse(self._page, headers={"content-security-policy": CONTENT_POLICY})


def _refreshing(service: DecisionService) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """A lifespan that turns to new bundles and records, and saves checkpoints of the journal."""

    async def every(seconds: float, work: Callable[[], None]) -> None:
        while True:
            await asyncio.sleep(seconds)
            await asyncio.to_thread(work)

    @asynccontextmanager
    async def lifespan(_app: Any) -> AsyncIterator[None]:
        tasks = [
            asyncio.create_task(every(REFRESH_SECONDS, service.refresh)),
            asyncio.create_task(every(CHECKPOINT_SECONDS, service.save_checkpoint)),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()

    return lifespan


async def _nowhere(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise Problem("not-found")


def _idempotency_key(request: Request) -> str:
    given = request.headers.getlist("idempotency-key")
    shape = _KEY.fullmatch(given[0]) if len(given) == 1 else None
    if shape is None:
        raise Problem("idempotency-key-required")
    return shape.group(1)


def _caller(key: Key) -> Caller:
    return Caller(key.organisation, key.id, key.name, key.branch)


async def _body(request: Request) -> bytes:
    return await read_body(request.scope, request.receive, LARGEST_BODY)


def _json(body: bytes, status: int = 200) -> Response:
    return Response(body, status, media_type="application/json")
