"""What a decision rests on: feature rows as JSON can hold them, and how fresh their sources are."""

import math
from collections.abc import Mapping
from typing import Any

import polars as pl

from features.build import KEYS, build
from features.catalog import CATALOG
from serving.decide import Application
from serving.sources import Dates, sources_as_of
from serving.verdict import Row


def evidence(application: Application, tables: Mapping[str, pl.DataFrame]) -> tuple[Row, Dates]:
    """Every feature of the catalogue, and the newest day of each source, for one application.

    The whole catalogue, because policies read features that the scorer may not.
    """
    frame = pl.DataFrame(
        {
            "application_id": application.application_id,
            "business_id": application.business_id,
            "applied_at": application.applied_at,
            "amount_fen": application.amount * 100,
            "term_months": application.term_months,
            "purpose": application.purpose,
            "repayment": application.repayment,
        },
        schema_overrides={"applied_at": pl.Datetime("us", "UTC")},
    )
    values = build(frame, tables, CATALOG).drop(KEYS).row(0, named=True)
    return clean(values), sources_as_of(frame, tables)[0]


def clean(values: Mapping[str, Any]) -> dict[str, float | str | None]:
    """``values`` as numbers or text; NaN and infinities, which JSON cannot hold, are unknown."""
    return {name: _clean(value) for name, value in values.items()}


def _clean(value: Any) -> float | str | None:
    if value is None or isinstance(value, str):
        return value
    number = float(value)
    return number if math.isfinite(number) else None
