import numpy as np
import pandas as pd
import pytest

from models.scoring.columns import Columns
from models.scoring.encoding import Encoding, fit_encoding
from models.scoring.risks import PARTS


def _fitted(levels: list[str], weight: np.ndarray | None = None) -> tuple[Encoding, np.ndarray]:
    X = pd.DataFrame({"place": levels})
    columns, rows = Columns.of(X), len(levels)
    bad = (np.random.default_rng(0).random(rows) < 0.3).astype(float)
    weight = np.ones(rows) if weight is None else weight
    encoding, encoded = fit_encoding(
        columns, columns.codes(X), bad, weight, np.arange(rows) % PARTS
    )
    return encoding, encoded[:]


def test_rows_of_a_common_level_share_the_value_they_will_be_served() -> None:
    encoding, matrix = _fitted(["north"] * 100 + ["south"] * 150)
    served = encoding.matrix(pd.DataFrame({"place": ["north", "south"]}))
    assert np.unique(matrix[:100]) == served[0]
    assert np.unique(matrix[100:]) == served[1]


def test_rows_of_a_rare_level_are_valued_without_their_own_part() -> None:
    encoding, matrix = _fitted(["north"] * 99 + ["south"] * 150)
    assert len(np.unique(matrix[:99])) == PARTS
    assert encoding.matrix(pd.DataFrame({"place": ["north"]})) not in matrix[:99]


def test_a_level_ruled_by_one_heavy_row_is_rare() -> None:
    weight = np.ones(300)
    weight[7] = 50.0
    _, matrix = _fitted(["north"] * 150 + ["south"] * 150, weight)
    assert len(np.unique(matrix[:150])) == PARTS
    assert len(np.unique(matrix[150:])) == 1


@pytest.mark.parametrize("rows", [1, 30])
def test_a_level_seen_in_one_part_alone_is_missing_there(rows: int) -> None:
    levels = ["other"] * 500
    levels[: PARTS * rows : PARTS] = ["lonely"] * rows
    _, matrix = _fitted(levels)
    assert np.isnan(matrix[: PARTS * rows : PARTS]).all()
