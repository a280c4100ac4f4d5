"""Train a scorer on any flat table, a row per loan, through the same path as the feeds."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import polars as pl

from features.errors import MicroloanError, UnknownName
from models import Scorer
from models.loans.splits import Split, latest, random_share
from models.registry import Registry
from pipelines.learning.learn import Learnt, Part, by_flag, learn
from pipelines.settings import Var

NULLS = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"]
MANY_NAMES = 0.9  # text with more distinct values than this share of the rows names the rows


def fit_table(
    paths: Var,
    table: Path,
    *,
    target: str,
    bad: str | None = None,
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
    """Fit, validate and register a scorer on ``table`` (Parquet or CSV).

    With ``time`` the newest quarter is the test, else a random quarter. ``prior`` is the true share
    of defaults of a case-control sample: rows are then weighted to it. ``form`` is the scorer's:
    "auto" tries three forms of trees, "pairs" is the fastest and explains exactly. ``rivals``
    compares with challengers of other makes.

    Raises:
        MicroloanError: the file, a column or the target's values are not what the rule asks for.
    """
    if prior is not None and not 0 < prior < 1:
        raise MicroloanError(f"--prior is {prior}; it is a share between 0 and 1, as 0.176.")
    frame = read_table(table)
    for name in (target, time, id_column, *drop):
        if name is not None and name not in frame.columns:
            raise UnknownName("column", name, frame.columns)
    frame = frame.with_columns(_outcome(frame[target], bad).alias(target))
    frame = frame.filter(pl.col(target).is_not_null())
    aside = [name for name in (target, time, id_column, *drop) if name is not None]
    features, warnings = _usable(frame.drop(aside))
    if time is not None:
        frame = frame.with_columns(_days(frame[time]).alias(time))
    frame = frame.select(target, *([time] if time else []), *features)
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


def read_table(path: Path) -> pl.DataFrame:
    """Read a Parquet or CSV file.

    Raises:
        MicroloanError: it is missing, of another kind, or cannot be read.
    """
    if not path.is_file():
        raise MicroloanError(f"No file {path}. Name a Parquet or CSV file with a row per loan.")
    try:
        if path.suffix == ".csv":
            return pl.read_csv(
                path, infer_schema_length=None, try_parse_dates=True, null_values=NULLS
            )
        return pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise MicroloanError(
            f"{path} cannot be read as {path.suffix or 'Parquet'}: {reason}"
        ) from error


def _outcome(target: pl.Series, bad: str | None) -> pl.Series:
    """1 for default, 0 for none, null where unknown."""
    values = target.cast(pl.String) if target.dtype != pl.Boolean else target.cast(pl.Int8)
    known = sorted(str(value) for value in target.drop_nulls().unique().to_list())
    if bad is not None:
        if bad not in known:
            raise UnknownName(f"value of {target.name}", bad, known[:20])
        return (values == bad).cast(pl.Int8)
    numbers = values.cast(pl.Float64, strict=False)
    if numbers.null_count() > target.null_count() or not set(numbers.drop_nulls()) <= {0.0, 1.0}:
        raise MicroloanError(
            f"Column {target.name!r} holds {', '.join(known[:6])}; it must be 0/1 or true/false. "
            f"Hint: say which value means default, as --bad {known[0] if known else 'VALUE'}."
        )
    return numbers.cast(pl.Int8)


def _usable(frame: pl.DataFrame) -> tuple[list[str], list[str]]:
    """Columns a scorer can learn from, and a warning for each left out."""
    used, warnings = [], []
    for column in frame.iter_columns():
        why = _unusable(column)
        if why:
            warnings.append(f"column {column.name!r} is left out: {why}")
        else:
            used.append(column.name)
    if not used:
        raise MicroloanError("No column is left to learn from. Hint: see --drop and --id.")
    return used, warnings


def _unusable(column: pl.Series) -> str:
    if column.dtype.is_temporal():
        return "a date is no feature as it stands; give it as --time, or as an age in a number"
    if column.dtype.is_nested():
        return f"{column.dtype} is not a plain value"
    distinct = column.n_unique()
    if column.dtype == pl.String and distinct > MANY_NAMES * max(len(column), 20):
        return f"{distinct:,} distinct texts in {len(column):,} rows name the rows"
    return "" if distinct > 1 else "it has one value only"


def _days(time: pl.Series) -> pl.Series:
    """The time as dates, from dates, datetimes, ISO texts or years."""
    if time.dtype.is_temporal():
        return time.cast(pl.Date)
    if time.dtype.is_integer():
        return pl.select(pl.date(pl.lit(time), 1, 1)).to_series()
    days = time.cast(pl.String).str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)
    if days.null_count() > time.null_count():
        raise MicroloanError(
            f"Column {time.name!r} holds times such as {time.drop_nulls()[0]!r}; "
            "write them as 2024-12-31, or as a year."
        )
    return days


def _divide(frame: pl.DataFrame, target: str, time: str | None, gap_days: int, seed: int) -> Split:
    if time is not None:
        return latest(frame, time=time, gap_days=gap_days)
    return random_share(frame, stratify=target, seed=seed)


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
