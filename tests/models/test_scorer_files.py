import json
from pathlib import Path

import numpy as np
import pytest

from models import Scorer
from models.scoring.files import BrokenScorer
from tests.models.scorer_portfolio import DIRECTIONS, applicants


@pytest.fixture(scope="module", params=["pairs", "free"])
def fitted(request: pytest.FixtureRequest) -> Scorer:
    X, y = applicants(600)
    return Scorer(DIRECTIONS, form=request.param, seeds=2, pdo=40).fit(X, y)


def test_a_saved_scorer_answers_as_before(fitted: Scorer, tmp_path: Path) -> None:
    X, _ = applicants(200, seed=1)
    loaded = Scorer.load(fitted.save(tmp_path / "scorer"))
    np.testing.assert_array_equal(loaded.predict_proba(X), fitted.predict_proba(X))
    np.testing.assert_array_equal(loaded.score_points(X), fitted.score_points(X))
    np.testing.assert_array_equal(loaded.explain(X), fitted.explain(X))
    assert loaded.to_bytes() == fitted.to_bytes()


def test_the_folder_holds_text_alone(fitted: Scorer, tmp_path: Path) -> None:
    folder = fitted.save(tmp_path)
    assert {file.name for file in folder.iterdir()} == {"model.txt", "scorer.json"}
    assert (folder / "model.txt").read_text().startswith("tree\n")
    json.loads((folder / "scorer.json").read_text())


def test_a_truncated_model_is_refused_before_a_tree_is_read(fitted: Scorer) -> None:
    files = fitted.to_bytes()
    for cut in (0, 10, len(files["model.txt"]) // 2, len(files["model.txt"]) - 1):
        with pytest.raises(BrokenScorer, match="same save"):
            Scorer.from_bytes(files | {"model.txt": files["model.txt"][:cut]})


def test_damaged_json_is_refused(fitted: Scorer) -> None:
    files = fitted.to_bytes()
    for broken in (b"", b"[]", b'{"format": 1}', files["scorer.json"][:-100]):
        with pytest.raises(BrokenScorer):
            Scorer.from_bytes(files | {"scorer.json": broken})


def test_a_missing_file_is_named(fitted: Scorer) -> None:
    with pytest.raises(BrokenScorer, match=r"no model\.txt"):
        Scorer.from_bytes({"scorer.json": fitted.to_bytes()["scorer.json"]})


def test_labels_of_any_kind_survive() -> None:
    X, y = applicants(200)
    for labels in (np.array(["good", "sour"]), np.array([False, True]), np.array([3, 9])):
        scorer = Scorer(seeds=1).fit(X, labels[y])
        loaded = Scorer.from_bytes(scorer.to_bytes())
        np.testing.assert_array_equal(loaded.classes_, labels)
        assert set(loaded.predict(X)) <= set(labels)
