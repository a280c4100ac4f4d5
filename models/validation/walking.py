"""What a walk through the past shows: ranking, level, and who was decided how, by period."""

from collections.abc import Iterator

import msgspec
import numpy as np
import polars as pl

from models.validation import metrics
from models.validation.bands import jeffreys_interval
from models.validation.discrimination import Interval, auc_interval

OUTCOMES = ("approve", "refer", "decline")
ALL = "all"


class Decided(msgspec.Struct, frozen=True):
    """Applications of one outcome, and how the loans among them ended that the bank did grant.

    ``low`` and ``high`` bound the bad rate at 95 % (Jeffreys); it is None without a matured loan.
    ``true_pd`` is the mean over all applications, granted or not, where a truth is known.
    """

    outcome: str
    applications: int
    share: float
    probability: float | None
    matured: int
    bads: int
    bad_rate: float | None
    low: float | None
    high: float | None
    true_pd: float | None


class Period(msgspec.Struct, frozen=True):
    """A period, judged by a scorer that knew only the time before.

    Ranking and level are those of granted, matured loans: ``expected`` is their mean probability,
    ``observed`` their bad rate.
    """

    period: str
    learnt_from: int
    applications: int
    matured: int
    bads: int
    auc: Interval | None
    log_loss: float | None
    expected: float | None
    observed: float | None
    decided: tuple[Decided, ...]


def walked(rows: pl.DataFrame) -> tuple[Period, ...]:
    """A figure a period in the order of time, then all of them together.

    Args:
        rows: one an application: ``period`` and ``outcome`` (text), ``learnt_from`` (loans),
            ``probability``, ``bad`` (0 or 1; null unless granted and matured), ``true_pd`` (null
            where no truth is known).
    """
    return tuple(_period(name, part) for name, part in _parts(rows))


def _parts(rows: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    for name in rows["period"].unique().sort().to_list():
        yield name, rows.filter(pl.col("period") == name)
    yield ALL, rows


def _period(name: str, rows: pl.DataFrame) -> Period:
    matured = rows.filter(pl.col("bad").is_not_null())
    bad, probability = matured["bad"].to_numpy(), matured["probability"].to_numpy()
    known = len(bad) > 0
    return Period(
        period=name,
        learnt_from=rows["learnt_from"].max(),  # type: ignore[arg-type]  # of whole numbers
        applications=rows.height,
        matured=len(bad),
        bads=int(bad.sum()),
        auc=auc_interval(bad, probability, np.ones(len(bad))),
        log_loss=metrics.log_loss(bad, probability) if known else None,
        expected=float(probability.mean()) if known else None,
        observed=float(bad.mean()) if known else None,
        decided=tuple(_decided(outcome, rows) for outcome in OUTCOMES),
    )


def _decided(outcome: str, all_rows: pl.DataFrame) -> Decided:
    rows = all_rows.filter(pl.col("outcome") == outcome)
    bad = rows["bad"].drop_nulls()
    bads = int(bad.sum())
    low, high = jeffreys_interval(bads, len(bad)) if len(bad) else (None, None)
    return Decided(
        outcome=outcome,
        applications=rows.height,
        share=rows.height / all_rows.height,
        probability=_mean(rows["probability"]),
        matured=len(bad),
        bads=bads,
        bad_rate=bads / len(bad) if len(bad) else None,
        low=low,
        high=high,
        true_pd=_mean(rows["true_pd"]),
    )


def _mean(column: pl.Series) -> float | None:
    mean = column.mean()
    return None if mean is None else float(mean)  # type: ignore[arg-type]  # of numbers
