"""What was expected of the decided, and what became of those whose outcome is known."""

from collections.abc import Sequence

import msgspec
import numpy as np
import polars as pl

from models.validation.bands import Band, Light, bands
from models.validation.discrimination import Interval, auc_interval

ENOUGH_BADS = 30  # and as many goods, for a ranking to be judged
_LOST = 0.2  # of the Gini


class Performance(msgspec.Struct, frozen=True):
    """Observed against expected of the ``rows`` loans that have matured.

    Immature and indeterminate loans are counted and left out. ``level`` is of all rows; ``auc`` is
    None of too few bads or goods; ``auc_then`` is that of the validation, out of time.
    """

    loans: int
    immature: int
    indeterminate: int
    rows: int
    bads: int
    level: Band | None
    grades: tuple[Band, ...]
    auc: Interval | None
    auc_then: Interval
    ranking: Light | None


def performance(made: pl.DataFrame, scale: Sequence[str], auc_then: Interval) -> Performance:
    """Judge the decisions ``made`` (as `Decided` holds them) by their labels."""
    labels = made["label"].drop_nulls()
    known = made.filter(pl.col("label").is_in(["good", "bad"]))
    bad = (known["label"] == "bad").cast(pl.Float64).to_numpy()
    probability = known["probability"].to_numpy()
    names = [*scale, *sorted(set(known["grade"]) - set(scale))]
    member = np.array([names.index(grade) for grade in known["grade"]], dtype=np.intp)
    bads = int(bad.sum())
    judged = min(bads, known.height - bads) >= ENOUGH_BADS
    auc = auc_interval(bad, probability) if judged else None
    return Performance(
        loans=len(labels),
        immature=int((labels == "immature").sum()),
        indeterminate=int((labels == "indeterminate").sum()),
        rows=known.height,
        bads=bads,
        level=next(iter(bands(["all"], np.zeros_like(member), bad, probability)), None),
        grades=bands(names, member, bad, probability),
        auc=auc,
        auc_then=auc_then,
        ranking=None if auc is None else _ranking(auc, auc_then),
    )


def _ranking(now: Interval, then: Interval) -> Light:
    """Amber where it ranks worse than validated, red where a fifth of the Gini is gone."""
    if now.high >= then.value:
        return "green"
    lost = 1 - (2 * now.value - 1) / (2 * then.value - 1)
    return "red" if lost > _LOST else "amber"
