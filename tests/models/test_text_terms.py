"""What large trees see of text: how common a level is, and the risk of two levels that meet."""

import numpy as np
import pandas as pd
import pytest

from models import Scorer
from models.scoring.columns import Columns
from models.scoring.encoding import Encoding, fit_encoding
from models.scoring.risks import PARTS
from models.scoring.text_terms import MOST_PAIRS, plan_terms


def banks(rows: int = 1200, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Risk lies in which bank meets which town: alone, neither tells."""
    random = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "bank": random.choice(list("abcd"), rows),
            "town": random.choice(list("uvwxyz"), rows),
            "age": random.normal(size=rows),
        }
    )
    X.loc[random.random(rows) < 0.1, "town"] = None
    meets = X["bank"].isin(["a", "b"]) == X["town"].isin(["u", "v", "w"])
    y = random.random(rows) < np.where(meets, 0.7, 0.1)
    return X, y.astype(int)


def encoded(X: pd.DataFrame, y: np.ndarray) -> tuple[Encoding, np.ndarray]:
    columns = Columns.of(X)
    codes, part = columns.codes(X), np.arange(len(X)) % PARTS
    plan = plan_terms(columns, codes)
    encoding, seen = fit_encoding(columns, codes, y.astype(float), np.ones(len(y)), part, plan)
    return encoding, seen[:]


def test_a_level_counts_its_rows_and_an_unknown_one_is_as_rare_as_can_be() -> None:
    X, y = banks()
    encoding, seen = encoded(X, y)
    assert [term.of for term in encoding.terms] == [(0,), (1,), (0, 1)]
    asked = pd.DataFrame({"bank": ["a", "q", None], "town": ["u", "u", None], "age": [0.0] * 3})
    counts = encoding.matrix(asked)[:, 3:5]
    assert counts[0].tolist() == [(X["bank"] == "a").sum(), (X["town"] == "u").sum()]
    assert counts[1, 0] == 1
    assert counts[2, 1] == X["town"].isna().sum()  # the missing are a level
    np.testing.assert_array_equal(seen[:, 3], X["bank"].map(X["bank"].value_counts()))


def test_levels_that_meet_have_a_risk_of_their_own_and_unknown_pairs_none() -> None:
    X, y = banks()
    encoding, _ = encoded(X, y)
    asked = pd.DataFrame({"bank": ["a", "a", "q"], "town": ["u", "x", "u"], "age": [0.0] * 3})
    met, apart, unknown = encoding.matrix(asked)[:, 5]
    assert met > 0.5 > 0.2 > apart
    assert np.isnan(unknown)


def test_a_rare_pair_does_not_know_its_own_row() -> None:
    X, y = banks(100)
    lonely = pd.DataFrame({"bank": ["a"], "town": ["only here"], "age": [0.0]})
    _, seen = encoded(pd.concat([X, lonely], ignore_index=True), np.append(y, 1))
    assert np.isnan(seen[-1, 5])


def test_pairs_that_say_nothing_new_are_left_out_and_of_many_the_densest_stay() -> None:
    X, _ = banks()
    nested = X.assign(street=X["town"].fillna("?") + "1")  # a name of the town
    columns = Columns.of(nested)
    assert (1, 3) not in plan_terms(columns, columns.codes(nested))
    random = np.random.default_rng(0)
    wide = pd.DataFrame(
        {f"t{at}": random.integers(0, 2 + at, 3000).astype(str) for at in range(12)}
    )
    columns = Columns.of(wide)
    pairs = [of for of in plan_terms(columns, columns.codes(wide)) if len(of) == 2]
    assert len(pairs) == MOST_PAIRS
    assert (0, 1) in pairs
    assert (10, 11) not in pairs


@pytest.mark.parametrize("form", ["free", "deep"])
def test_what_terms_add_is_explained_by_their_columns_online_as_in_a_batch(form: str) -> None:
    X, y = banks()
    scorer = Scorer(form=form, seeds=2, n_jobs=1).fit(X, y)
    again = Scorer.from_bytes(scorer.to_bytes())
    asked, _ = banks(60, seed=1)
    asked.loc[:5, "bank"] = "never seen"
    log_odds, explained = scorer.decision_function(asked), scorer.explain(asked)
    assert [*explained] == ["bank", "town", "age", "base"]
    np.testing.assert_allclose(explained.sum(axis=1), log_odds, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(again.decision_function(asked), log_odds)
    for at, values in enumerate(asked.to_dict(orient="records")):
        row = again.explain_row(again.encode_row(values))
        assert again.base_ + row.sum() == pytest.approx(log_odds[at], abs=1e-9)


def test_pairs_see_no_terms() -> None:
    scorer = Scorer(form="pairs", seeds=1, n_jobs=1).fit(*banks(400))
    assert scorer.fitted_.encoding.terms == ()
