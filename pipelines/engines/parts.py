"""Parts of a feature table on their way: kept from run to run, and merged when all are there."""

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from pipelines.engines.work import PART, UNFINISHED, Work
from pipelines.learning.provenance import lock_sha256

WORK = "work.json"
ROWS_MERGED = 50_000  # rows in memory while parts are merged


def resume(work: Work) -> None:
    """Make the folder of the parts ready; parts of any other work are removed, ours are kept."""
    told = work.parts / WORK
    asked = json.dumps(_made_of(work), indent=2)
    if not (told.exists() and told.read_text() == asked):
        shutil.rmtree(work.parts, ignore_errors=True)
        work.parts.mkdir(parents=True)
        told.write_text(asked)
    for killed in work.parts.glob(f"*{UNFINISHED}"):
        killed.unlink()


def _made_of(work: Work) -> dict[str, str]:
    """What a part must have been made of to be ours."""
    return {
        "store_snapshot": work.store_snapshot,
        "feature_fingerprint": work.feature_fingerprint,
        "code": work.code,
        "lock": lock_sha256(),
    }


def finished(work: Work, buckets: int) -> list[int]:
    """Buckets whose part is there."""
    return [bucket for bucket in range(buckets) if (work.parts / PART.format(bucket)).exists()]


def merged(work: Work, buckets: int, rows: int = ROWS_MERGED) -> Iterator[pl.DataFrame]:
    """The rows of all parts in order of application, about so many at a time."""
    parts = [work.parts / PART.format(bucket) for bucket in range(buckets)]
    ids = [pl.read_ipc(part, columns=["application_id"]).to_series() for part in parts]
    cuts = pl.concat(ids).sort()[rows::rows]
    ends = [[*each.search_sorted(cuts, "left"), len(each)] for each in ids]
    places = [0] * len(parts)
    for upto in zip(*ends, strict=True):
        yield _between(parts, places, upto).sort("application_id", maintain_order=True)
        places = list(upto)


def _between(parts: Sequence[Path], start: Sequence[int], end: Sequence[int]) -> pl.DataFrame:
    slices = [
        pl.scan_ipc(part).slice(first, last - first)
        for part, first, last in zip(parts, start, end, strict=True)
    ]
    return pl.concat(slices).collect()
