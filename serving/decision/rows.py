"""What a decision rests on: feature rows and how fresh their sources are."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from features.catalog import CATALOG
from features.one_row import as_of_one, finish_one
from features.spans import TOLD, moments_of
from serving.decision.decide import Application
from serving.decision.sources import Dates, dates_of_one
from serving.decision.what_if import request_columns
from serving.policy.values import Row, clean

__all__ = ["clean", "evidence", "finished"]

_NAMES = tuple(feature.name for feature in CATALOG)


def evidence(application: Application, tables: Mapping[str, pl.DataFrame]) -> tuple[Row, Dates]:
    """Every feature of the catalogue, and the newest day of each source, for one application.

    The whole catalogue, because policies read features that the scorer may not.
    """
    moment = moments_of(pl.Series([application.business_id]), application.applied_on)
    told = as_of_one(moment, tables, TOLD)
    dates = dates_of_one(application.business_id, application.applied_on, tables)
    return finished(application, clean(told)), dates


def finished(application: Application, told: Mapping[str, Any]) -> Row:
    """Every feature of the catalogue, from what the sources tell on the day, made clean."""
    request = request_columns(
        application.amount, application.term_months, application.purpose, application.repayment
    )
    known: dict[str, Any] = {**told, **request}
    known |= clean(finish_one(known, CATALOG))
    return {name: known[name] for name in _NAMES}
