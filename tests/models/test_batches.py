"""Rows read where a frame keeps them teach LightGBM what a matrix of them all would."""

import lightgbm
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from models.scoring.batches import ROWS, dataset
from models.scoring.columns import Codes, Columns
from tests.models.scorer_portfolio import applicants

SETTINGS = {
    "objective": "binary",
    "verbosity": -1,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "max_bin": 64,
    "min_data_in_leaf": 40,
    "bin_construct_sample_cnt": ROWS + 7,
    "seed": 3,
}


def grown(data: lightgbm.Dataset) -> str:
    booster = lightgbm.Booster(SETTINGS, data)
    for _ in range(5):
        booster.update()
    return booster.model_to_string()


def test_batches_grow_the_trees_of_the_matrix(capfd: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(0)
    X = random.normal(size=(2 * ROWS + 11, 5))
    X[random.random(X.shape) < 0.1] = np.nan
    X[:, 3] = np.round(X[:, 3])
    X[:, 4] = np.arange(len(X)) < 30  # too rare to split on
    bad = (np.nan_to_num(X[:, 0]) + random.normal(size=len(X)) > 1).astype(float)
    weight = random.random(len(X))
    order = random.permutation(len(X))
    codes = Codes(tuple(X.T), np.arange(len(X))).at(order)
    matrix = lightgbm.Dataset(X[order], bad[order], weight=weight[order], params=SETTINGS)
    assert grown(dataset(SETTINGS, codes, bad[order], weight[order])) == grown(matrix)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", ["pandas", "polars", "lazy", "arrow"])
def test_every_kind_of_frame_gives_the_same_codes(kind: str) -> None:
    X, _ = applicants(300)
    columns, expected = Columns.of(X), Columns.of(X).matrix(X)
    frame = {
        "pandas": X,
        "polars": pl.from_pandas(X),
        "lazy": pl.from_pandas(X).lazy(),
        "arrow": pa.Table.from_pandas(X),
    }[kind]
    codes = columns.codes(frame)
    places = np.array([7, 3, 3, 299])
    np.testing.assert_array_equal(codes[:], expected)
    np.testing.assert_array_equal(codes.at(places)[:], expected[places])
    np.testing.assert_array_equal(codes.at(places).column(1), expected[places, 1])
    np.testing.assert_array_equal(columns.matrix(frame), expected)


def test_other_values_in_a_column_change_neither_the_others_nor_the_frame() -> None:
    X = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [4.0, 5.0, 6.0]})
    codes = Columns.of(X).codes(X).at(np.array([2, 0]))
    other = codes.with_columns({1: np.array([8.0, 9.0])})
    assert other[:].tolist() == [[3.0, 8.0], [1.0, 9.0]]
    assert codes[:].tolist() == [[3.0, 6.0], [1.0, 4.0]]
    assert X["b"].tolist() == [4.0, 5.0, 6.0]


def test_columns_of_float64_are_not_copied() -> None:
    X = pd.DataFrame(np.arange(12.0).reshape(4, 3))
    codes = Columns.of(X).codes(X)
    assert all(np.shares_memory(column, X.to_numpy()) for column in codes.columns)
