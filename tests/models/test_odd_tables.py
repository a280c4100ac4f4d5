"""Tables as banks have them: the scorer learns what there is, quietly, or says what it needs."""

import warnings
from collections.abc import Callable
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from features.errors import MicroloanError
from models import Scorer
from tests.models.scorer_portfolio import applicants

ROWS = 600
Odd = Callable[[pd.DataFrame], pd.DataFrame]


def _numbered(X: pd.DataFrame) -> pd.Series:
    return pd.Series(np.arange(len(X)), index=X.index)


ODD: dict[str, Odd] = {
    "one value": lambda X: X.assign(odd=1.0, text="same"),
    "nothing known": lambda X: X.assign(odd=np.nan, none=None),
    "infinities": lambda X: X.assign(
        age=X["age"].mask(_numbered(X) % 17 == 0, np.inf),
        sales_trend=X["sales_trend"].mask(_numbered(X) % 19 == 0, -np.inf),
    ),
    "immense numbers": lambda X: X.assign(age=X["age"] * 1e300, tiny=X["sales_trend"] * 1e-300),
    "a name a row": lambda X: X.assign(odd=[f"firm {at}" for at in range(len(X))]),
    "the same columns again": lambda X: X.assign(
        age_2=X["age"], age_3=X["age"], trade_2=X["trade"]
    ),
    "dates": lambda X: X.assign(
        odd=[date(2024, 1, 1) + timedelta(days=at % 500) for at in range(len(X))]
    ),
    "moments with gaps": lambda X: X.assign(
        odd=(
            pd.to_datetime("2024-01-01", utc=True) + pd.to_timedelta(_numbered(X) % 99, unit="h")
        ).where(_numbered(X) % 5 > 0)
    ),
    "categories of pandas": lambda X: X.assign(trade=X["trade"].astype("category")),
    "whole numbers with gaps": lambda X: X.assign(
        late_filings=X["late_filings"].astype("Int64").mask(_numbered(X) % 7 == 0)
    ),
    "numbers among texts": lambda X: X.assign(
        odd=np.array([1, "x", 2.5, None], dtype=object)[_numbered(X) % 4]
    ),
    "an event in a thousand": lambda X: X.assign(odd=(_numbered(X) % 1000 == 7).astype(float)),
    "names of any script": lambda X: X.rename(columns={"age": "年龄 {a}", "trade": '"行业"[x]'}),
}


@pytest.fixture(scope="module")
def plain_auc() -> float:
    X, y = applicants(ROWS)
    return _auc(Scorer(form="pairs", seeds=1, n_jobs=1).fit(X, y), lambda X: X)


def _auc(scorer: Scorer, odd: Odd) -> float:
    X, y = applicants(4000, seed=1)
    return float(roc_auc_score(y, scorer.decision_function(odd(X))))


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
def test_an_odd_column_neither_stops_nor_misleads_the_scorer(odd: Odd, plain_auc: float) -> None:
    X, y = applicants(ROWS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scorer = Scorer(form="pairs", seeds=1, n_jobs=1).fit(odd(X), y)
        explained = scorer.explain(odd(X))
    np.testing.assert_allclose(
        explained.sum(axis=1), scorer.decision_function(odd(X)), rtol=0, atol=1e-9
    )
    assert scorer.predict_proba(odd(X))[:, 1].mean() == pytest.approx(y.mean(), abs=0.03)
    assert _auc(scorer, odd) > plain_auc - 0.03


def test_two_hundred_columns_of_noise_cost_little(plain_auc: float) -> None:
    def noisy(X: pd.DataFrame) -> pd.DataFrame:
        noise = np.random.default_rng(len(X)).normal(size=(len(X), 200))
        names = [f"noise_{at}" for at in range(200)]
        return X.join(pd.DataFrame(noise, columns=names, index=X.index))

    X, y = applicants(ROWS)
    assert _auc(Scorer(form="pairs", seeds=1, n_jobs=1).fit(noisy(X), y), noisy) > plain_auc - 0.07


def test_six_bads_of_three_hundred_give_about_their_share_to_everyone() -> None:
    X, _ = applicants(300)
    y = np.zeros(300)
    y[::50] = 1
    risk = Scorer(seeds=1, n_jobs=1).fit(X, y).predict_proba(X)[:, 1]
    assert risk.mean() == pytest.approx(0.02, abs=0.005)
    assert risk.max() < 0.2


def test_without_any_column_that_tells_everyone_has_the_bad_rate() -> None:
    _, y = applicants(ROWS)
    X = pd.DataFrame({"one": np.ones(ROWS), "none": np.full(ROWS, np.nan), "text": "a"})
    scorer = Scorer(seeds=1, n_jobs=1).fit(X, y)
    np.testing.assert_allclose(scorer.predict_proba(X)[:, 1], y.mean(), atol=1e-3)


def test_a_date_counts_as_its_days_since_1970() -> None:
    X, y = applicants(ROWS)
    opened = pd.Timestamp("2024-01-01") - pd.to_timedelta((X["age"] * 365).round(), unit="D")
    days = (opened - pd.Timestamp("1970-01-01")) / pd.Timedelta(days=1)
    dated = Scorer(form="pairs", seeds=1, n_jobs=1).fit(X.assign(opened=opened), y)
    numbered = Scorer(form="pairs", seeds=1, n_jobs=1).fit(X.assign(opened=days), y)
    assert dated.to_bytes()["model.txt"] == numbered.to_bytes()["model.txt"]
    np.testing.assert_array_equal(
        dated.decision_function(X.assign(opened=opened)),
        numbered.decision_function(X.assign(opened=days)),
    )


@pytest.mark.parametrize("zone", [None, "Asia/Shanghai"])
def test_a_moment_alone_is_encoded_as_in_a_batch(zone: str | None) -> None:
    X, y = applicants(200)
    age = pd.to_timedelta((X["age"] * 365 * 86_400).round(), unit="s")
    opened = pd.Timestamp("2024-01-01 12:34:56.789012", tz=zone) - age
    dated = X.assign(opened=opened, born=opened.dt.date, since=age)
    scorer = Scorer(form="pairs", seeds=1, n_jobs=1).fit(dated, y)
    again = Scorer.from_bytes(scorer.to_bytes())
    matrix = scorer.fitted_.encoding.matrix(dated)
    for row, values in zip(matrix[:20], dated[:20].to_dict(orient="records"), strict=True):
        np.testing.assert_array_equal(again.encode_row(values), row)


def test_two_columns_of_one_name_are_refused() -> None:
    X, y = applicants(100)
    with pytest.raises(MicroloanError, match="first: 'age'"):
        Scorer().fit(pd.concat([X, X[["age"]]], axis=1), y)


@pytest.mark.parametrize("form", ["pairs", "free", "deep"])
def test_a_round_that_drew_nothing_but_noise_does_not_end_the_growing(form: str) -> None:
    """Of two columns a tree sees one, and half the trees that of three lonely names."""
    random = np.random.default_rng(0)
    X = pd.DataFrame({"told": random.normal(size=ROWS), "name": ["a", "b", "c", *["d"] * 597]})
    y = (random.random(ROWS) < 1 / (1 + np.exp(2 - 2 * X["told"]))).astype(int)
    scorer = Scorer(form=form, seeds=1, n_jobs=1).fit(X, y)
    assert roc_auc_score(y, scorer.decision_function(X)) > 0.8
