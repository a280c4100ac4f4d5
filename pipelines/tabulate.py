"""Compute the features of every application in the store, one bucket after another."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from features.build import build
from features.catalog import fingerprint
from features.definition import Feature
from features.errors import MicroloanError
from serving.records import Records

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class FeatureSummary:
    """What a feature build made, and from what."""

    applications: int
    features: int
    buckets: int
    feature_fingerprint: str
    store_snapshot: str
    table_sha256: str
    path: str


def tabulate(
    store: Path, out: Path, features: Sequence[Feature], *, progress: Progress | None = None
) -> FeatureSummary:
    """Write the features of every application in ``store`` to the Parquet file ``out``.

    One bucket is in memory at a time. Rows are sorted by application. What the table was made of
    is written beside it as ``about.json``.
    """
    records = Records.open(store)
    parts = []
    for bucket in range(records.buckets):
        tables = records.bucket(bucket)
        parts.append(build(tables["applications"], tables, features))
        if progress:
            progress(bucket + 1, records.buckets)
    table = pl.concat(parts).sort("application_id")
    out.parent.mkdir(parents=True, exist_ok=True)
    table.write_parquet(out, compression="zstd")
    summary = FeatureSummary(
        applications=table.height,
        features=len(features),
        buckets=records.buckets,
        feature_fingerprint=fingerprint(features),
        store_snapshot=records.snapshot,
        table_sha256=hashlib.sha256(out.read_bytes()).hexdigest(),
        path=str(out),
    )
    _about(out).write_text(json.dumps(summary.__dict__, indent=2) + "\n")
    return summary


def read_features(path: Path, features: Sequence[Feature]) -> tuple[pl.DataFrame, FeatureSummary]:
    """Read a feature table back.

    Raises:
        MicroloanError: there is none, or it was built by other definitions than ``features``.
    """
    if not path.exists():
        raise MicroloanError(f"No feature table at {path}. Run `microloan features` first.")
    summary = FeatureSummary(**json.loads(_about(path).read_text()))
    if summary.feature_fingerprint != fingerprint(features):
        raise MicroloanError(
            f"{path} was built by other feature definitions ({summary.feature_fingerprint[:12]}, "
            f"now {fingerprint(features)[:12]}). Run `microloan features` again."
        )
    return pl.read_parquet(path), summary


def _about(table: Path) -> Path:
    return table.with_name("about.json")
