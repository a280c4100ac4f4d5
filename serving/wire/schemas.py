"""What goes over the wire: strict requests, and answers that round what only auditors see whole."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from scipy.special import expit, logit

from features.request import LARGEST
from features.tables import is_credit_code
from models.gate_record import Override
from serving.decision.adverse import AdverseReason, Status
from serving.decision.decide import Application, Decision, Model
from serving.decision.verdict import Fired
from serving.decision.way_to_yes import Way
from serving.policy.offers import Offer
from serving.policy.policy import Outcome
from serving.wire.bodies import Rules, read_json
from serving.wire.raw_records import RawRecords

API_VERSION = "2026-11-23"
DIGITS = 4  # of probabilities and contributions in answers
NINETY = 1.645  # standard errors either way hold nine in ten
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
BACKDATING = timedelta(days=3)  # a form filled in on Friday is sent on Monday
SKEW = timedelta(minutes=5)  # of the caller's clock


Source = Literal["store", "request"]


class Terms(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A business, and what is asked for."""

    business_id: Annotated[
        str,
        Meta(
            pattern=r"^[0-9A-Z]{18}$",
            description="Unified social credit code (GB 32100-2015, check digit verified)",
        ),
    ]
    amount: Annotated[int, Meta(ge=1, le=LARGEST, description="Amount asked for, whole yuan")]
    term_months: Annotated[int, Meta(ge=1, le=120, description="Term, months")]
    purpose: Annotated[
        Literal["stock", "raw_materials", "wages_rent", "equipment", "other"],
        Meta(description="What the money is for"),
    ]
    repayment: Annotated[
        Literal["bullet", "instalment"],
        Meta(description="Interest monthly and the principal at maturity, or equal instalments"),
    ] = "bullet"
    guaranteed: Annotated[
        bool, Meta(description="Ask with a public guarantee fund behind the loan, for its fee")
    ] = False
    applied_at: (
        Annotated[
            datetime,
            Meta(
                tz=True,
                description="Moment of the application, at most some days ago as the service is "
                "set; the moment of arrival if absent",
            ),
        ]
        | None
    ) = None
    records: Annotated[
        RawRecords | None,
        Meta(description="Decide on these records, and not on those that the bank has"),
    ] = None

    @property
    def source(self) -> Source:
        """Where the records come from that the request is decided on."""
        return "store" if self.records is None else "request"

    def asked_by(self, application_id: str, now: datetime) -> Application:
        """The application of that name, its moment filled in and in UTC."""
        return Application(
            application_id=application_id,
            business_id=self.business_id,
            revision=0,
            amount=self.amount,
            term_months=self.term_months,
            purpose=self.purpose,
            repayment=self.repayment,
            applied_at=(self.applied_at or now).astimezone(UTC),
            guaranteed=self.guaranteed,
        )


class DecisionRequest(Terms, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An application for a loan, to be decided now."""

    application_id: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9._:\-]{1,64}$", description="The caller's name of the application"
        ),
    ]

    def application(self, now: datetime) -> Application:
        """The application, its moment filled in and in UTC."""
        return self.asked_by(self.application_id, now)

    def canonical(self) -> bytes:
        """The same bytes for every spelling of the same request."""
        applied_at = self.applied_at and self.applied_at.astimezone(UTC)
        return msgspec.json.encode(
            msgspec.structs.replace(self, applied_at=applied_at), order="deterministic"
        )


class QuoteRequest(Terms, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A question what would be decided; nothing is recorded."""

    actions: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,63}$")], ...],
        Meta(max_length=20, description="Actions of the policy, taken as done"),
    ] = ()


class AnsweredModel(msgspec.Struct, frozen=True):
    """The model that spoke, and the hash of the features it was made for.

    ``override`` says who lets it serve although the gate did not pass, and why.
    """

    name: str
    version: str
    fingerprint: str
    override: Override | None = None


class AnsweredPolicy(msgspec.Struct, frozen=True):
    """The policy that decided."""

    version: str


class Assessment(msgspec.Struct, frozen=True, kw_only=True):
    """What model and policy say of a request."""

    outcome: Outcome
    probability_of_default: Annotated[float, Meta(ge=0, le=1)]
    probability_between: Annotated[
        tuple[float, float] | None,
        Meta(description="It lies here nine times in ten; null where the scorer cannot tell"),
    ]
    score: Annotated[int, Meta(description="Points; 20 more halve the odds of default")]
    grade: str
    limit: Annotated[int, Meta(ge=0, description="The most the bank would lend now, yuan")]
    rate_bp: Annotated[
        int | None,
        Meta(description="Contract rate of the first offer, basis points a year, simple interest"),
    ]
    instalment: Annotated[
        Decimal | None, Meta(description="Monthly payment of the first offer, yuan")
    ]
    offers: Annotated[
        tuple[Offer, ...],
        Meta(
            description="What each product would lend: largest first, then cheapest after support; "
            "indicative while an officer has yet to decide, none when declined"
        ),
    ]
    ways_to_yes: Annotated[
        tuple[Way, ...],
        Meta(description="Requests that would be approved as they are, and the steps to each"),
    ]
    reasons: Annotated[tuple[AdverseReason, ...], Meta(max_length=4)]
    statuses: Annotated[
        tuple[Status, ...],
        Meta(description="What is outside the scope of products or credit; no reasons of credit"),
    ]
    rules: Annotated[tuple[Fired, ...], Meta(description="Rules of the policy that fired")]
    model: AnsweredModel
    policy: AnsweredPolicy
    bundle_id: str
    decided_at: datetime
    features_from: Annotated[
        Source, Meta(description="Records of the bank's store, or those sent with the request")
    ]
    features_as_of: Annotated[
        dict[str, date | None], Meta(description="Newest day known of each source")
    ]
    api_version: str = API_VERSION


