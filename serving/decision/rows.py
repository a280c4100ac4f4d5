"""What a decision rests on: feature rows and how fresh their sources are."""

from collections.abc import Mapping

import polars as pl

from features.build import KEYS, build
from features.catalog import CATALOG
from serving.decision.decide import Application
from serving.decision.sources import Dates, sources_as_of
from serving.policy.values import Row, clean

__all__ = ["clean", "evidence"]


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
