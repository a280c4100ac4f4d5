"""Strict reading of what callers send: every broken field is named, and no value is echoed."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from serving.wire.problems import FieldError, Problem

T = TypeVar("T", bound=msgspec.Struct)
Rules = Mapping[str, Callable[[Any], str]]  # by field: the code of the rule it breaks, or ""
NO_RULES: Rules = {}

_STEP = re.compile(r"[a-z0-9_]+")  # of a path as .records.tax_returns[3].months
_RULES = (
    ("unknown field", "unknown-field"),
    ("missing required field", "required"),
    ("matching regex", "pattern"),
    ("Invalid enum", "not-allowed"),
    ("timezone", "time-zone-required"),
    ("encoded datetime", "date-time"),
    ("encoded date", "date"),
    ("ISO8601", "date"),
    ("length <=", "too-long"),
    ("length >=", "too-short"),
    ("<=", "too-large"),
    (">=", "too-small"),
    ("Expected", "type"),
)


def read_json(body: bytes, kind: type[T], rules: Rules = NO_RULES) -> T:
    """A JSON body as ``kind``. Raises ``Problem`` with all fields that break a rule.

    ``rules`` say of a field what its type cannot.
    """
    try:
        body.decode()  # msgspec looks into a string only when it needs it
        value = msgspec.json.decode(body, type=kind)
        json.loads(body, object_pairs_hook=_distinct)
    except msgspec.ValidationError as error:
        raise invalid(*_broken(_members(body), kind, str(error), _decode, rules)) from None
    except _RepeatedError:
        raise invalid(FieldError("", "duplicate-field")) from None
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError):
        raise Problem("malformed-json") from None
    return _ruled(value, rules)


def read_query(pairs: list[tuple[str, str]], kind: type[T], rules: Rules = NO_RULES) -> T:
    """A query string as ``kind``, each name given once. Raises ``Problem``, as ``read_json``."""
    given = dict(pairs)
    if len(given) != len(pairs):
        raise invalid(FieldError("", "duplicate-field"))
    try:
        value = msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise invalid(*_broken(given, kind, str(error), _convert, rules)) from None
    return _ruled(value, rules)


def _ruled(value: T, rules: Rules) -> T:
    named = {name: rule(getattr(value, name)) for name, rule in rules.items()}
    if broken := [FieldError(f"/{name}", code) for name, code in named.items() if code]:
        raise invalid(*broken)
    return value


def invalid(*errors: FieldError) -> Problem:
    """The problem of fields that break a rule."""
    said = "; ".join(f"{error.pointer or 'the body'}: {error.code}" for error in errors)
    return Problem("validation-failed", f"{said}.", errors)


class _RepeatedError(ValueError):
    """An object names a field twice."""


def _distinct(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise _RepeatedError


def _members(body: bytes) -> dict[str, msgspec.Raw]:
    """The members of an object, unread; none if that is not what the body is."""
    try:
        return msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, RecursionError):
        return {}


def _decode(value: Any, kind: Any) -> object:
    return msgspec.json.decode(value, type=kind)


def _convert(value: Any, kind: Any) -> object:
    return msgspec.convert(value, kind, strict=False)


def _broken(
    given: Mapping[str, Any],
    kind: type[msgspec.Struct],
    first: str,
    read: Callable[[Any, Any], object],
    rules: Rules = NO_RULES,
) -> list[FieldError]:
    """All rules that ``given`` breaks; ``first`` is where msgspec itself stopped."""
    if not given:
        return [_said(first)]
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    told = (
        _mistake(given, name, field, read, rules.get(name, _no_rule))
        for name, field in fields.items()
    )
    found = [error for error in told if error.code]
    if given.keys() - fields.keys():
        found.append(FieldError("", "unknown-field"))
    return found or [_said(first)]


def _mistake(
    given: Mapping[str, Any],
    name: str,
    field: msgspec.structs.FieldInfo,
    read: Callable[[Any, Any], object],
    rule: Callable[[Any], str],
) -> FieldError:
    """What one field breaks first, and where in it; a code of "" if nothing."""
    if name not in given:
        return FieldError(f"/{name}", "required" if field.required else "")
    try:
        return FieldError(f"/{name}", rule(read(given[name], field.type)))
    except msgspec.ValidationError as error:
        inner = _said(str(error))
        return FieldError(f"/{name}{inner.pointer}", inner.code)
    except (msgspec.DecodeError, RecursionError):
        return FieldError(f"/{name}", "type")


def _no_rule(_value: object) -> str:
    return ""


def _said(message: str) -> FieldError:
    """Pointer and code of msgspec's message, which may quote the caller's words."""
    at = re.search(r" - at `\$(\S*)`$", message)
    missing = re.search(r"missing required field `([a-z_]+)`", message)
    path = [*(_STEP.findall(at[1]) if at else ()), *([missing[1]] if missing else ())]
    return FieldError("".join(f"/{step}" for step in path), _rule(message))


def _rule(message: str) -> str:
    return next((code for words, code in _RULES if words in message), "invalid")
