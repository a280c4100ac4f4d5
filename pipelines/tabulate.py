"""Compute the features of every application in the store, bucket by bucket, into one table."""

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from features.catalog import fingerprint
from features.definition import Feature
from features.errors import MicroloanError
from pipelines.alone import alone
from pipelines.engines import Engine
from pipelines.engines.local import here
from pipelines.engines.parts import finished, merged, resume
from pipelines.engines.work import Work
from pipelines.learning.provenance import code_sha256
from serving import durable
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
    store: Path,
    out: Path,
    features: Sequence[Feature],
    *,
    engine: Engine = here,
    progress: Progress | None = None,
) -> FeatureSummary:
    """Write the features of every application in ``store`` to the Parquet file ``out``.

    A worker holds one bucket at a time, and so does the merge. Rows are sorted by application; the
    bytes do not depend on the engine. A killed run is taken up at its last finished bucket, unless
    store or features have changed. What the table was made of is written beside it as
    ``about.json``.

    Raises:
        MicroloanError: there is no store, another process computes into the same folder, or a
            worker has other inputs.
    """
    records = Records.open(store)
    work = Work(
        store=store.resolve(),
        store_snapshot=records.snapshot,
        features=tuple(feature.name for feature in features),
        feature_fingerprint=fingerprint(features),
        code=code_sha256(),
        parts=out.parent.resolve() / "parts",
    )
    with alone(out.parent, "computing features into"):
        resume(work)
        _compute(work, records.buckets, engine, progress)
        applications = _write(work, records.buckets, out)
        with out.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        summary = FeatureSummary(
            applications=applications,
            features=len(features),
            buckets=records.buckets,
            feature_fingerprint=work.feature_fingerprint,
            store_snapshot=work.store_snapshot,
            table_sha256=digest,
            path=str(out),
        )
        durable.write(_about(out), (json.dumps(summary.__dict__, indent=2) + "\n").encode())
        shutil.rmtree(work.parts)
    return summary


def _compute(work: Work, buckets: int, engine: Engine, progress: Progress | None) -> None:
    done = finished(work, buckets)
    todo = [bucket for bucket in range(buckets) if bucket not in set(done)]
    for _ in engine(work, todo) if todo else ():
        if progress:
            progress(len(finished(work, buckets)), buckets)


def _write(work: Work, buckets: int, out: Path) -> int:
    """Merge the parts into ``out``, which is not there in between; returns its rows."""
    unfinished = work.parts / "table.unfinished"
    frames = merged(work, buckets)
    first = _in_arrow(next(frames))
    with pq.ParquetWriter(unfinished, first.schema, compression="zstd") as writer:
        writer.write_table(first)
        rows = first.num_rows
        for table in map(_in_arrow, frames):
            writer.write_table(table)
            rows += table.num_rows
    _about(out).unlink(missing_ok=True)
    durable.replace(unfinished, out)
    return int(rows)


def _in_arrow(frame: pl.DataFrame) -> Any:
    return frame.to_arrow(compat_level=pl.CompatLevel.oldest())


def read_features(path: Path, features: Sequence[Feature]) -> tuple[pl.DataFrame, FeatureSummary]:
    """Read a feature table back.

    Raises:
        MicroloanError: there is none, or it was built by other definitions than ``features``.
    """
    if not _about(path).exists():
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
