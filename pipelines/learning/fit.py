"""Train a scorer on any flat table, a row per loan, through the same path as the feeds."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import polars as pl

from features.errors import MicroloanError, UnknownName
from models import Scorer
from models.loans.splits import BadSplit, Split, latest, random_share
from models.registry import Registry
from pipelines.learning.flat_columns import days, outcome, usable, with_ages
from pipelines.learning.flat_file import read_flat_file
from pipelines.learning.learn import Learnt, Part, by_flag, learn
from pipelines.learning.plain import plain
from pipelines.settings import Var


def fit_table(
    paths: Var,
    table: Path,
    *,
    target: str,
    bad: str | None = None,
    good: str | None = None,
    time: str | None = None,
    drop: Sequence[str] = (),
    id_column: str | None = None,
    prior: float | None = None,
    gap_days: int = 0,
    form: Literal["auto", "pairs", "free", "deep"] = "auto",
    seed: int = 0,
    rivals: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> Learnt:
    """Fit, validate and register a scorer on ``table`` (Parquet, CSV or Excel).

    ``bad`` and ``good`` are the values of ``target`` that mean default and none, see `outcome`.
    With ``time`` the newest quarter is the test, else a random quarter. ``prior`` is the true share
    of defaults of a case-control sample: rows are then weighted to it. ``form`` is the scorer's:
    "auto" tries three forms of trees, "pairs" is the fastest and explains exactly. ``rivals``
    compares with challengers of other makes.

    Raises:
        MicroloanError: the file, a column or the target's values are not what the rule asks for.
    """
    if prior is not None and not 0 < prior < 1:
        raise MicroloanError(f"--prior is {prior}; it is a share between 0 and 1, as 0.176.")
    aside = tuple(name for name in (*drop, id_column) if name is not None)
    frame, features, warnings = _read(table, target, bad, good, time, aside)
    split = _divide(frame, target, time, gap_days, seed)
    weights = _weights(frame[target], prior) if prior else None
    return learn(
        Registry(paths.mlflow),
        by_flag(Scorer(form=form, random_state=seed)),
        _part(split.train, features, target, time, weights),
        _part(split.test, features, target, time, weights),
        name=table.stem,
        fingerprint=_fingerprint(frame.select(features)),
        fingerprints={"table": hashlib.sha256(table.read_bytes()).hexdigest()},
        parameters={"table": table.name, "target": target, "time": time, "seed": seed},
        plots=paths.plots,
        rivals=rivals,
        warnings=warnings,
        progress=progress,
    )


def _read(
    table: Path,
    target: str,
    bad: str | None,
    good: str | None,
    time: str | None,
    aside: tuple[str, ...],
) -> tuple[pl.DataFrame, list[str], list[str]]:
    """Rows with an outcome; the names of their features; and what was taken for granted."""
    frame = read_flat_file(table)
    for name in (target, time, *aside):
        if name is not None and name not in frame.columns:
            raise UnknownName("column", name, frame.columns)
    clean, warnings = plain(frame.drop(aside), keep=(target,))
    flags, granted = outcome(clean[target], bad, good)
    frame = clean.with_columns(flags).filter(flags.is_not_null())
    told = [*granted, *warnings]
    if time is not None:
        frame, ages = with_ages(frame.with_columns(days(frame[time])), time)
        told += [*_undated(frame[time]), *ages]
    known = [target] if time is None else [target, time]
    features, left_out = usable(frame.drop(known))
    return frame.select(*known, *features), features, [*told, *left_out]


def _undated(time: pl.Series) -> list[str]:
    missing = time.null_count()
    return [f"{missing:,} rows without a time in {time.name!r} are left out"] if missing else []


def _divide(frame: pl.DataFrame, target: str, time: str | None, gap_days: int, seed: int) -> Split:
    if time is None:
        return random_share(frame, stratify=target, seed=seed)
    split = latest(frame, time=time, gap_days=gap_days)
    for name, part in split.parts():
        bads = int(part[target].sum())
        if not 0 < bads < part.height:
            raise BadSplit(
                f"Cut by {time!r}, the {name} part has {bads} defaults among {part.height:,} rows; "
                "it needs both outcomes. Hint: leave out --time for a random test, or give rows "
                "of a longer time, all with outcomes that were long known."
            )
    return split


def _part(
    rows: pl.DataFrame,
    features: list[str],
    target: str,
    time: str | None,
    weights: tuple[float, float] | None,
) -> Part:
    bad = rows[target]
    return Part(
        features=rows.select(features),
        bad=bad.cast(pl.Float64),
        applied_on=rows[time] if time else None,
        weight=bad.replace_strict([0, 1], weights, return_dtype=pl.Float64) if weights else None,
    )


def _weights(bad: pl.Series, prior: float) -> tuple[float, float]:
    """Weights of a good and a bad row that give defaults their true share of the whole table."""
    share = bad.mean()
    assert isinstance(share, float)
    return (1 - prior) / (1 - share), prior / share


def _fingerprint(features: pl.DataFrame) -> str:
    declared = [(name, str(dtype)) for name, dtype in features.schema.items()]
    return hashlib.sha256(json.dumps(declared).encode()).hexdigest()
