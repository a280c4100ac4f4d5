import duckdb
import numpy as np
import pandas as pd
import pytest
import sqlglot

from features.errors import UnknownName
from models import Scorer
from models.scoring.scorecard import NotTables
from models.scoring.sql import DIALECTS, to_sql
from tests.models.scorer_portfolio import applicants

HARD_NAME = 'owner\'s "trade", since'


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    X, y = applicants(400)
    return Scorer(form="pairs", seeds=1, pdo=25).fit(with_hard_text(X), y)


def with_hard_text(X: pd.DataFrame) -> pd.DataFrame:
    """A column and levels that need quoting."""
    trades = {"bakery": "baker's; --", "haulage": "物流 \\ haul", "textile": ""}
    return X.assign(trade=X["trade"].replace(trades)).rename(columns={"trade": HARD_NAME})


def any_applicants(rows: int, seed: int) -> pd.DataFrame:
    """Null, NaN, unseen levels and values, on cuts and far outside."""
    X = with_hard_text(applicants(rows, seed)[0])
    random = np.random.default_rng(seed)
    X["age"] *= random.choice([1.0, 50.0, np.inf], rows, p=[0.8, 0.15, 0.05])
    X["has_meter"] = X["has_meter"].astype(float)
    for name in X.columns:
        X.loc[random.random(rows) < 0.1, name] = np.nan
    X.loc[random.random(rows) < 0.1, HARD_NAME] = "lighthouse"
    return X


def must_agree(scorer: Scorer, X: pd.DataFrame, sql: str) -> None:
    with duckdb.connect() as database:
        database.execute("SET threads = 1")
        database.register("frame", X.assign(number=np.arange(len(X))))
        database.execute("CREATE TABLE applications AS FROM frame")
        rows = database.sql(sql).df().sort_values("number", ignore_index=True)
    assert rows["number"].tolist() == list(range(len(X)))
    np.testing.assert_array_equal(rows["log_odds"], scorer.decision_function(X))
    default, points = scorer.predict_proba(X)[:, 1], scorer.score_points(X)
    np.testing.assert_allclose(rows["probability_of_default"], default, rtol=0, atol=1e-9)
    np.testing.assert_allclose(rows["points"], points, rtol=0, atol=1e-9)


@pytest.fixture(scope="module")
def select(scorer: Scorer) -> str:
    return to_sql(scorer, "applications", keys=["number"])


def test_duckdb_scores_as_python_does(scorer: Scorer, select: str) -> None:
    must_agree(scorer, any_applicants(5_000, seed=1), select)


@pytest.mark.slow
def test_duckdb_scores_a_hundred_thousand_rows_as_python_does(scorer: Scorer, select: str) -> None:
    must_agree(scorer, any_applicants(100_000, seed=2), select)


def test_duckdb_scores_values_that_lie_on_a_cut_as_python_does(scorer: Scorer, select: str) -> None:
    cuts = scorer.served_.cuts[0]
    must_agree(scorer, any_applicants(len(cuts), seed=3).assign(age=cuts), select)


def test_duckdb_takes_nan_and_null_alike_and_booleans_as_numbers(scorer: Scorer) -> None:
    trade = HARD_NAME.replace('"', '""')
    applicant = f"""(
        SELECT 3.0 AS age, 1 AS late_filings, true AS has_meter, NULL AS "{trade}", sales_trend
        FROM (VALUES (NULL), ('NaN'::DOUBLE)) AS missing(sales_trend))"""
    found = duckdb.sql(to_sql(scorer, applicant)).df()["log_odds"].tolist()
    row = scorer.encode_row({"age": 3.0, "late_filings": 1, "has_meter": True})
    assert found == [scorer.base_ + scorer.explain_row(row).sum()] * 2


@pytest.mark.parametrize("dialect", ["spark", "databricks", "trino"])
def test_other_dialects_read_back_score_as_python_does(scorer: Scorer, dialect: str) -> None:
    written = to_sql(scorer, "applications", keys=["number"], dialect=dialect)
    read_back = sqlglot.transpile(written, read=dialect, write="duckdb")[0]
    must_agree(scorer, any_applicants(300, seed=4), read_back)


def test_spark_counts_elements_from_one_as_we_do(scorer: Scorer) -> None:
    written = to_sql(scorer, "applications", dialect="spark")
    assert "ELEMENT_AT(ARRAY(" in written
    assert ")[" not in written  # whose first element Spark calls 0


def test_dates_and_moments_count_as_days_in_every_dialect() -> None:
    X, y = applicants(400)
    seconds = (X["age"] * 365 * 86_400).round()
    moment = pd.Timestamp("2024-01-01 10:20:30") - pd.to_timedelta(seconds, unit="s")
    X = X.assign(age=moment, day=moment.dt.date).drop(columns="trade")
    X.loc[::7, "age"] = pd.NaT
    scorer = Scorer(form="pairs", seeds=1).fit(X, y)
    assert len(scorer.served_.cuts[0]) > 5
    select = {d: to_sql(scorer, "applications", keys=["number"], dialect=d) for d in DIALECTS}
    must_agree(scorer, X, select["duckdb"])
    must_agree(scorer, X, sqlglot.transpile(select["trino"], read="trino", write="duckdb")[0])
    # SQLGlot writes Spark's difference of moments, and reads it as one of days
    assert "DATEDIFF(\n      MICROSECOND" in select["spark"]


def test_an_unknown_dialect_is_refused(scorer: Scorer) -> None:
    with pytest.raises(UnknownName, match="did you mean one of spark"):
        to_sql(scorer, "applications", dialect="sparc")


def test_a_scorer_that_learnt_nothing_still_has_its_select() -> None:
    X = pd.DataFrame({"same": np.ones(60), "text": ["a"] * 60})
    scorer = Scorer(form="pairs", seeds=1).fit(X, np.arange(60) % 3 == 0)
    must_agree(scorer, X, to_sql(scorer, "applications", keys=["number"]))
    assert duckdb.sql(to_sql(scorer, "(VALUES (1), (2)) AS t(same)")).fetchall()[1][0] < 0


def test_a_scorer_of_free_trees_has_no_select() -> None:
    free = Scorer(form="free", seeds=1).fit(*applicants(300))
    with pytest.raises(NotTables, match="form='pairs'"):
        to_sql(free, "applications")
