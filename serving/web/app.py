"""The routes, and who may use each."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.desk.overrides import Overrides
from serving.desk.service import DecisionService
from serving.web.envelope import Envelope
from serving.web.handlers import Handlers
from serving.web.keys import SCOPES, Key
from serving.web.keys import Scope as Right
from serving.web.metrics import Metrics
from serving.web.oidc import Authenticator
from serving.web.provider import Provider
from serving.web.rates import Rate, Rates
from serving.wire.problems import Problem
from serving.wire.schemas import BACKDATING

Rights = tuple[Right, ...] | None
Handler = Callable[[Request, Any], Awaitable[Response]]

REFRESH_SECONDS = 1.0
CHECKPOINT_SECONDS = 60.0
SECOND_PERSON_ABOVE = 300_000  # yuan asked for
RETENTION_YEARS = 5
PER_SECOND = 5000.0
BURST_SECONDS = 2.0  # what a key did not ask may come at once, so far back
FAILURES = Rate(per_second=0.1, burst=5)  # by address: the sixth in a row is throttled
OPEN: Rights = None
MAY_DECIDE: Rights = ("officer", "supervisor")
MAY_APPROVE: Rights = ("supervisor",)
MAY_READ: Rights = ("officer", "supervisor", "auditor")
MAY_ERASE: Rights = ("operator",)
MAY_WATCH: Rights = ("operator", "auditor")


def create_app(
    service: DecisionService,
    keys: Authenticator,
    *,
    clock: Callable[[], datetime],
    request_id: Callable[[], str],
    second_person_above: int = SECOND_PERSON_ABOVE,
    retention_years: int = RETENTION_YEARS,
    backdating: timedelta = BACKDATING,
    per_second: float = PER_SECOND,
    failures: Rate = FAILURES,
    provider: Provider | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> ASGIApp:
    """The service as an ASGI application.

    Above an amount (yuan) two people override; before so many years nothing is erased; no
    application is dated back further than ``backdating``. A key asks ``per_second`` times in the
    long run, and an address fails to name one as often as ``failures`` says.
    """
    metrics = Metrics(service.journal, lambda: service.is_ready, service.rows_from)
    overrides = Overrides(service.recorder, second_person_above)
    handle = Handlers(service, overrides, metrics, clock, retention_years, backdating)

    door = Door(keys, clock, Rates(monotonic), per_second, failures)

    def route(method: str, path: str, scopes: Rights, handler: Handler) -> Route:
        return Route(path, Guarded(door, scopes, handler, metrics, path), methods=[method])

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
        route("GET", "/", OPEN, handle.home),
        route("GET", "/console/", OPEN, handle.console),
        route("GET", "/console/{name}", OPEN, handle.console),
        route("GET", "/docs", OPEN, handle.docs),
        route("GET", "/problems/{code}", OPEN, handle.problem),
    ]
    lifespan = _refreshing(service, provider)
    router = Router(routes, redirect_slashes=False, default=_nowhere, lifespan=lifespan)
    return Envelope(router, request_id, metrics.problems)


class Door:
    """Who may come in, and how often.

    Only failures are held against an address: whoever has a key gets in from wherever others fail.
    """

    def __init__(
        self,
        keys: Authenticator,
        clock: Callable[[], datetime],
        rates: Rates,
        per_second: float,
        failures: Rate,
    ) -> None:
        self._keys = keys
        self._clock = clock
        self._rates = rates
        self._per_second = per_second
        self._failures = failures

    def holder(self, request: Request, scopes: tuple[Right, ...]) -> Key:
        """Whoever asks, with a right to one of ``scopes``. Raises ``Problem``."""
        given = request.headers.getlist("authorization")
        key = self._keys.authenticate(given[0], self._clock()) if len(given) == 1 else None
        if key is None:
            address = request.client.host if request.client else ""
            self._count(f"failed {address}", self._failures)
            raise Problem("unauthenticated")
        per_second = min(key.per_second or self._per_second, self._per_second)
        self._count(key.id, Rate(per_second, max(1.0, BURST_SECONDS * per_second)))
        if not set(key.scopes) & set(scopes):
            raise Problem("scope-not-allowed")
        return key

    def _count(self, caller: str, rate: Rate) -> None:
        if wait := self._rates.take(caller, rate):
            raise Problem("rate-limited", after=math.ceil(wait))


class Guarded:
    """An endpoint behind a key with one of ``scopes``; None leaves it open.

    The check stands on the matched route itself: no wording of a path can get around it.
    """

    def __init__(
        self, door: Door, scopes: Rights, handler: Handler, metrics: Metrics, path: str
    ) -> None:
        self.scopes = scopes
        self._door = door
        self._handler = handler
        self._seconds = metrics.seconds.labels(path)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        with self._seconds.time():
            request = Request(scope, receive)
            key = self._door.holder(request, self.scopes) if self.scopes else None
            response = await self._handler(request, key)
        await response(scope, receive, send)


def _refreshing(
    service: DecisionService, provider: Provider | None
) -> Callable[[Any], AbstractAsyncContextManager[None]]:
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
        if provider:
            tasks.append(asyncio.create_task(every(REFRESH_SECONDS, provider.refresh)))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()

    return lifespan


async def _nowhere(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise Problem("not-found")
