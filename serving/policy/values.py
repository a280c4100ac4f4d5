"""What is known of an applicant, feature by feature: numbers and text as JSON can hold them."""

import math
from collections.abc import Mapping
from typing import Any

Row = Mapping[str, float | str | None]


def number(row: Row, name: str) -> float | None:
    """The value of a numeric feature, if it is known."""
    value = row.get(name)
    return float(value) if isinstance(value, int | float) else None


def clean(values: Mapping[str, Any]) -> dict[str, float | str | None]:
    """``values`` as numbers or text; NaN and infinities, which JSON cannot hold, are unknown."""
    return {name: _clean(value) for name, value in values.items()}


def _clean(value: Any) -> float | str | None:
    if value is None or isinstance(value, str):
        return value
    found = float(value)
    return found if math.isfinite(found) else None
