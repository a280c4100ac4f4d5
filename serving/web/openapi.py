"""The service described for machines: OpenAPI 3.1, its schemas made from the types in use."""

from collections.abc import Iterator
from typing import Any

import msgspec

from serving.desk.erasure import Erasure, ErasureRequest
from serving.desk.history import Since, Whence
from serving.desk.known import KnownBusiness
from serving.desk.outcomes import LoanOutcome, OutcomeRequest
from serving.desk.overrides import ApprovalRequest, DecisionOverride, OverrideRequest
from serving.desk.search import Page, Search
from serving.journal.receipts import Receipt
from serving.wire.problems import KINDS, ProblemDocument
from serving.wire.schemas import (
    API_VERSION,
    DecisionRequest,
    DecisionResponse,
    ModelResponse,
    QuoteRequest,
    QuoteResponse,
)

EXAMPLE = {
    "application_id": "A-2026-000123",
    "business_id": "91330502MA00012379",
    "amount": 300000,
    "term_months": 12,
    "purpose": "stock",
}
QUOTE_EXAMPLE = {
    "business_id": "91330502MA00012379",
    "amount": 200000,
    "term_months": 12,
    "purpose": "stock",
    "guaranteed": True,
    "actions": ["pay_tax_arrears"],
}
OVERRIDE_EXAMPLE = {
    "outcome": "approve",
    "reason_code": "documents_seen",
    "text": "The tax arrears were paid on Monday; the receipt was seen.",
}
APPROVAL_EXAMPLE = {"approved": True, "text": "Receipt and turnover checked with the tax office."}
OUTCOME_EXAMPLE = {
    "decision_id": "dec_1f0c2a9be4d35c7a8e6f0b12",
    "as_of": "2026-10-31",
    "state": "performing",
    "days_past_due": 0,
    "balance": 240000,
}
ERASURE_EXAMPLE = {
    "decision_id": "dec_1f0c2a9be4d35c7a8e6f0b12",
    "text": "Request of the business of 3 March, seven years after repayment.",
}
TYPES = (
    ApprovalRequest,
    DecisionOverride,
    DecisionRequest,
    DecisionResponse,
    Erasure,
    ErasureRequest,
    KnownBusiness,
    LoanOutcome,
    ModelResponse,
    OutcomeRequest,
    OverrideRequest,
    Page,
    ProblemDocument,
    QuoteRequest,
    QuoteResponse,
    Receipt,
    Since,
    Whence,
)
ONLY = {  # codes that one operation alone answers
    "application-already-decided": "decide",
    "override-awaits-approval": "override",
    "override-awaits-nothing": "approve_override",
    "retention-period": "erase_decision",
    "second-person-needed": "approve_override",
}
_RECORDED = (400, 401, 403, 408, 409, 410, 413, 415, 422, 429, 431, 500, 503)
_QUOTED = (400, 401, 403, 408, 413, 415, 422, 429, 431, 500, 503)
_READ = (401, 403, 404, 410, 429, 431, 500, 503)
_TOLD = (401, 403, 429, 431, 500, 503)


def openapi() -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    _, schemas = msgspec.json.schema_components(TYPES, ref_template="#/components/schemas/{name}")
    schemas["DecisionHistory"] = {
        "description": "The decision as answered, what was asked, and what happened since.",
        "allOf": [_ref("DecisionResponse"), _ref("Whence"), _ref("Since")],
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Microloan decisions",
            "version": API_VERSION,
            "description": "Decides loan applications of small businesses. Every answer is durable "
            "before it leaves, and the same request is never decided twice.",
        },
        "paths": {
            "/v1/decisions": {"post": _decide(), "get": _search()},
            "/v1/quotes": {"post": _quote()},
            "/v1/decisions/{decision_id}": {"get": _read()},
            "/v1/decisions/{decision_id}/receipt": {"get": _receipt()},
            "/v1/decisions/{decision_id}/overrides": {"post": _override()},
            "/v1/overrides/{override_id}/approvals": {"post": _approve()},
            "/v1/outcomes": {"post": _report()},
            "/v1/erasures": {"post": _erase()},
            "/v1/businesses/{business_id}": {"get": _business()},
            "/v1/journal/checkpoint": {"get": _checkpoint()},
            "/v1/model": {"get": _model()},
            "/metrics": {"get": _metrics()},
            "/health/live": {"get": _health("Whether the process runs", (200,))},
            "/health/ready": {"get": _health("Whether decisions can be made", (200, 503))},
        },
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "mlk_<id>_<secret>"}
            },
        },
    }


