"""Rows read where a frame keeps them teach LightGBM what a matrix of them all would."""

import lightgbm
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from models.scoring.batches import ROWS, batches
from models.scoring.columns import Codes, Columns
from tests.models.scorer_portfolio import applicants


def grown(data: object, target: np.ndarray) -> str:
    settings = {"verbosity": -1, "num_threads": 1, "deterministic": True, "max_bin": 64}
    return lightgbm.train(
        settings | {"bin_construct_sample_cnt": ROWS + 7}, lightgbm.Dataset(data, target), 5
    ).model_to_string()


def test_batches_grow_the_trees_of_the_matrix() -> None:
    random = np.random.default_rng(0)
    X = random.normal(size=(2 * ROWS + 11, 4))
    X[random.random(X.shape) < 0.1] = np.nan
    X[:, 3] = np.round(X[:, 3])
    target = np.nan_to_num(X[:, 0]) + X[:, 1] ** 2 + random.normal(size=len(X))
    target = np.nan_to_num(target)
    order = random.permutation(len(X))
    codes = Codes(tuple(X.T), np.arange(len(X))).at(order)
    assert grown(batches(codes), target[order]) == grown(X[order], target[order])


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
