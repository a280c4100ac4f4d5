from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import Scorer
from models.scoring.points import Points
from tests.models.scorer_portfolio import applicants


@pytest.mark.parametrize(
    ("odds_of_good", "points"), [(50, 600), (100, 620), (200, 640), (25, 580), (1, 487.12)]
)
def test_doubled_odds_are_twenty_points_more(odds_of_good: float, points: float) -> None:
    assert Points().score(-log(odds_of_good)) == pytest.approx(points, abs=0.01)


@given(st.floats(-20, 20), st.floats(1, 100), st.floats(1, 100))
def test_points_lead_back_to_the_log_odds(log_odds: float, pdo: float, base_odds: float) -> None:
    points = Points(pdo=pdo, base_odds=base_odds)
    assert points.log_odds(points.score(log_odds)) == pytest.approx(log_odds, abs=1e-9)


def test_a_scorer_speaks_its_own_scale() -> None:
    X, y = applicants(200)
    scorer = Scorer(seeds=1, pdo=50, base_points=500, base_odds=1).fit(X, y)
    default = scorer.predict_proba(X)[:, 1]
    expected = 500 + 50 * np.log2((1 - default) / default)
    np.testing.assert_allclose(scorer.score_points(X), expected, atol=1e-6)
