"""What can go wrong with a request, as RFC 9457 problem documents; the input is never echoed."""

from typing import Literal, NamedTuple

import msgspec

TYPE = "/problems/"  # relative to the service, which explains each code there

Decided = Literal[False, "unknown"]


class Kind(NamedTuple):
    """A kind of problem: its status and title, what it means, and what the caller may do.

    ``decided`` is False if certainly nothing was decided, "unknown" if only a retry with the same
    key can tell. ``after`` is the wait before a retry, in seconds; None if the same request will
    not fare better.
    """

    status: int
    title: str
    meaning: str
    decided: Decided = False
    after: int | None = None


KINDS = {
    "malformed-json": Kind(
        400,
        "The body is not JSON",
        "Not JSON: cut off, NaN, wrong encoding, nested too deep. Mend the body.",
    ),
    "idempotency-key-required": Kind(
        400,
        "An Idempotency-Key of 16 to 128 characters is needed",
        "Make a key, store it, then send; see docs/idempotency.md.",
    ),
    "unauthenticated": Kind(
        401, "A valid API key is needed", "No key, or one that is wrong, revoked or expired."
    ),
    "scope-not-allowed": Kind(
        403, "This key may not do that", "The key has another scope than the route asks for."
    ),
    "second-person-needed": Kind(
        403,
        "Another person has to approve",
        "Who overrides does not approve: a supervisor with another name does.",
    ),
    "not-found": Kind(
        404,
        "There is no such thing here",
        "No such address, or no such decision of your organisation and branch.",
    ),
    "method-not-allowed": Kind(405, "This address takes another method", "Allow says which."),
    "body-too-slow": Kind(
        408, "The body did not arrive in time", "The body took more than 10 seconds.", after=0
    ),
    "request-in-progress": Kind(
        409,
        "The same request is being decided",
        "The same request, or another of the same business, is being decided. Retry in a second.",
        after=1,
    ),
    "application-already-decided": Kind(
        409,
        "The application was decided with other content",
        "The application was decided with other content; decision_id and Link name the decision.",
    ),
    "override-awaits-approval": Kind(
        409,
        "An override awaits its approval",
        "The last override of this decision has to be approved or refused first.",
    ),
    "override-awaits-nothing": Kind(
        409,
        "The override awaits no approval",
        "It was in force from the start, or was approved or refused already.",
    ),
    "retention-period": Kind(
        409,
        "The decision must still be kept",
        "It is kept for some years from the end of the loan, which has to be reported first; where "
        "nothing was lent, from the decision.",
    ),
    "erased": Kind(
        410,
        "The content was erased",
        "The personal data were erased for good; that the decision was made is still proved.",
    ),
    "payload-too-large": Kind(
        413,
        "The body is too large",
        "More than 64 KiB, or 512 KiB where records may come with a request.",
    ),
    "media-type": Kind(
        415,
        "Only application/json, without encoding, is taken",
        "Only application/json, without Content-Encoding.",
    ),
    "validation-failed": Kind(
        422,
        "A field is not what it must be",
        "errors names every field and its rule: required, type, too-small, too-large, too-short, "
        "too-long, pattern, not-allowed, check-digit, time-zone-required, date-time, date, "
        "in-the-future, too-long-ago, before-the-decision, not-approved, "
        "below-days-past-due, nothing-owed, unknown-field, duplicate-field, invalid.",
    ),
    "idempotency-key-reused": Kind(
        422,
        "The key was used for another request",
        "The key stands for another request. Use a new one.",
    ),
    "rate-limited": Kind(
        429,
        "Too many requests of one caller",
        "The key asked oftener than it may, or too many requests of one address had no valid key. "
        "Nothing was decided. Retry after Retry-After seconds.",
        after=1,
    ),
    "headers-too-large": Kind(
        431, "The headers are larger than 16 KiB", "More than 16 KiB of headers."
    ),
    "internal": Kind(
        500,
        "The service failed; it was logged",
        "Our mistake, logged under request_id. Retry with the same key.",
        after=2,
        decided="unknown",
    ),
    "overloaded": Kind(
        503,
        "Too many requests are waiting",
        "Too many requests wait, or yours waited too long. Nothing was decided.",
        after=1,
    ),
    "draining": Kind(
        503, "The service is stopping", "The service is stopping. Nothing was decided.", after=2
    ),
    "not-ready": Kind(
        503,
        "The service is not ready",
        "Records or keys cannot be read. Nothing was decided.",
        after=2,
    ),
    "log-unavailable": Kind(
        503,
        "The journal cannot be written",
        "The journal is locked, full or read-only. Nothing was decided.",
        after=2,
    ),
    "outcome-unknown": Kind(
        503,
        "The decision may or may not be recorded",
        "The commit failed. Retry with the same key.",
        after=2,
        decided="unknown",
    ),
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
    decision_id: str | None


class Problem(Exception):
    """Raised anywhere in a request; answered as a problem document."""

    def __init__(
        self,
        code: str,
        detail: str = "",
        errors: tuple[FieldError, ...] = (),
        decision_id: str | None = None,
        after: int | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.kind = KINDS[code]
        self.detail = detail or self.kind.title + "."
        self.errors = errors
        self.decision_id = decision_id
        self.after = self.kind.after if after is None else after

    def document(self, instance: str, request_id: str) -> bytes:
        """The body, as application/problem+json."""
        kind = self.kind
        is_safe = self.after is not None
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
                retry=Retry(safe=is_safe, same_key=is_safe, after_s=self.after),
                errors=self.errors,
                decision_id=self.decision_id,
            )
        )

    def headers(self) -> dict[str, str]:
        """Headers that belong to the problem."""
        found = {"content-type": "application/problem+json"}
        if self.after is not None:
            found["retry-after"] = str(self.after)
        if self.kind.status == 401:
            found["www-authenticate"] = "Bearer"
        if self.decision_id:
            found["link"] = f'</v1/decisions/{self.decision_id}>; rel="related"'
        return found
