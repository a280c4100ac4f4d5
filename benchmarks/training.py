"""Training: the scorer's growing against bare ``lightgbm.train`` growing the same trees.

Both start in a fresh process from the same frame in memory, with the same settings, rounds and
number of threads. The rows lie in the scorer's own order, so that the trees are the same to the
last bit, which is checked. The rounds are given: choosing them on folds costs either the same.

    python benchmarks/training.py --rows 1000000 --features 100 --rounds 200 --json
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Annotated

import numpy as np
import pandas as pd
from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table
from scipy.special import expit

from models import Scorer
from models.scoring import growing
from models.scoring.columns import Columns
from models.scoring.rows import training_rows

MISSING = 0.05
TELLING = 20  # features that bear on the outcome
BARS = {"seconds": 1.2, "peak_mb": 1.5}

app = App(help=__doc__)
console = Console(stderr=True)


@app.default
def compare(
    *,
    rows: int = 200_000,
    features: int = 100,
    rounds: int = 200,
    repeats: int = 1,
    threads: int = 1,
    seed: int = 0,
    as_json: Annotated[bool, Parameter("--json", negative="")] = False,
) -> None:
    """Grow the same trees both ways ``repeats`` times, turn about, and print the medians."""
    with tempfile.TemporaryDirectory() as folder:
        write_rows(Path(folder), rows, features, seed)
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in GROWERS}
        for _ in range(repeats):
            for name, kept in runs.items():
                kept.append(in_fresh_process(name, Path(folder), rounds, threads))
                console.print(name, kept[-1])
        scores = {name: np.load(Path(folder) / f"{name}.npy") for name in GROWERS}
    np.testing.assert_array_equal(scores["scorer"], scores["lightgbm"])
    figures = {
        name: {what: median(run[what] for run in kept) for what in kept[0]}
        for name, kept in runs.items()
    }
    sizes = {"rows": rows, "features": features, "rounds": rounds, "threads": threads}
    if as_json:
        print(json.dumps({**sizes, "figures": figures, "ratios": ratios(figures)}))
    else:
        show(sizes, figures)


def write_rows(folder: Path, rows: int, features: int, seed: int) -> None:
    """Made-up applicants in the order in which the scorer would put them."""
    random = np.random.default_rng(seed)
    X = random.normal(size=(rows, features))
    risk = X[:, :TELLING] @ random.normal(scale=0.3, size=min(TELLING, features))
    risk += 0.5 * X[:, 0] * X[:, 1] - 2.5
    bad = (random.random(rows) < expit(risk)).astype(np.float64)
    X[random.random(X.shape) < MISSING] = np.nan
    order = training_rows(
        Columns.of(X), X, bad, applied_on=None, groups=None, sample_weight=None
    ).places
    np.save(folder / "X.npy", X[order])
    np.save(folder / "bad.npy", bad[order])


def in_fresh_process(name: str, folder: Path, rounds: int, threads: int) -> dict[str, float]:
    """Seconds, seconds of CPU and peak memory of one way, and its score kept beside the rows."""
    command = [sys.executable, __file__, "grow", name, str(folder), str(rounds), str(threads)]
    environ = os.environ | {"OMP_NUM_THREADS": str(threads), "POLARS_MAX_THREADS": str(threads)}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environ)
    return json.loads(done.stdout)


@app.command(show=False)
def grow(name: str, folder: Path, rounds: int, threads: int) -> None:
    """Grow in this process; prints figures as JSON."""
    names = [f"feature_{at}" for at in range(np.load(folder / "X.npy", mmap_mode="r").shape[1])]
    frame = pd.DataFrame(np.load(folder / "X.npy"), columns=names, copy=False)
    bad = np.load(folder / "bad.npy")
    warm_up()
    reset_peak()
    before, start, cpu = memory_mb("VmRSS"), time.perf_counter(), time.process_time()
    score = GROWERS[name](frame, bad, rounds, threads)
    figures = {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu,
        "peak_mb": memory_mb("VmHWM"),
        "before_mb": before,
    }
    np.save(folder / f"{name}.npy", score(frame[:1000]))
    print(json.dumps(figures))


def warm_up() -> None:
    """Imports are no part of growing."""
    X = np.random.default_rng(0).normal(size=(60, 2))
    Scorer(form="pairs", seeds=1, n_jobs=1).fit(X, np.arange(60) % 2)


def by_scorer(
    frame: pd.DataFrame, bad: np.ndarray, rounds: int, threads: int
) -> Callable[[pd.DataFrame], np.ndarray]:
    """All that `Scorer.fit` does but choosing the rounds: read, order, encode, grow, purify."""
    growing.choose = lambda recipes, _columns, rows: (  # type: ignore[assignment]
        recipes[0],
        rounds,
        np.full(len(rows), np.nan),
    )
    scorer = Scorer(form="pairs", seeds=1, calibrate=False, n_jobs=threads).fit(frame, bad)
    return lambda some: raw_score(scorer.fitted_.model, some)


def by_lightgbm(
    frame: pd.DataFrame, bad: np.ndarray, rounds: int, threads: int
) -> Callable[[pd.DataFrame], np.ndarray]:
    """LightGBM alone, with the scorer's settings."""
    import lightgbm

    scorer = Scorer(form="pairs", seeds=1, calibrate=False, n_jobs=threads)
    settings = scorer.recipes(Columns.of(frame[:100]), len(frame))[0].settings(len(frame), seed=0)
    booster = lightgbm.train(settings, lightgbm.Dataset(frame, bad), rounds)
    return lambda some: raw_score(booster.model_to_string(), some)


GROWERS = {"lightgbm": by_lightgbm, "scorer": by_scorer}


def raw_score(model: str, frame: pd.DataFrame) -> np.ndarray:
    """Log-odds by LightGBM of its text model."""
    import lightgbm

    return np.asarray(lightgbm.Booster(model_str=model).predict(frame, raw_score=True))


def memory_mb(kind: str) -> float:
    """What this process holds now (VmRSS), or has held at most since it was last reset (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(kind)) / 1024


def reset_peak() -> None:
    """Forget the peak of loading the rows (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")


def ratios(figures: dict[str, dict[str, float]]) -> dict[str, float]:
    """The scorer's figures as multiples of LightGBM's."""
    return {
        what: figures["scorer"][what] / figures["lightgbm"][what] for what in ("cpu_seconds", *BARS)
    }


def show(sizes: dict[str, int], figures: dict[str, dict[str, float]]) -> None:
    """A table for people."""
    table = Table("", "seconds", "CPU seconds", "peak MB", "before growing", title=str(sizes))
    for name, own in figures.items():
        table.add_row(
            name,
            f"{own['seconds']:.1f}",
            f"{own['cpu_seconds']:.1f}",
            f"{own['peak_mb']:,.0f}",
            f"{own['before_mb']:,.0f}",
        )
    console.print(table)
    told = [f"{what} {ratio:.2f}×" for what, ratio in ratios(figures).items()]
    bars = [f"{what} {bar}×" for what, bar in BARS.items()]
    console.print(f"scorer to LightGBM: {', '.join(told)} (bars: {', '.join(bars)})")


if __name__ == "__main__":
    app()
