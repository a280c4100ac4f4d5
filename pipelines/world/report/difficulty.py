"""How hard the province is to learn: what each department's features are worth, and the ceiling.

The feeds go through ingest and the feature build as any delivery does. A small boosted model of
each block of features learns the (true or counterfactual) outcomes of the earlier applications and
ranks the later ones. A later application counts as bad by its true probability and as good by the
rest, which takes the luck of outcomes out of the figures.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import lightgbm
import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from features.catalog import CATALOG
from features.definition import Feature
from pipelines.intake.ingest import ingest
from pipelines.tabulate import tabulate
from pipelines.world.report.evidence import Evidence
from pipelines.world.report.marginal import Marginal

LEARNT_SHARE = 0.6  # of the applications, the earliest
SHUFFLES = 12
PARAMETERS: dict[str, Any] = {
    "objective": "binary", "num_leaves": 6, "learning_rate": 0.06, "min_data_in_leaf": 80,
    "lambda_l2": 10.0, "feature_fraction": 0.6, "num_threads": 1, "deterministic": True,
    "force_row_wise": True, "verbose": -1, "seed": 0,
}  # fmt: skip
ROUNDS = 150
BLOCKS = (
    ("registry", ("registry",), 0.645, 0.66, 0.02, "E: Gini .29–.32 ± .04"),
    ("tax", ("tax",), 0.725, 0.745, 0.02, "E: Gini .45–.49 ± .04"),
    ("utility, the unmatched included", ("utility",), 0.655, 0.68, 0.02, "E: Gini .31–.36 ± .04"),
    ("registry and tax", ("registry", "tax"), 0.755, 0.77, 0.02, "E: Gini .51–.54 ± .04"),
)  # fmt: skip
ALL = ("registry", "tax", "utility")
Floats = NDArray[np.float64]


def marginals(evidence: Evidence) -> Iterator[Marginal]:
    """Areas under the curve, later applications; the granted are always told beside them."""
    rows = _tabulated(evidence)
    early = np.arange(rows.height) < LEARNT_SHARE * rows.height
    later = rows.filter(pl.Series(~early))
    for name, departments, low, high, give, source in BLOCKS:
        risk = _ranked(rows, early, _block(departments))
        title = f"{name}, through the door"
        yield _area(title, low - give, high + give, source, expected_auc(later, risk), later.height)
    risk = _ranked(rows, early, _block(ALL))
    source = "issue 3, E, J3"
    title = "registry, tax and utility, through the door"
    yield _area(title, 0.76, 0.79, source, expected_auc(later, risk), later.height)
    kept = later["outcome"] == "granted"
    book = later.filter(kept)
    title = "registry, tax and utility, the granted alone"
    yield _area(title, 0.64, 0.70, source, expected_auc(book, risk[kept.to_numpy()]), book.height)
    yield _oracle(rows)
    yield _shuffled(rows, early)
    yield _strongest(rows)


def _area(
    name: str, low: float, high: float, source: str, measured: float | None, sample: int,
    note: str = "",
) -> Marginal:  # fmt: skip
    title = f"AUC: {name}"
    return Marginal("difficulty", title, low, high, source, measured, sample, note=note)


def _tabulated(evidence: Evidence) -> pl.DataFrame:
    """Features of the decided applications with their truth, oldest first."""
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        ingest(evidence.folder / "feeds", folder / "store", folder / "quarantine")
        tabulate(folder / "store", folder / "features.parquet", CATALOG)
        features = pl.read_parquet(folder / "features.parquet")
    truth = evidence.decided.select(
        "application_id", "applied_at", "outcome", "true_pd", "would_default"
    )
    rows = features.join(truth, on="application_id")
    return rows.sort("applied_at", "application_id")


def _block(departments: Sequence[str]) -> tuple[Feature, ...]:
    return tuple(f for f in CATALOG if f.department in departments)


def _matrix(rows: pl.DataFrame, features: Sequence[Feature]) -> Floats:
    """Numbers as they are, categories by their rank, unknown as not a number."""
    columns = [
        pl.col(f.name).cast(pl.String).rank("dense") if f.is_category else pl.col(f.name)
        for f in features
    ]
    return np.asarray(rows.select(c.cast(pl.Float64) for c in columns).to_numpy())


def _ranked(
    rows: pl.DataFrame, early: NDArray[np.bool_], features: Sequence[Feature],
    bad: NDArray[Any] | None = None,
) -> Floats:  # fmt: skip
    """Risk of the later applications, by a model of the earlier ones."""
    matrix = _matrix(rows, features)
    label = rows["would_default"].to_numpy()[early] if bad is None else bad
    data: Any = lightgbm.Dataset(matrix[early], label.astype(float), free_raw_data=False)
    booster = lightgbm.train(PARAMETERS, data, ROUNDS)
    return np.asarray(booster.predict(matrix[~early], num_threads=1), dtype=np.float64)


def expected_auc(rows: pl.DataFrame, risk: Floats) -> float:
    """AUC where each row is bad by its true probability and good by the rest."""
    true = rows["true_pd"].to_numpy()
    bad = np.repeat([1, 0], len(true))
    return float(
        roc_auc_score(bad, np.tile(risk, 2), sample_weight=np.concatenate([true, 1 - true]))
    )


def _oracle(rows: pl.DataFrame) -> Marginal:
    """The ceiling, against realised and counterfactual outcomes: they know nothing of its noise."""
    bad, probability = rows["would_default"].to_numpy(), rows["true_pd"].to_numpy()
    area = float(roc_auc_score(bad, probability))
    return _area("true probability, through the door", 0.86, 0.89, "J3", area, rows.height)


def _shuffled(rows: pl.DataFrame, early: NDArray[np.bool_]) -> Marginal:
    """Outcomes dealt out anew to all applications: nothing can be learnt of them."""
    areas = []
    for seed in range(SHUFFLES):
        bad = np.random.default_rng(seed).permutation(rows["would_default"].to_numpy())
        risk = _ranked(rows, early, _block(ALL), bad[early])
        areas.append(roc_auc_score(bad[~early], risk))
    name = f"outcomes shuffled, mean of {SHUFFLES}"
    return _area(name, 0.49, 0.51, "J4", float(np.mean(areas)), int((~early).sum()))


def _strongest(rows: pl.DataFrame) -> Marginal:
    """The feature that ranks best alone, either way round; where it is known."""
    best, name = 0.0, ""
    for feature in _block(ALL):
        values = _matrix(rows, [feature])[:, 0]
        known = ~np.isnan(values)
        if known.sum() > 1_000:
            area = expected_auc(rows.filter(pl.Series(known)), values[known])
            best, name = max((best, name), (max(area, 1 - area), feature.name))
    return _area("strongest single feature", 0.5, 0.72, "J4", best, rows.height, f"it is {name}")
