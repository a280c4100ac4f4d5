"""What goes over the wire: strict requests, and answers that round what only auditors see whole."""

import json
import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from features.tables import is_credit_code
from serving.adverse import AdverseReason
from serving.decide import Application, Decision, Model
from serving.policy import Outcome
from serving.problems import FieldError, Problem
from serving.verdict import Fired

API_VERSION = "2026-11-23"
DIGITS = 4  # of probabilities and contributions in answers
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
SKEW = timedelta(minutes=5)  # of the caller's clock


class DecisionRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An application for a loan, to be decided now."""

    application_id: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9._:-]{1,64}$", description="The caller's name of the application"
        ),
    ]
    business_id: Annotated[
        str,
        Meta(
            pattern=r"^[0-9A-Z]{18}$",
            description="Unified social credit code (GB 32100-2015, check digit verified)",
        ),
    ]
    amount: Annotated[int, Meta(ge=1, le=1_000_000_000, description="Amount asked for, whole yuan")]
    term_months: Annotated[int, Meta(ge=1, le=120, description="Term, months")]
    purpose: Annotated[
        Literal["stock", "raw_materials", "wages_rent", "equipment", "other"],
        Meta(description="What the money is for"),
    ]
    repayment: Annotated[
        Literal["bullet", "instalment"],
        Meta(description="Interest monthly and the principal at maturity, or equal instalments"),
    ] = "bullet"
    applied_at: (
        Annotated[
            datetime,
            Meta(tz=True, description="Moment of the application; the moment of arrival if absent"),
        ]
        | None
    ) = None

    def application(self, now: datetime) -> Application:
        """The application, its moment filled in and in UTC."""
        return Application(
            application_id=self.application_id,
            business_id=self.business_id,
            revision=0,
            amount=self.amount,
            term_months=self.term_months,
            purpose=self.purpose,
            repayment=self.repayment,
            applied_at=(self.applied_at or now).astimezone(UTC),
        )

    def canonical(self) -> bytes:
        """The same bytes for every spelling of the same request."""
        applied_at = self.applied_at and self.applied_at.astimezone(UTC)
        return msgspec.json.encode(
            msgspec.structs.replace(self, applied_at=applied_at), order="deterministic"
        )


class AnsweredModel(msgspec.Struct, frozen=True):
    """The model that spoke, and the hash of the features it was made for."""

    name: str
    version: str
    fingerprint: str


class AnsweredPolicy(msgspec.Struct, frozen=True):
    """The policy that decided."""

    version: str


class DecisionResponse(msgspec.Struct, frozen=True, kw_only=True):
    """A decision, as answered and as kept."""

    decision_id: str
    application_id: str
    revision: int
    outcome: Outcome
    probability_of_default: Annotated[float, Meta(ge=0, le=1)]
    score: Annotated[int, Meta(description="Points; 20 more halve the odds of default")]
    grade: str
    limit: Annotated[int, Meta(ge=0, description="The most the bank would lend now, yuan")]
    reasons: Annotated[tuple[AdverseReason, ...], Meta(max_length=4)]
    rules: Annotated[tuple[Fired, ...], Meta(description="Rules of the policy that fired")]
    model: AnsweredModel
    policy: AnsweredPolicy
    bundle_id: str
    decided_at: datetime
    features_as_of: Annotated[
        dict[str, date | None], Meta(description="Newest day known of each source")
    ]
    api_version: str = API_VERSION


class ModelResponse(msgspec.Struct, frozen=True, kw_only=True):
    """The model and policy that decide now."""

    model: AnsweredModel
    policy: AnsweredPolicy
    bundle_id: str
    features: tuple[str, ...]


_DECODER = msgspec.json.Decoder(DecisionRequest)
_RULES = (
    ("unknown field", "unknown-field"),
    ("missing required field", "required"),
    ("matching regex", "pattern"),
    ("Invalid enum", "not-allowed"),
    ("timezone", "time-zone-required"),
    ("RFC3339", "date-time"),
    ("<=", "too-large"),
    (">=", "too-small"),
    ("Expected", "type"),
)


def read_request(body: bytes, now: datetime) -> DecisionRequest:
    """The request in ``body``. Raises ``Problem`` naming field and rule, never the value."""
    try:
        request = _DECODER.decode(body)
        json.loads(body, object_pairs_hook=_distinct)
    except msgspec.ValidationError as error:
        raise _invalid(*_broken_rule(str(error))) from None
    except _Repeated:
        raise _invalid("", "duplicate-field") from None
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError):
        raise Problem("malformed-json") from None
    if not is_credit_code(request.business_id):
        raise _invalid("/business_id", "check-digit")
    if request.applied_at is not None and not EARLIEST <= request.applied_at <= now + SKEW:
        raise _invalid("/applied_at", "in-the-future-or-before-2000")
    return request


def answer(decision: Decision) -> bytes:
    """The body answered for a decision, rounded."""
    return msgspec.json.encode(
        DecisionResponse(
            decision_id=decision.decision_id,
            application_id=decision.application_id,
            revision=decision.revision,
            outcome=decision.outcome,
            probability_of_default=round(decision.probability_of_default, DIGITS),
            score=round(decision.score),
            grade=decision.grade,
            limit=decision.limit,
            reasons=tuple(map(_rounded, decision.reasons)),
            rules=decision.rules,
            model=answered_model(decision.model),
            policy=AnsweredPolicy(decision.policy.version),
            bundle_id=decision.model.bundle,
            decided_at=decision.decided_at,
            features_as_of=decision.features_as_of,
        )
    )


def answered_model(model: Model) -> AnsweredModel:
    """What answers say of a model."""
    return AnsweredModel(model.name, model.version, model.fingerprint)


class _Repeated(ValueError):
    """An object names a field twice."""


def _distinct(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise _Repeated


def _broken_rule(message: str) -> tuple[str, str]:
    """Pointer and code of msgspec's message, which may quote the caller's words."""
    found = re.search(r" - at `\$\.?([A-Za-z_]*)`$", message)
    missing = re.search(r"missing required field `([a-z_]+)`", message)
    name = found.group(1) if found else missing.group(1) if missing else ""
    code = next((code for words, code in _RULES if words in message), "invalid")
    return (f"/{name}" if name else ""), code


def _invalid(pointer: str, code: str) -> Problem:
    where = pointer or "the body"
    return Problem("validation-failed", f"{where}: {code}.", (FieldError(pointer, code),))


def _rounded(reason: AdverseReason) -> AdverseReason:
    if reason.contribution is None:
        return reason
    return msgspec.structs.replace(reason, contribution=round(reason.contribution, DIGITS))