def _decide() -> dict[str, Any]:
    answered = _content("DecisionResponse")
    return _post(
        "decide",
        "Decide an application",
        "The same Idempotency-Key with the same content gets the same answer, byte for byte, for "
        "ever. Missing or stale sources are no errors: they refer the application.",
        "DecisionRequest",
        EXAMPLE,
        {
            "201": {"description": "Decided; also when answered again to the same key", **answered},
            "200": {"description": "Decided before, under another key", **answered},
            **_problems(_RECORDED),
        },
    )


def _quote() -> dict[str, Any]:
    made = {"description": "What would be decided", **_content("QuoteResponse")}
    return _post(
        "quote",
        "Ask what would be decided, without recording anything",
        "For another amount, term, repayment or guarantee, or with actions of the policy done.",
        "QuoteRequest",
        QUOTE_EXAMPLE,
        {"200": made, **_problems(_QUOTED)},
        is_recorded=False,
    )


def _override() -> dict[str, Any]:
    made = {"description": "Recorded", **_content("DecisionOverride")}
    return _post(
        "override",
        "Override a decision",
        "With a reason. Above an amount it awaits the approval of a second person.",
        "OverrideRequest",
        OVERRIDE_EXAMPLE,
        {"201": made, **_problems((*_RECORDED, 404))},
        _in_path("decision_id"),
    )


def _approve() -> dict[str, Any]:
    made = {"description": "Recorded", **_content("DecisionOverride")}
    return _post(
        "approve_override",
        "Approve or refuse an override",
        "As a supervisor who is not the one who overrode.",
        "ApprovalRequest",
        APPROVAL_EXAMPLE,
        {"201": made, **_problems((*_RECORDED, 404))},
        _in_path("override_id"),
    )


def _report() -> dict[str, Any]:
    made = {"description": "Recorded", **_content("LoanOutcome")}
    return _post(
        "report_outcome",
        "Say what became of a loan",
        "The loan is named by the decision that granted it; report as often as it changes.",
        "OutcomeRequest",
        OUTCOME_EXAMPLE,
        {"201": made, **_problems((*_RECORDED, 404))},
    )


def _erase() -> dict[str, Any]:
    made = {"description": "Erased", **_content("Erasure")}
    return _post(
        "erase_decision",
        "Erase the content of a decision",
        "Once it need not be kept any more. That it was made, and when, stays proved.",
        "ErasureRequest",
        ERASURE_EXAMPLE,
        {"201": made, "200": made, **_problems((*_RECORDED, 404))},
    )


def _search() -> dict[str, Any]:
    found = {"description": "A page, newest first", **_content("Page")}
    return _get(
        "search_decisions",
        "Find decisions by business, branch, outcome and day",
        {"200": found, **_problems((*_TOLD, 422))},
        *_in_query(),
    )


def _read() -> dict[str, Any]:
    found = {"description": "The decision", **_content("DecisionHistory")}
    return _get(
        "read_decision",
        "Read a decision as it was answered, and what happened since",
        {"200": found, **_problems(_READ)},
        _in_path("decision_id"),
    )


def _receipt() -> dict[str, Any]:
    made = {"description": "The proof", **_content("Receipt")}
    return _get(
        "read_receipt",
        "Proof that a decision stands in the journal",
        {"200": made, **_problems(_READ)},
        _in_path("decision_id"),
    )


