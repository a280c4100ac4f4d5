import numpy as np
import pandas as pd
import pytest

from models import Scorer
from models.scoring.scorecard import BASE, NotTables, markdown, scorecard
from tests.models.scorer_portfolio import applicants


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer(form="pairs", seeds=1, pdo=40, base_points=500).fit(*applicants(500))


@pytest.fixture(scope="module")
def card(scorer: Scorer) -> pd.DataFrame:
    return scorecard(scorer)


def looked_up(card: pd.DataFrame, X: pd.DataFrame, column: str) -> np.ndarray:
    """Sum over the rows of the card that hold for each applicant, read from the card alone."""
    values = {name: X[name].to_numpy(dtype=float) for name in X}
    total = np.zeros(len(X))
    for row in card[card["feature"] != BASE].itertuples():
        holds = is_in(values[row.feature], row.above, row.up_to)
        if pd.notna(row.and_feature):
            holds &= is_in(values[row.and_feature], row.and_above, row.and_up_to)
        total += np.where(holds, getattr(row, column), 0.0)
    return total + card.loc[card["feature"] == BASE, column].item()


def is_in(values: np.ndarray, above: float, up_to: float) -> np.ndarray:
    return np.isnan(values) if np.isnan(above) else (values > above) & (values <= up_to)


def as_numbers(scorer: Scorer, X: pd.DataFrame) -> pd.DataFrame:
    """Text as the risk of its level, as the bounds of the card have it."""
    rows = [scorer.encode_row(row) for row in X.to_dict(orient="records")]
    return pd.DataFrame(rows, columns=list(X.columns))


def applicants_of_all_kinds(rows: int, seed: int) -> pd.DataFrame:
    X, _ = applicants(rows, seed)
    random = np.random.default_rng(seed)
    X["age"] *= random.choice([1.0, 50.0], rows)  # far beyond training too
    X["has_meter"] = X["has_meter"].astype(float)
    for name in X.columns:
        X.loc[random.random(rows) < 0.1, name] = np.nan
    X.loc[random.random(rows) < 0.1, "trade"] = "lighthouse"
    return X


@pytest.mark.parametrize("seed", [1, 2])
def test_points_looked_up_add_up_to_the_score(
    scorer: Scorer, card: pd.DataFrame, seed: int
) -> None:
    X = applicants_of_all_kinds(400, seed)
    numbers = as_numbers(scorer, X)
    found = looked_up(card, numbers, "points")
    np.testing.assert_allclose(found, scorer.score_points(X), rtol=0, atol=1e-9)
    found = looked_up(card, numbers, "log_odds")
    np.testing.assert_allclose(found, scorer.decision_function(X), rtol=0, atol=1e-9)


def test_every_feature_and_pair_of_the_trees_is_on_the_card(
    scorer: Scorer, card: pd.DataFrame
) -> None:
    X, _ = applicants(10)
    assert set(card["feature"]) - {BASE} == set(X.columns)
    pairs = card.dropna(subset="and_feature").groupby(["feature", "and_feature"]).ngroups
    assert pairs == len(scorer.served_.first) > 0


def test_bins_of_text_name_its_levels_and_bins_of_numbers_their_bounds(card: pd.DataFrame) -> None:
    alone = card[card["and_feature"].isna()]
    trades = ", ".join(alone.loc[alone["feature"] == "trade", "bin"]).replace(" or ", ", ")
    assert set(trades.split(", ")) == {
        *("bakery", "haulage", "textile", "tutoring", "missing", "unseen")
    }
    trend = alone[alone["feature"] == "sales_trend"]
    assert trend["bin"].iloc[0] == f"≤ {trend['up_to'].iloc[0]:.4g}"
    assert trend["bin"].iloc[-1] == "missing"
    assert not trend["bin"].duplicated().any()


def test_a_feature_never_missing_in_training_says_which_bin_takes_the_missing(
    card: pd.DataFrame,
) -> None:
    age = card[(card["feature"] == "age") & card["and_feature"].isna()]
    assert age["bin"].str.endswith(" or missing").sum() == 1
    assert "missing" not in set(age["bin"])


def test_markdown_shows_the_points_of_the_card(card: pd.DataFrame) -> None:
    text = markdown(card, most_pairs=1)
    age = card[(card["feature"] == "age") & card["and_feature"].isna()]
    for row in age.itertuples():
        assert f"| {row.bin} | {row.points:+.1f} |" in text
    assert text.count("\\ ") == 1
    assert "the 1 widest of" in text


def test_a_scorer_of_free_trees_has_no_card() -> None:
    free = Scorer(form="free", seeds=1).fit(*applicants(300))
    with pytest.raises(NotTables, match="form='pairs'"):
        scorecard(free)
