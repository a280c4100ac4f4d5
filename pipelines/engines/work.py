"""What a worker does, on whichever machine: one bucket of the store becomes one part."""

import os
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from features.build import build
from features.catalog import fingerprint, select
from features.definition import Feature
from features.errors import MicroloanError, UnknownName
from pipelines.learning.provenance import code_sha256
from serving import durable
from serving.records import Records

PART = "{:05d}.arrow"
UNFINISHED = ".unfinished"


class OtherInputs(MicroloanError):
    """A worker that sees another store, or knows other features, than who sent the work."""


@dataclass(frozen=True)
class Work:
    """What is computed, from which state of which store, by which code, into which folder.

    Features travel by name: a worker computes by its own catalogue and code, which must be those
    of ``feature_fingerprint`` and ``code``.
    """

    store: Path
    store_snapshot: str
    features: tuple[str, ...]
    feature_fingerprint: str
    code: str
    parts: Path


def build_part(work: Work, bucket: int) -> int:
    """Compute the features of one bucket into its part, sorted by application; returns the bucket.

    The part appears whole or not at all, and workers at the same bucket do each other no harm.

    Raises:
        OtherInputs: store or features are not those of ``work``.
        StoreError: a file of the store is gone or damaged.
    """
    tables = _records(work.store, work.store_snapshot).bucket(bucket)
    table = build(tables["applications"], tables, _features(work))
    table = table.sort("application_id", maintain_order=True)
    descriptor, name = tempfile.mkstemp(suffix=UNFINISHED, dir=work.parts)
    with os.fdopen(descriptor, "wb") as file:
        table.write_ipc(file, compression="uncompressed")
    durable.replace(Path(name), work.parts / PART.format(bucket))
    return bucket


@lru_cache(maxsize=1)
def _records(store: Path, snapshot: str) -> Records:
    """One state of the store for all buckets, though another be committed meanwhile."""
    records = Records.open(store)
    if records.snapshot != snapshot:
        raise OtherInputs(
            f"The store {store} is in state {records.snapshot[:12]}, and features of "
            f"{snapshot[:12]} were asked for. Hint: something was taken in meanwhile; run "
            "`microloan features` again."
        )
    return records


@lru_cache(maxsize=1)
def _features(work: Work) -> tuple[Feature, ...]:
    try:
        known = select(work.features)
    except UnknownName:
        known = ()
    found, asked = (code_sha256(), fingerprint(known)), (work.code, work.feature_fingerprint)
    if found != asked:
        raise OtherInputs(
            f"A worker has code and features {_short(found)}; {_short(asked)} were asked for. "
            "Hint: install the same version of microloan on every machine; start its workers again."
        )
    return known


def _short(digests: tuple[str, str]) -> str:
    return " and ".join(digest[:12] for digest in digests)
