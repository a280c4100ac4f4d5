"""Real Chinese firms through the feeds: invoices to features to a cross-validated AUC.

    python benchmarks/real_invoices.py ../shared/data/cumcm2020c --out var/real_invoices

The firms' invoices are delivered as feeds, ingested, turned into features as of the month after
each firm's last invoice, and the default flag is foretold out of fold, 10 times 5 folds.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score

from features.catalog import CATALOG, directions
from models import Scorer
from models.validation import metrics
from pipelines.cumcm import deliver
from pipelines.intake.ingest import ingest
from pipelines.tabulate import read_features, tabulate

REPEATS, FOLDS = 10, 5


def firms(source: Path, out: Path) -> tuple[pl.DataFrame, np.ndarray, dict[str, int]]:
    """Features of each firm, whether it defaulted, and what ingest counted."""
    feeds = deliver(source, out)
    total = ingest(feeds, out / "store", out / "quarantine").total
    table = out / "features" / "applications.parquet"
    tabulate(out / "store", table, CATALOG)
    rows, _ = read_features(table, CATALOG)
    known = rows.join(pl.read_parquet(out / "defaults.parquet"), on="application_id")
    features = known.select(feature.name for feature in CATALOG)
    spoken = [column.name for column in features if column.n_unique() > 1]
    counts = {"delivered": total.delivered, "accepted": total.accepted}
    return features.select(spoken), known["is_default"].cast(pl.Int8).to_numpy(), counts


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("--out", type=Path, default=Path("var/real_invoices"))
    asked = parser.parse_args()
    features, bad, counts = firms(asked.source, asked.out)
    declared = {
        name: sign for name, sign in directions(CATALOG).items() if name in features.columns
    }
    scorer = Scorer(directions=declared, form="pairs", seeds=1)
    folds = RepeatedStratifiedKFold(n_splits=FOLDS, n_repeats=REPEATS, random_state=0)
    frame = features.to_pandas()
    scores = cross_val_score(scorer, frame, bad, scoring="roc_auc", cv=folds)
    scorer.fit(features, bad)
    low, high = metrics.bootstrap_interval(metrics.auc, bad, scorer.out_of_fold_)
    figures = {
        **counts,
        "firms": len(bad),
        "defaults": int(bad.sum()),
        "features": features.width,
        "auc": float(scores.mean()),
        "auc_standard_error": float((high - low) / 3.92),
        "auc_spread_over_repeats": float(scores.reshape(REPEATS, FOLDS).mean(axis=1).std(ddof=1)),
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
