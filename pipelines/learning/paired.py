"""Two versions of a scorer, judged on the same rows that neither has learnt from."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import expit

from models.registry import ModelVersion, Registry
from pipelines.learning.learn import TESTED

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Pair:
    """Outcomes of the rows, and the probabilities of two scorers."""

    bad: Vector
    first: Vector
    second: Vector


def on_the_same_rows(
    registry: Registry, first: ModelVersion, second: ModelVersion, table: pl.DataFrame
) -> Pair | None:
    """Both scorers on the rows of the first one's test; None where they cannot be judged together.

    A second scorer of features that ``table`` holds scores all of them now, unless it was tested on
    other rows that begin later: what it may have learnt from is no test. One of other features is
    compared on the rows that both were tested on.
    """
    tested, other = tested_rows(registry, first), tested_rows(registry, second)
    scorer = registry.load(second.name, second.version).scorer
    can_score = set(scorer.names_) <= set(table.columns)
    if can_score and not _starts_later(other, tested, table):
        rows = tested.join(table, on="application_id", maintain_order="left")
        rival = scorer.decision_function(rows.select(scorer.names_))
        both = rows.with_columns(log_odds_right=pl.Series(rival))
    else:
        both = tested.join(other, on="application_id", maintain_order="left")
    if both["bad"].n_unique() < 2:
        return None
    bad, one, two = (both[name].to_numpy() for name in ("bad", "log_odds", "log_odds_right"))
    return Pair(bad, expit(one), expit(two))


def tested_rows(registry: Registry, version: ModelVersion) -> pl.DataFrame:
    """Names, outcomes and log-odds of the rows that a version was tested on."""
    return pl.read_parquet(registry.read(version, TESTED))


def _starts_later(other: pl.DataFrame, tested: pl.DataFrame, table: pl.DataFrame) -> bool:
    days = table.select("application_id", "applied_on")
    first, second = (
        rows.join(days, on="application_id")["applied_on"].to_physical().min()
        for rows in (tested, other)
    )
    if not isinstance(first, int) or not isinstance(second, int):
        return True
    return second > first
