"""What can go wrong with a request, as RFC 9457 problem documents; the input is never echoed."""

from typing import Literal, NamedTuple

import msgspec

TYPE = "https://microloan.invalid/docs/errors#"  # an identifier; docs/errors.md explains each code


Decided = Literal[False, "unknown"]


class Kind(NamedTuple):
    """A kind of problem: its status and title, and what the caller may do.

    ``decided`` is False if certainly nothing was decided, "unknown" if only a retry with the same
    key can tell. ``after`` is the wait before a retry, in
    seconds; None if the same request will not fare better.
    """

    status: int
    title: str
    decided: Decided = False
    after: int | None = None


KINDS = {
    "malformed-json": Kind(400, "The body is not JSON"),
    "idempotency-key-required": Kind(400, "An Idempotency-Key of 16 to 128 characters is needed"),
    "unauthenticated": Kind(401, "A valid API key is needed"),
    "scope-not-allowed": Kind(403, "This key may not do that"),
    "not-found": Kind(404, "There is no such thing here"),
    "method-not-allowed": Kind(405, "This address takes another method"),
    "body-too-slow": Kind(408, "The body did not arrive in time", after=0),
    "request-in-progress": Kind(409, "The same request is being decided", after=1),
    "application-already-decided": Kind(409, "The application was decided with other content"),
    "payload-too-large": Kind(413, "The body is larger than 64 KiB"),
    "media-type": Kind(415, "Only application/json, without encoding, is taken"),
    "validation-failed": Kind(422, "A field is not what it must be"),
    "idempotency-key-reused": Kind(422, "The key was used for another request"),
    "headers-too-large": Kind(431, "The headers are larger than 16 KiB"),
    "internal": Kind(500, "The service failed; it was logged", "unknown", after=2),
    "overloaded": Kind(503, "Too many requests are waiting", after=1),
    "draining": Kind(503, "The service is stopping", after=2),
    "not-ready": Kind(503, "The service is not ready", after=2),
    "log-unavailable": Kind(503, "The journal cannot be written", after=2),
    "outcome-unknown": Kind(503, "The decision may or may not be recorded", "unknown", after=2),
}


class FieldError(msgspec.Struct, frozen=True):
    """Where in the body the mistake is (JSON pointer), and the rule it breaks."""

    pointer: str
    code: str


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the same request may be sent again, with the same Idempotency-Key, and when."""

    safe: bool
    same_key: bool
    after_s: int | None


class ProblemDocument(msgspec.Struct, frozen=True, kw_only=True):
    """An RFC 9457 problem, with what is known of the decision."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str
    decided: Decided
    retry: Retry
    errors: tuple[FieldError, ...]


class Problem(Exception):
    """Raised anywhere in a request; answered as a problem document."""

    def __init__(
        self, code: str, detail: str = "", errors: tuple[FieldError, ...] = (), link: str = ""
    ) -> None:
        super().__init__(code)
        self.code = code
        self.kind = KINDS[code]
        self.detail = detail or self.kind.title + "."
        self.errors = errors
        self.link = link

    def document(self, instance: str, request_id: str) -> bytes:
        """The body, as application/problem+json."""
        kind = self.kind
        is_safe = kind.after is not None
        return msgspec.json.encode(
            ProblemDocument(
                type=TYPE + self.code,
                title=kind.title,
                status=kind.status,
                detail=self.detail,
                instance=instance,
                code=self.code,
                request_id=request_id,
                decided=kind.decided,
                retry=Retry(safe=is_safe, same_key=is_safe, after_s=kind.after),
                errors=self.errors,
            )
        )

    def headers(self) -> dict[str, str]:
        """Headers that belong to the problem."""
        found = {"content-type": "application/problem+json"}
        if self.kind.after is not None:
            found["retry-after"] = str(self.kind.after)
        if self.kind.status == 401:
            found["www-authenticate"] = "Bearer"
        if self.link:
            found["link"] = self.link
        return found
