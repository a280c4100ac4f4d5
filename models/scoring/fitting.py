"""One fit from ordered rows to everything that is served."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.scoring.boosting import Form, Recipe
from models.scoring.calibration import Calibration, fit_calibration
from models.scoring.columns import Columns
from models.scoring.effects import Additive, sum_leaves
from models.scoring.encoding import Encoding
from models.scoring.free_trees import FreeTrees, free_trees
from models.scoring.growing import Grown, grow_recipe, judged_at_random
from models.scoring.rows import Rows
from models.scoring.tables import ScoreTables, score_tables
from models.scoring.trees import read_leaves

Vector = NDArray[np.float64]

NEWEST_SHARE = 0.2


@dataclass(frozen=True)
class Fitted:
    """What a fit leaves: all that is saved, and all that serving needs.

    ``out_of_fold`` is not saved: log-odds of the training rows, each from trees that have not seen
    it (NaN where there were none), calibrated as served.
    """

    form: Form
    model: str
    encoding: Encoding
    calibration: Calibration
    additive: tuple[Additive, ...]
    rounds: int
    rows: int
    bad_rate: float
    out_of_fold: Vector | None = None

    def served(self) -> ScoreTables | FreeTrees:
        """The scorer in the form that answers."""
        if self.form != "pairs":
            terms = tuple(term.of for term in self.encoding.terms)
            return free_trees(self.model, self.calibration, terms)
        constant, tables = sum_leaves(read_leaves(self.model))
        features = len(self.encoding.columns.names)
        return score_tables(features, constant, tables, self.additive, self.calibration)


def calibrated(
    grown: Grown, calibration: Calibration, bad_rate: float, out_of_fold: Vector
) -> Fitted:
    """Grown trees as they are to be served."""
    return Fitted(
        form=grown.recipe.form,
        model=grown.model,
        encoding=grown.encoding,
        calibration=calibration,
        additive=grown.additive,
        rounds=grown.rounds,
        rows=len(grown.encoded),
        bad_rate=bad_rate,
        out_of_fold=calibration(out_of_fold),
    )


def fit_recipe(recipes: Sequence[Recipe], columns: Columns, rows: Rows) -> Fitted:
    """Choose recipe, rounds and calibration out of fold, then grow on all rows."""
    grown = grow_recipe(recipes, columns, rows)
    log_odds, calibration = grown.out_of_fold, Calibration()
    if grown.recipe.calibrate and not np.isnan(log_odds).all():
        if rows.applied_on is not None:
            log_odds = judged_at_random(grown, columns, rows)
        judged = ~np.isnan(log_odds) & _newest(rows)
        calibration = fit_calibration(log_odds[judged], rows.target[judged], rows.weight[judged])
    bad_rate = float(np.average(rows.target, weights=rows.weight))
    return calibrated(grown, calibration, bad_rate, log_odds)


def _newest(rows: Rows) -> NDArray[np.bool_]:
    """The rows that tell today's level: the newest fifth in time, or all where time is unknown.

    The level of default moves more than the ranking does, and a drift seen between one block of
    the past and the next turns around too often to be carried on (docs/log.md).
    """
    if rows.applied_on is None:
        return np.ones(len(rows), dtype=bool)
    return rows.applied_on >= np.quantile(rows.applied_on, 1 - NEWEST_SHARE)