class DecisionResponse(Assessment, frozen=True, kw_only=True):
    """A decision, as answered and as kept."""

    decision_id: str
    application_id: str
    revision: int
    trials: Annotated[
        tuple[str, ...],
        Meta(description="Decisions of this business on other terms in the 30 days before"),
    ]
    approved_before: Annotated[
        tuple[str, ...],
        Meta(description="Approvals of this business that come off its limit"),
    ]


class QuoteResponse(Assessment, frozen=True, kw_only=True):
    """What would be decided now; a quote binds nobody and is kept nowhere."""

    actions: Annotated[tuple[str, ...], Meta(description="Actions taken as done")]


class ModelResponse(msgspec.Struct, frozen=True, kw_only=True):
    """The model and policy that decide now."""

    model: AnsweredModel
    policy: AnsweredPolicy
    bundle_id: str
    features: tuple[str, ...]


def read_request(body: bytes, now: datetime, backdating: timedelta = BACKDATING) -> DecisionRequest:
    """The request in ``body``. Raises ``Problem`` naming fields and rules, never values.

    An application may be dated back by ``backdating``: further back its sources would seem fresh
    that are stale, and what became known since would not be seen.
    """
    return read_json(body, DecisionRequest, _rules(now, backdating))


def read_quote(body: bytes, now: datetime, backdating: timedelta = BACKDATING) -> QuoteRequest:
    """The question in ``body``, as ``read_request``."""
    return read_json(body, QuoteRequest, _rules(now, backdating))


def answer(
    decision: Decision,
    source: Source,
    trials: tuple[str, ...] = (),
    approved_before: tuple[str, ...] = (),
) -> bytes:
    """The body answered for a decision, rounded, with earlier trials and approvals."""
    return msgspec.json.encode(
        DecisionResponse(
            decision_id=decision.decision_id,
            application_id=decision.application_id,
            revision=decision.revision,
            trials=trials,
            approved_before=approved_before,
            **_assessed(decision, source),
        )
    )


def answer_quote(decision: Decision, source: Source, actions: tuple[str, ...]) -> bytes:
    """The body answered for what would be decided, rounded."""
    return msgspec.json.encode(QuoteResponse(actions=actions, **_assessed(decision, source)))


def _rules(now: datetime, backdating: timedelta) -> Rules:
    """What the types of ``Terms`` cannot say."""

    def timely(applied_at: datetime | None) -> str:
        if applied_at is None or now - backdating <= applied_at <= now + SKEW:
            return ""
        return "in-the-future" if applied_at > now else "too-long-ago"

    return {
        "business_id": lambda given: "" if is_credit_code(given) else "check-digit",
        "applied_at": timely,
    }


def _assessed(decision: Decision, source: Source) -> dict[str, Any]:
    """The fields of an ``Assessment``."""
    first = decision.offers[0] if decision.offers else None
    return {
        "outcome": decision.outcome,
        "probability_of_default": round(decision.probability_of_default, DIGITS),
        "probability_between": _between(decision),
        "score": round(decision.score),
        "grade": decision.grade,
        "limit": decision.limit,
        "rate_bp": first.rate_bp if first else None,
        "instalment": first.instalment if first else None,
        "offers": decision.offers,
        "ways_to_yes": decision.ways_to_yes,
        "reasons": tuple(map(_rounded, decision.reasons)),
        "statuses": decision.statuses,
        "rules": decision.rules,
        "model": answered_model(decision.model),
        "policy": AnsweredPolicy(decision.policy.version),
        "bundle_id": decision.model.bundle,
        "decided_at": decision.decided_at,
        "features_from": source,
        "features_as_of": decision.features_as_of,
    }


def _between(decision: Decision) -> tuple[float, float] | None:
    """The 90 % interval of the probability: the log-odds and their standard error, both ways."""
    if decision.doubt is None:
        return None
    log_odds, apart = logit(decision.probability_of_default), NINETY * decision.doubt
    low, high = expit(log_odds - apart), expit(log_odds + apart)
    return round(float(low), DIGITS), round(float(high), DIGITS)


def answered_model(model: Model) -> AnsweredModel:
    """What answers say of a model."""
    return AnsweredModel(model.name, model.version, model.fingerprint, model.override)


def _rounded(reason: AdverseReason) -> AdverseReason:
    if reason.contribution is None:
        return reason
    return msgspec.structs.replace(reason, contribution=round(reason.contribution, DIGITS))
