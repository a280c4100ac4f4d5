"""Trees grown by two Dask workers of this machine, beside those grown in one process."""

import sys
from collections.abc import Iterator

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from models import Scorer
from models.scoring.files import read_files
from models.scoring.on_cluster import NoCluster
from tests.models.scorer_portfolio import DIRECTIONS, applicants

ROWS = 6000
# two seeds of one machine differ by .002 in AUC on these rows
NOISE = 0.01


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """Address of two workers."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster.scheduler_address


@pytest.fixture(scope="module")
def both(scheduler: str) -> tuple[Scorer, Scorer]:
    """The scorer of this machine, and that of the cluster."""
    X, y = applicants(ROWS)
    one, spread = (
        Scorer(DIRECTIONS, form="pairs", seeds=2, n_jobs=1, cluster=address).fit(X, y)
        for address in (None, scheduler)
    )
    return one, spread


@pytest.mark.slow
def test_a_cluster_ranks_and_calibrates_as_one_machine_does(both: tuple[Scorer, Scorer]) -> None:
    X, y = applicants(ROWS, seed=1)
    one, spread = (scorer.predict_proba(X)[:, 1] for scorer in both)
    assert abs(roc_auc_score(y, spread) - roc_auc_score(y, one)) < NOISE
    assert abs(log_loss(y, spread) - log_loss(y, one)) < NOISE
    assert np.corrcoef(one, spread)[0, 1] > 0.98


@pytest.mark.slow
def test_what_a_cluster_grew_is_saved_served_and_explained_alike(
    both: tuple[Scorer, Scorer],
) -> None:
    _, spread = both
    X, _ = applicants(300, seed=2)
    files = spread.to_bytes()
    assert sorted(files) == ["model.txt", "scorer.json"]
    assert b"tcp://" not in b"".join(files.values())
    again = Scorer.from_bytes(files)
    np.testing.assert_array_equal(again.decision_function(X), spread.decision_function(X))
    np.testing.assert_allclose(
        spread.explain(X).sum(axis=1), spread.decision_function(X), atol=1e-9
    )
    assert f"feature_names={' '.join(X.columns)}" in read_files(files)[0].model


@pytest.mark.slow
@pytest.mark.parametrize(("feature", "direction"), DIRECTIONS.items())
def test_a_cluster_keeps_the_declared_directions(
    both: tuple[Scorer, Scorer], feature: str, direction: int
) -> None:
    X, _ = applicants(200, seed=3)
    worse = X.assign(**{feature: X[feature] + direction})
    assert (both[1].decision_function(worse) >= both[1].decision_function(X)).all()


@pytest.mark.slow
def test_an_address_where_nobody_answers_is_told() -> None:
    pytest.importorskip("distributed")
    X, y = applicants(400)
    with pytest.raises(NoCluster, match="No Dask scheduler answers at spark://x:1"):
        Scorer(form="pairs", seeds=1, cluster="spark://x:1").fit(X, y)


def test_a_cluster_without_dask_names_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    X, y = applicants(400)
    with pytest.raises(NoCluster, match=r"make cluster.*microloan\[dask\]"):
        Scorer(form="pairs", seeds=1, cluster="tcp://x:1").fit(X, y)
