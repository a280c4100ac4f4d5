"""Features of the row for one applicant, without a query: what ``build.finish`` says, bit for bit.

A query over a single row costs a hundred times its arithmetic. Here each declared expression is
turned once into a Python function of the row's values; one that uses more than the arithmetic below
leaves all of them to the query.
"""

import operator
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec
import polars as pl

from features.build import finish
from features.definition import Feature
from features.tables import APPLICATIONS

Value = float | str | None
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


class _BeyondError(Exception):
    """The expression is more than arithmetic."""


def finish_one(row: Mapping[str, Any], features: Sequence[Feature]) -> dict[str, Value]:
    """The features of the row among ``features``, by name.

    Args:
        row: the request (``amount_fen``, ``term_months``, ``purpose``, ``repayment``) and what the
            sources tell; None is unknown, and no value is NaN.
        features: of which those with a source are passed over.
    """
    computed = _computed(tuple(features))
    if computed is None:
        return _queried(row, features)
    known = dict(row)
    for name, compute in computed:
        known[name] = compute(known)
    return {name: known[name] for name, _ in computed}


@lru_cache(maxsize=64)
def _computed(features: tuple[Feature, ...]) -> tuple[tuple[str, Compute], ...] | None:
    """A function for each feature of the row, in order; None if one is beyond arithmetic."""
    try:
        return tuple((f.name, _function(_tree(f))) for f in features if f.source is None)
    except _BeyondError:
        return None


def _queried(row: Mapping[str, Any], features: Sequence[Feature]) -> dict[str, Value]:
    of_row = [feature for feature in features if feature.source is None]
    names = {name for feature in of_row for name in feature.expression.meta.root_names()}
    read = names - {feature.name for feature in of_row}
    categories = {feature.name for feature in features if feature.is_category}
    types = {name: pl.String if name in categories else pl.Float64 for name in read}
    types |= {name: dtype for name, dtype in APPLICATIONS.dtypes.items() if name in read}
    frame = pl.DataFrame([{name: row[name] for name in types}], schema=types)
    found = finish(frame, of_row).row(0, named=True)
    return {feature.name: found[feature.name] for feature in of_row}


def _tree(feature: Feature) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Polars may change the format; a test would tell
        return msgspec.json.decode(feature.expression.meta.serialize(format="json"))


def _function(node: Any) -> Compute:
    """``node`` of an expression's tree as a function of the row."""
    (kind, content), *others = node.items()
    build = _NODES.get(kind)
    if build is None or others:
        raise _BeyondError
    return build(content)


def _column(name: str) -> Compute:
    return operator.itemgetter(name)


def _literal(content: Any) -> Compute:
    match content:
        case {"Dyn": {"Int": value}} | {"Dyn": {"Float": value}}:
            return lambda _: value
        case {"Scalar": {"Null": _}}:
            return lambda _: None
    raise _BeyondError


def _binary(content: Any) -> Compute:
    if content["op"] not in _BINARY:
        raise _BeyondError
    apply = _BINARY[content["op"]]
    left, right = _function(content["left"]), _function(content["right"])

    def compute(row: Mapping[str, Any]) -> Any:
        a, b = left(row), right(row)
        return None if a is None or b is None else apply(a, b)

    return compute


def _ternary(content: Any) -> Compute:
    predicate, then, otherwise = (
        _function(content[name]) for name in ("predicate", "truthy", "falsy")
    )
    return lambda row: then(row) if predicate(row) else otherwise(row)


def _cast(content: Any) -> Compute:
    to, inner = _CASTS.get(content["dtype"].get("Literal")), _function(content["expr"])
    if to is None:
        raise _BeyondError

    def compute(row: Mapping[str, Any]) -> Any:
        value = inner(row)
        return None if value is None else to(value)

    return compute


def _called(content: Any) -> Compute:
    inputs = [_function(each) for each in content["input"]]
    match content["function"]:
        case {"Boolean": "IsNotNull"}:
            return lambda row: inputs[0](row) is not None
        case {"Boolean": "IsNull"}:
            return lambda row: inputs[0](row) is None
        case {"SumHorizontal": {"ignore_nulls": True}}:
            return lambda row: sum(value for each in inputs if (value := each(row)) is not None)
    raise _BeyondError


_NODES: Mapping[str, Callable[[Any], Compute]] = {
    "Alias": lambda content: _function(content[0]),
    "Column": _column,
    "Literal": _literal,
    "BinaryExpr": _binary,
    "Ternary": _ternary,
    "Cast": _cast,
    "Function": _called,
}
