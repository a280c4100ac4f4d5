"""Arithmetic of declared expressions as Python functions of one row's values.

A query over a single row costs a hundred times its arithmetic. What is more than arithmetic is for
the query.
"""

import operator
from collections.abc import Callable, Mapping
from typing import Any

Compute = Callable[[Mapping[str, Any]], Any]

_BINARY: Mapping[str, Callable[[Any, Any], Any]] = {
    "Plus": operator.add,
    "Minus": operator.sub,
    "Multiply": operator.mul,
    "TrueDivide": lambda a, b: float(a) / b if b else float("nan"),
    "Gt": operator.gt,
    "GtEq": operator.ge,
    "Lt": operator.lt,
    "LtEq": operator.le,
}
_CASTS: Mapping[str, Callable[[Any], Any]] = {"Float64": float, "String": str}


class BeyondError(Exception):
    """The expression is more than arithmetic."""


def function(node: Any) -> Compute:
    """``node`` of an expression's tree (as `features.trees` reads it) as a function of the row.

    The function takes values by name, None for null.

    Raises:
        BeyondError: it is more than arithmetic.
    """
    if not isinstance(node, dict):
        raise BeyondError
    (kind, content), *others = node.items()
    build = _NODES.get(kind)
    if build is None or others:
        raise BeyondError
    return build(content)


def _column(name: str) -> Compute:
    return operator.itemgetter(name)


def _literal(content: Any) -> Compute:
    match content:
        case {"Dyn": {"Int": value}} | {"Dyn": {"Float": value}}:
            return lambda _: value
        case {"Scalar": {"Null": _}}:
            return lambda _: None
    raise BeyondError


def _binary(content: Any) -> Compute:
    if content["op"] not in _BINARY:
        raise BeyondError
    apply = _BINARY[content["op"]]
    left, right = function(content["left"]), function(content["right"])

    def compute(row: Mapping[str, Any]) -> Any:
        a, b = left(row), right(row)
        return None if a is None or b is None else apply(a, b)

    return compute


def _ternary(content: Any) -> Compute:
    predicate, then, otherwise = (
        function(content[name]) for name in ("predicate", "truthy", "falsy")
    )
    return lambda row: then(row) if predicate(row) else otherwise(row)


def _cast(content: Any) -> Compute:
    to, inner = _CASTS.get(content["dtype"].get("Literal")), function(content["expr"])
    if to is None:
        raise BeyondError

    def compute(row: Mapping[str, Any]) -> Any:
        value = inner(row)
        return None if value is None else to(value)

    return compute


def _called(content: Any) -> Compute:
    inputs = [function(each) for each in content["input"]]
    match content["function"]:
        case {"Boolean": "IsNotNull"}:
            return lambda row: inputs[0](row) is not None
        case {"Boolean": "IsNull"}:
            return lambda row: inputs[0](row) is None
        case {"SumHorizontal": {"ignore_nulls": True}}:
            return lambda row: sum(value for each in inputs if (value := each(row)) is not None)
    raise BeyondError


_NODES: Mapping[str, Callable[[Any], Compute]] = {
    "Alias": lambda content: function(content[0]),
    "Column": _column,
    "Literal": _literal,
    "BinaryExpr": _binary,
    "Ternary": _ternary,
    "Cast": _cast,
    "Function": _called,
}
