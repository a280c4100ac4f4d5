"""What every exchange has in common: a request id, strict headers, and problems as documents."""

import asyncio
import logging
from collections.abc import Callable, Iterable

from prometheus_client import Counter
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.journal.refusals import JournalUnavailable
from serving.wire.problems import Problem

_log = logging.getLogger("microloan.serving")

LARGEST_HEADERS = 16 * 1024
BODY_SECONDS = 10.0
SECURITY = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "strict-transport-security": "max-age=63072000; includeSubDomains",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_SECURITY = [(name.encode(), value.encode()) for name, value in SECURITY.items()]
_OF_STATUS = {404: "not-found", 405: "method-not-allowed"}


class Envelope:
    """ASGI middleware around the routes; authorisation is not here but on each route."""

    def __init__(self, app: ASGIApp, request_id: Callable[[], str], problems: Counter) -> None:
        self._app = app
        self._request_id = request_id
        self._problems = problems

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["app"] = self  # routes then raise instead of answering in plain text
        request_id = self._request_id()
        is_started = False

        async def send_dressed(message: Message) -> None:
            nonlocal is_started
            if message["type"] == "http.response.start":
                is_started = True
                message["headers"] = _dressed(message["headers"], request_id)
            await send(message)

        try:
            _check_headers(scope)
            await self._app(scope, receive, send_dressed)
        except Exception as error:
            if is_started:
                raise
            problem, headers = _problem(error)
            self._problems.labels(problem.code).inc()
            body = problem.document(scope["path"], request_id)
            response = Response(body, problem.kind.status, headers)
            await response(scope, receive, send_dressed)


def _dressed(headers: Iterable[tuple[bytes, bytes]], request_id: str) -> list[tuple[bytes, bytes]]:
    """``headers`` with the request's id, and with those of ``SECURITY`` that a route left open."""
    given = dict(headers)
    strict = [header for header in _SECURITY if header[0] not in given]
    return [*headers, (b"x-request-id", request_id.encode()), *strict]


def _check_headers(scope: Scope) -> None:
    if sum(len(name) + len(value) for name, value in scope["headers"]) > LARGEST_HEADERS:
        raise Problem("headers-too-large")


def _problem(error: Exception) -> tuple[Problem, dict[str, str]]:
    if isinstance(error, Problem):
        return error, error.headers()
    if isinstance(error, HTTPException) and error.status_code in _OF_STATUS:
        problem = Problem(_OF_STATUS[error.status_code])
        return problem, {**problem.headers(), **(error.headers or {})}
    if isinstance(error, JournalUnavailable):  # of a read; what records says so itself
        _log.error("journal unavailable: %s", error)
        problem = Problem("log-unavailable")
        return problem, problem.headers()
    _log.exception("a request failed", exc_info=error)
    problem = Problem("internal")
    return problem, problem.headers()


async def read_body(scope: Scope, receive: Receive, most: int) -> bytes:
    """The body of a JSON request, at most ``most`` bytes. Raises ``Problem``."""
    headers = Headers(scope=scope)
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if (
        media_type != "application/json"
        or headers.get("content-encoding", "identity") != "identity"
    ):
        raise Problem("media-type")
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > most:
        raise Problem("payload-too-large")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _collect(receive, most)
    except TimeoutError:
        raise Problem("body-too-slow") from None


async def _collect(receive: Receive, most: int) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Problem("malformed-json", "The caller left before the body was whole.")
        body += message.get("body", b"")
        if len(body) > most:
            raise Problem("payload-too-large")
        if not message.get("more_body", False):
            return bytes(body)
