"""Train a scorer on any flat table, a row per loan, through the same path as the feeds."""

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
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

COPY_OF = " copy of"  # no name of a table's own begins with a blank
COPIES = 0.01  # share of repeated rows from which they are no chance
MOST_ALIKE = 0.05  # share of the rows that may be alike where rows are told apart at all


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
    """Fit, validate and register a scorer on ``table`` (Parquet, CSV, Excel or JSON).

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
    if gap_days < 0:
        raise MicroloanError(f"--gap-days is {gap_days}; it is a number of days, 0 or more.")
    aside = tuple(name for name in (*drop, id_column) if name is not None)
    frame, features, warnings = _read(table, target, bad, good, time, aside)
    frame, copies = _with_copies(frame)
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
        warnings=[*warnings, *copies],
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
    _demand_columns(frame.columns, target, time, aside)
    clean, warnings = plain(frame.drop(aside), keep=(target,))
    flags, granted = outcome(clean[target], bad, good)
    frame = clean.with_columns(flags).filter(flags.is_not_null())
    told = [*granted, *_named_twice(frame.columns), *warnings]
    if time is not None:
        frame, ages = with_ages(frame.with_columns(days(frame[time])), time)
        told += [*_undated(frame[time]), *ages]
    known = [target] if time is None else [target, time]
    features, left_out = usable(frame.drop(known))
    return frame.select(*known, *features), features, [*told, *left_out]


def _demand_columns(
    known: Sequence[str], target: str, time: str | None, aside: tuple[str, ...]
) -> None:
    for name in (target, time, *aside):
        if name is not None and name not in known:
            raise UnknownName("column", name, known)
    if time == target:
        raise MicroloanError(f"--time and --target are both {target!r}; they are two columns.")
    for option, name in (("--target", target), ("--time", time)):
        if name in aside:
            raise MicroloanError(f"--drop or --id takes {name!r} away, which is {option}.")


def _named_twice(columns: Sequence[str]) -> list[str]:
    """Names that reading made, where the file has one name over two columns."""
    made = (re.fullmatch(r"(.+)_duplicated_\d+", name) for name in columns)
    return [
        f"another column is named {match[1]!r}; the later one is read as {match[0]!r}"
        for match in made
        if match
    ]


def _with_copies(frame: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """Where rows are repeated, the number of the different row that each is, and a warning.

    A copy on the other side of a split would be foretold by heart. Rows of few different values
    are alike by chance, and stay as they are.
    """
    repeated = frame.height - frame.n_unique()
    if repeated < COPIES * frame.height:
        return frame, []
    numbered = frame.with_columns(pl.struct(frame.columns).rank("dense").alias(COPY_OF))
    if np.bincount(numbered[COPY_OF]).max() > MOST_ALIKE * frame.height:
        return frame, []
    told = f"{repeated:,} rows repeat another one; rows that are alike stay on one side of the test"
    return numbered, [f"{told}. Hint: give each loan once."]


def _undated(time: pl.Series) -> list[str]:
    missing = time.null_count()
    return [f"{missing:,} rows without a time in {time.name!r} are left out"] if missing else []


def _divide(frame: pl.DataFrame, target: str, time: str | None, gap_days: int, seed: int) -> Split:
    if time is None:
        groups = COPY_OF if COPY_OF in frame.columns else None
        return random_share(frame, stratify=target, groups=groups, seed=seed)
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
        groups=rows[COPY_OF] if COPY_OF in rows.columns else None,
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
