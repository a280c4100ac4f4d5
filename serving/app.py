"""The routes: each is thin over the service, and says who may use it."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.docs_page import CONTENT_POLICY, docs_page
from serving.envelope import Envelope, read_body
from serving.keys import SCOPES, Key, Keys
from serving.keys import Scope as Right
from serving.openapi import openapi
from serving.problems import Problem
from serving.schemas import AnsweredPolicy, ModelResponse, answered_model, read_request
from serving.service import Answer, Caller, DecisionService

Rights = tuple[Right, ...] | None
Handler = Callable[[Request, Any], Awaitable[Response]]

LARGEST_BODY = 64 * 1024
REFRESH_SECONDS = 1.0
OPEN: Rights = None
MAY_DECIDE: Rights = ("officer", "supervisor")
MAY_READ: Rights = ("officer", "supervisor", "auditor")
_KEY = re.compile(r'"?([!#-~]{16,128})"?')


def create_app(
    service: DecisionService,
    keys: Keys,
    *,
    clock: Callable[[], datetime],
    request_id: Callable[[], str],
) -> ASGIApp:
    """The service as an ASGI application."""
    handle = _Handlers(service, clock)

    def route(method: str, path: str, scopes: Rights, handler: Handler) -> Route:
        return Route(path, Guarded(keys, clock, scopes, handler), methods=[method])

    routes = [
        route("POST", "/v1/decisions", MAY_DECIDE, handle.decide),
        route("GET", "/v1/decisions/{decision_id}", MAY_READ, handle.read),
        route("GET", "/v1/model", SCOPES, handle.model),
        route("GET", "/health/live", OPEN, handle.live),
        route("GET", "/health/ready", OPEN, handle.ready),
        route("GET", "/openapi.json", OPEN, handle.described),
        route("GET", "/docs", OPEN, handle.docs),
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
        keys: Keys,
        clock: Callable[[], datetime],
        scopes: Rights,
        handler: Handler,
    ) -> None:
        self.scopes = scopes
        self._keys = keys
        self._clock = clock
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        key = None if self.scopes is OPEN else self._authorised(request)
        response = await self._handler(request, key)
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

    def __init__(self, service: DecisionService, clock: Callable[[], datetime]) -> None:
        self._service = service
        self._clock = clock
        self._document = msgspec.json.format(msgspec.json.encode(openapi()), indent=2)
        self._page = docs_page(openapi())

    async def decide(self, request: Request, key: Key) -> Response:
        idempotency_key = _idempotency_key(request)
        body = await read_body(request.scope, request.receive, LARGEST_BODY)
        now = self._clock()
        asked = read_request(body, now)
        answer = await self._service.decide(asked, idempotency_key, _caller(key), now)
        return _answered(answer)

    async def read(self, request: Request, key: Key) -> Response:
        stored = self._service.read(request.path_params["decision_id"], _caller(key))
        return _json(stored.response)

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
    """A lifespan that turns to new bundles and records while the service runs."""

    async def refresh() -> None:
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            await asyncio.to_thread(service.refresh)

    @asynccontextmanager
    async def lifespan(_app: Any) -> AsyncIterator[None]:
        task = asyncio.create_task(refresh())
        try:
            yield
        finally:
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
    return Caller(key.organisation, key.id)


def _answered(answer: Answer) -> Response:
    stored = answer.stored
    response = _json(stored.response, answer.status)
    response.headers["location"] = f"/v1/decisions/{stored.decision_id}"
    response.headers["receipt"] = f"{stored.sequence}:{stored.leaf.hex()}"
    if answer.is_replayed:
        response.headers["idempotency-replayed"] = "true"
    return response


def _json(body: bytes, status: int = 200) -> Response:
    return Response(body, status, media_type="application/json")
