"""The catalogue: every feature, in the order a scorer takes them."""

import hashlib
import json
from collections.abc import Iterable

from features import invoices, peers, registration, repayment, request, tax, utility
from features.definition import Feature
from features.errors import UnknownName

MODULES = (registration, tax, invoices, utility, repayment, peers, request)

CATALOG: tuple[Feature, ...] = tuple(
    value for module in MODULES for value in vars(module).values() if isinstance(value, Feature)
)


def select(names: Iterable[str]) -> tuple[Feature, ...]:
    """The named features, in the catalogue's order.

    Raises:
        UnknownName: a name is not in the catalogue.
    """
    known = {feature.name: feature for feature in CATALOG}
    wanted = list(names)
    for name in wanted:
        if name not in known:
            raise UnknownName("feature", name, known)
    return tuple(feature for feature in CATALOG if feature.name in set(wanted))


def directions(features: Iterable[Feature]) -> dict[str, int]:
    """Monotone direction of each feature: +1 risk rises with it, -1 falls, 0 not declared."""
    sign = {"rises": 1, "falls": -1, None: 0}
    return {feature.name: sign[feature.risk] for feature in features}


def fingerprint(features: Iterable[Feature]) -> str:
    """SHA-256 over what the features compute, in order; a model answers only for its own."""
    declared = [
        (f.name, f.source.name if f.source else None, f.unit, f.risk, f.reason, str(f.expression))
        for f in features
    ]
    return hashlib.sha256(json.dumps(declared).encode()).hexdigest()
