"""The service described for people: one page with nothing to fetch and nothing to run."""

import base64
import hashlib
import json
from collections.abc import Sequence
from html import escape
from typing import Any

from serving.wire.problems import KINDS

_STYLE = """
body {font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: #1c2733}
h1 {font-size: 1.6rem}
h2 {font-size: 1.15rem; border-top: 1px solid #d5dce3; padding-top: 1rem; margin-top: 2rem}
code, pre {font: 14px/1.45 ui-monospace, monospace; background: #f3f6f9}
pre {padding: .8rem; overflow: auto}
table {border-collapse: collapse; width: 100%; margin: .6rem 0; overflow-wrap: anywhere}
td:first-child {white-space: nowrap; overflow-wrap: normal; padding-right: 1.5rem}
th, td {text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid #e4e9ee;
  vertical-align: top}
.method {color: #fff; background: #1f6f8b; padding: .1rem .5rem; border-radius: .2rem;
  font: 600 13px ui-monospace, monospace}
"""
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
CONTENT_POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'; frame-ancestors 'none'"


def docs_page(document: dict[str, Any]) -> str:
    """The document as one page of HTML, with nothing to fetch and nothing to run."""
    operations = "".join(
        _operation(method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )
    schemas = "".join(
        _schema(name, schema) for name, schema in document["components"]["schemas"].items()
    )
    title, said = (escape(document["info"][part]) for part in ("title", "description"))
    return (
        f"{_head(title)}<h1>{title}</h1><p>{said}</p>"
        "<p>Machines read <a href=/openapi.json>/openapi.json</a> (OpenAPI 3.1).</p>"
        f"{operations}<h2>Types</h2>{schemas}"
    )


def problem_page(code: str) -> str:
    """What a problem means and what to do, as a page of HTML."""
    kind = KINDS[code]
    is_certain = kind.decided is False
    decided = "nothing was decided" if is_certain else "not whether anything was decided"
    after = "" if kind.after is None else f" It may be sent again after {kind.after} s."
    return (
        f"{_head(escape(code))}<h1>{kind.status} <code>{escape(code)}</code></h1>"
        f"<p><b>{escape(kind.title)}.</b> {escape(kind.meaning)}</p>"
        f"<p>What is known: {decided}.{after}</p><p><a href=/docs>All routes</a></p>"
    )


def _head(title: str) -> str:
    return (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width, initial-scale=1'>"
        f"<title>{title}</title><style>{_STYLE}</style>"
    )


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    answers = "".join(
        f"<tr><td>{status}<td>{_said(answer['description'])}"
        for status, answer in operation["responses"].items()
    )
    body = operation.get("requestBody")
    example = body["content"]["application/json"]["example"] if body else None
    parameters = operation.get("parameters", ())
    is_recorded = any(each["name"] == "Idempotency-Key" for each in parameters)
    return (
        f"<h2><span class=method>{method.upper()}</span> <code>{escape(path)}</code></h2>"
        f"<p>{escape(operation['summary'])}. {escape(operation.get('description', ''))}</p>"
        f"{_try(path, example, is_recorded=is_recorded) if example else ''}"
        f"{_parameters(parameters)}"
        f"<table><tr><th>Status<th>Meaning{answers}</table>"
    )


def _said(description: str) -> str:
    """A description, in which the code of a problem leads to what it means."""
    parts = (escape(part) for part in description.split(", "))
    return ", ".join(
        f"<a href=/problems/{part}>{part}</a>" if part in KINDS else part for part in parts
    )


def _parameters(parameters: Sequence[dict[str, Any]]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(each['name'])}</code>"
        f"<td>{each['in']}{'' if each.get('required') else ', optional'}"
        f"<td><code>{escape(_type(each['schema']))}</code>"
        f"<td>{escape(each.get('description') or each['schema'].get('description', ''))}"
        for each in parameters
    )
    return f"<table><tr><th>Parameter<th>In<th>Type<th>Meaning{rows}</table>" if rows else ""


def _try(path: str, example: dict[str, Any], *, is_recorded: bool) -> str:
    key = '  -H "Idempotency-Key: $(cat /proc/sys/kernel/random/uuid)" \\\n'
    command = (
        f"curl -s http://127.0.0.1:8000{path} \\\n"
        '  -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" \\\n'
        f"{key if is_recorded else ''}"
        f"  -d '{json.dumps(example, indent=2, ensure_ascii=False)}'"
    )
    return f"<pre>{escape(command)}</pre>"


def _schema(name: str, schema: dict[str, Any]) -> str:
    required = set(schema.get("required", ()))
    fields = "".join(
        f"<tr><td><code>{escape(field)}</code>{'' if field in required else ' (optional)'}"
        f"<td><code>{escape(_type(said))}</code><td>{escape(said.get('description', ''))}"
        for field, said in schema.get("properties", {}).items()
    )
    return f"<h3><code>{escape(name)}</code></h3><table>{fields}</table>"


def _type(said: dict[str, Any]) -> str:
    """A field's type in a few words."""
    if "$ref" in said:
        return str(said["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in said:
        return " or ".join(_type(option) for option in said["anyOf"])
    if "enum" in said:
        return " | ".join(str(value) for value in said["enum"])
    if said.get("type") == "array":
        return f"array of {_type(said.get('items') or {})}"
    return str(said.get("format") or said.get("type", "any"))
