"""The service described for machines: OpenAPI 3.1, its schemas made from the types in use."""

from typing import Any

import msgspec

from serving.problems import KINDS, ProblemDocument
from serving.schemas import API_VERSION, DecisionRequest, DecisionResponse, ModelResponse

EXAMPLE = {
    "application_id": "A-2026-000123",
    "business_id": "91330502MA00012379",
    "amount": 300000,
    "term_months": 12,
    "purpose": "stock",
}
_POST_PROBLEMS = (400, 401, 403, 408, 409, 413, 415, 422, 431, 500, 503)
_GET_PROBLEMS = (401, 403, 404, 431, 500)


def openapi() -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    types = (DecisionRequest, DecisionResponse, ModelResponse, ProblemDocument)
    _, schemas = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Microloan decisions",
            "version": API_VERSION,
            "description": "Decides loan applications of small businesses. Every answer is durable "
            "before it leaves, and the same request is never decided twice.",
        },
        "paths": {
            "/v1/decisions": {"post": _decide()},
            "/v1/decisions/{decision_id}": {"get": _read()},
            "/v1/model": {"get": _model()},
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
    return {
        "operationId": "decide",
        "summary": "Decide an application",
        "description": "The same Idempotency-Key with the same content gets the same answer, byte "
        "for byte, for ever. Missing or stale sources are no errors: they refer the application.",
        "security": [{"key": []}],
        "parameters": [
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": True,
                "description": "Made and stored by the caller before sending.",
                "schema": {"type": "string", "minLength": 16, "maxLength": 128},
                "example": "5f0c6f0e-2f5b-4c41-a8a5",
            }
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": _ref("DecisionRequest"), "example": EXAMPLE}
            },
        },
        "responses": {
            "201": {"description": "Decided; also when answered again to the same key", **answered},
            "200": {"description": "Decided before, under another key", **answered},
            **_problems(_POST_PROBLEMS),
        },
    }


def _read() -> dict[str, Any]:
    parameter = {
        "name": "decision_id",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "minLength": 1},
    }
    return {
        "operationId": "read_decision",
        "summary": "Read a decision as it was answered",
        "security": [{"key": []}],
        "parameters": [parameter],
        "responses": {
            "200": {"description": "The decision", **_content("DecisionResponse")},
            **_problems(_GET_PROBLEMS),
        },
    }


def _model() -> dict[str, Any]:
    return {
        "operationId": "read_model",
        "summary": "The model and the policy that decide now",
        "security": [{"key": []}],
        "responses": {
            "200": {"description": "Model and policy", **_content("ModelResponse")},
            **_problems((401, 403, 431, 500)),
        },
    }


def _health(summary: str, statuses: tuple[int, ...]) -> dict[str, Any]:
    content = {"application/json": {"schema": {"type": "boolean"}}}
    answers = {str(status): {"description": summary, "content": content} for status in statuses}
    return {"summary": summary, "responses": answers}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _content(name: str) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": _ref(name)}}}


def _problems(statuses: tuple[int, ...]) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": _ref("ProblemDocument")}}
    return {str(status): {"description": _codes(status), "content": content} for status in statuses}


def _codes(status: int) -> str:
    return ", ".join(code for code, kind in KINDS.items() if kind.status == status)