def _business() -> dict[str, Any]:
    found = {"description": "Records by department", **_content("KnownBusiness")}
    return _get(
        "read_business",
        "What is known of a business, by department, with dates",
        {"200": found, **_problems((401, 403, 404, 429, 431, 500, 503))},
        _in_path("business_id"),
    )


def _checkpoint() -> dict[str, Any]:
    note = {"text/plain": {"schema": {"type": "string"}}}
    return _get(
        "read_checkpoint",
        "The journal's signed checkpoint, to be kept elsewhere",
        {"200": {"description": "A signed note (C2SP)", "content": note}, **_problems(_TOLD)},
    )


def _metrics() -> dict[str, Any]:
    text = {"text/plain": {"schema": {"type": "string"}}}
    return _get(
        "read_metrics",
        "Counters for Prometheus",
        {"200": {"description": "Metrics", "content": text}, **_problems(_TOLD)},
    )


def _model() -> dict[str, Any]:
    return _get(
        "read_model",
        "The model and the policy that decide now",
        {
            "200": {"description": "Model and policy", **_content("ModelResponse")},
            **_problems(_TOLD),
        },
    )


def _health(summary: str, statuses: tuple[int, ...]) -> dict[str, Any]:
    content = {"application/json": {"schema": {"type": "boolean"}}}
    answers = {str(status): {"description": summary, "content": content} for status in statuses}
    return {"summary": summary, "responses": answers}


def _post(
    name: str,
    summary: str,
    description: str,
    body: str,
    example: dict[str, Any],
    responses: dict[str, Any],
    *parameters: dict[str, Any],
    is_recorded: bool = True,
) -> dict[str, Any]:
    key = {
        "name": "Idempotency-Key",
        "in": "header",
        "required": True,
        "description": "Made and stored by the caller before sending.",
        "schema": {"type": "string", "pattern": "^[!#-~]{16,128}$"},
        "example": "5f0c6f0e-2f5b-4c41-a8a5",
    }
    content = {"application/json": {"schema": _ref(body), "example": example}}
    return {
        "operationId": name,
        "summary": summary,
        "description": description,
        "security": [{"key": []}],
        "parameters": [*([key] if is_recorded else []), *parameters],
        "requestBody": {"required": True, "content": content},
        "responses": _own(name, responses),
    }


def _get(
    name: str, summary: str, responses: dict[str, Any], *parameters: dict[str, Any]
) -> dict[str, Any]:
    given = {"parameters": list(parameters)} if parameters else {}
    return {
        "operationId": name,
        "summary": summary,
        "security": [{"key": []}],
        **given,
        "responses": _own(name, responses),
    }


def _own(name: str, responses: dict[str, Any]) -> dict[str, Any]:
    """The responses in order, without the codes that other operations alone answer."""
    return {
        status: {
            **said,
            "description": ", ".join(
                part for part in said["description"].split(", ") if ONLY.get(part, name) == name
            ),
        }
        for status, said in sorted(responses.items())
    }


def _in_path(name: str) -> dict[str, Any]:
    schema = {"type": "string", "minLength": 1}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _in_query() -> Iterator[dict[str, Any]]:
    schema = msgspec.json.schema(Search)
    for name, said in schema["$defs"]["Search"]["properties"].items():
        options = said.pop("anyOf", [{}])  # what may be absent may be null, but not in a query
        kind = {**options[0], **said}
        if kind.get("default", 0) is None:
            del kind["default"]
        yield {"name": name, "in": "query", "schema": kind}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _content(name: str) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": _ref(name)}}}


def _problems(statuses: tuple[int, ...]) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": _ref("ProblemDocument")}}
    return {str(status): {"description": _codes(status), "content": content} for status in statuses}


def _codes(status: int) -> str:
    return ", ".join(code for code, kind in KINDS.items() if kind.status == status)
