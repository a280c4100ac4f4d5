"""Declared expressions as trees: what they aggregate, each once, and the arithmetic upon that.

Features of one source ask for the same sums again and again. `divide` takes the expressions apart,
so that a history is aggregated once for all of them; what remains of each is arithmetic over the
aggregates, and needs no query for one business alone.
"""

import io
import json
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from features.arithmetic import BeyondError, Compute, function


@dataclass(frozen=True)
class Divided:
    """Expressions over a history in two steps: ``aggregates`` of it, then ``features`` of those.

    ``computed`` says the second step again, by name, as functions of the aggregates of one history.
    """

    aggregates: tuple[pl.Expr, ...]
    features: tuple[pl.Expr, ...]
    computed: Mapping[str, Compute]


def divide(expressions: Iterable[pl.Expr]) -> Divided:
    """Take ``expressions`` apart; one that is more than arithmetic over aggregates stays whole."""
    named: dict[str, str] = {}
    whole: list[pl.Expr] = []
    features: list[pl.Expr] = []
    computed: dict[str, Compute] = {}
    for expression in expressions:
        name, found = expression.meta.output_name(), dict(named)
        rest = _over_aggregates(tree(expression), found)
        compute = _function_of(rest, found.values())
        if compute is None:
            whole.append(expression)
            rest, compute = {"Column": name}, function({"Column": name})
        else:
            named = found
        features.append(_expression(rest))
        computed[name] = compute
    shared = (_expression({"Alias": [json.loads(node), name]}) for node, name in named.items())
    return Divided((*shared, *whole), tuple(features), computed)


def tree(expression: pl.Expr) -> Any:
    """The expression as Polars writes it down: nested objects of one key, the kind of node."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Polars may change the format; a test would tell
        return json.loads(expression.meta.serialize(format="json"))


def _expression(node: Any) -> pl.Expr:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pl.Expr.deserialize(io.BytesIO(json.dumps(node).encode()), format="json")


def _over_aggregates(node: Any, named: dict[str, str]) -> Any:
    """``node`` with a column in the place of every aggregate; new ones are added to ``named``."""
    match node:
        case {"Agg": _}:
            name = named.setdefault(json.dumps(node), f"aggregate {len(named)}")
            return {"Column": name}
        case dict():
            return {kind: _over_aggregates(content, named) for kind, content in node.items()}
        case list():
            return [_over_aggregates(each, named) for each in node]
    return node


def _function_of(node: Any, names: Iterable[str]) -> Compute | None:
    """``node`` as a function of columns called ``names`` alone; None if it is more than that."""
    try:
        return function(node) if set(_columns(node)) <= set(names) else None
    except BeyondError:
        return None


def _columns(node: Any) -> Iterator[str]:
    children: Sequence[Any] = node if isinstance(node, list) else ()
    if isinstance(node, dict):
        if isinstance(name := node.get("Column"), str):
            yield name
        children = tuple(node.values())
    for child in children:
        yield from _columns(child)
