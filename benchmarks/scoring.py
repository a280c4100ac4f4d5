"""Scoring: one applicant and many, scored and explained, by the scorer's tables and by its rivals.

All learn from the same rows and answer about the same others, in one process. What is measured is
CPU, not the clock, so other work on the machine disturbs little. The scorer's trees are also asked
through LightGBM, and explained by its TreeSHAP, as are LightGBM's own defaults; the explainable
boosting machine (interpret), like the scorer, needs no SHAP.

    python benchmarks/scoring.py --features 40 --rows 20000 --json
"""

import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Annotated, Any

import numpy as np
import pandas as pd
from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table
from scipy.special import expit

from models import Scorer

TELLING = 20  # features that bear on the outcome
SHORTEST = 1.0  # seconds of CPU that a figure rests on at least
BARS = {"explain one": 100e-6, "score one": 50e-6, "explain many": 1 / 100_000}

Question = tuple[int, Callable[[], Any]]  # how many rows it is about, and the call

app = App(help=__doc__)
console = Console(stderr=True, width=120)


@app.default
def compare(
    *,
    rows: int = 20_000,
    features: int = 40,
    batch: int = 20_000,
    seeds: int = 5,
    ebm: bool = True,
    seed: int = 0,
    as_json: Annotated[bool, Parameter("--json", negative="")] = False,
) -> None:
    """Fit all, then print the seconds of CPU that an applicant costs."""
    X, bad = applicants(rows + batch, features, seed)
    learnt, asked = X[:rows], X[rows:]
    figures: dict[str, dict[str, float]] = {}
    for name, calls in rivals(learnt, bad[:rows], asked, seeds=seeds, ebm=ebm):
        figures[name] = {what: cost(call) / about for what, (about, call) in calls.items()}
    if as_json:
        print(json.dumps({"rows": rows, "features": features, "seconds_per_row": figures}))
    else:
        show(figures)


def applicants(rows: int, features: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Made-up numbers, a tenth missing, two of which act together."""
    random = np.random.default_rng(seed)
    X = random.normal(size=(rows, features))
    risk = X[:, :TELLING] @ random.normal(scale=0.3, size=min(TELLING, features))
    risk += 0.5 * X[:, 0] * X[:, 1] - 2.0
    bad = (random.random(rows) < expit(risk)).astype(int)
    X[random.random(X.shape) < 0.1] = np.nan
    return pd.DataFrame(X, columns=[f"feature_{at}" for at in range(features)]), bad


def rivals(
    X: pd.DataFrame, bad: np.ndarray, asked: pd.DataFrame, *, seeds: int, ebm: bool
) -> Iterator[tuple[str, dict[str, Question]]]:
    """Each scorer, fitted, with what it is asked to do."""
    scorer = Scorer(form="pairs", seeds=seeds, n_jobs=1).fit(X, bad)
    yield "scorer, pairs", by_tables(scorer, asked)
    yield "its trees in LightGBM", by_lightgbm(scorer.fitted_.model, asked)
    yield "LightGBM's defaults", by_lightgbm(default_lightgbm(X, bad), asked)
    if ebm:
        yield "EBM", by_ebm(X, bad, asked)


def by_tables(scorer: Scorer, asked: pd.DataFrame) -> dict[str, Question]:
    """One applicant as the service asks: values by name, then what each contributes."""
    values, one, many = asked.iloc[0].to_dict(), asked.iloc[:1], len(asked)
    return {
        "score one": (1, lambda: scorer.explain_row(scorer.encode_row(values)).sum()),
        "explain one": (1, lambda: scorer.explain_row(scorer.encode_row(values))),
        "score a frame of one": (1, lambda: scorer.predict_proba(one)),
        "score many": (many, lambda: scorer.predict_proba(asked)),
        "explain many": (many, lambda: scorer.explain(asked)),
    }


def by_lightgbm(model: str, asked: pd.DataFrame) -> dict[str, Question]:
    """Numpy rows, the fastest way in; TreeSHAP of a twentieth, for of all it takes minutes."""
    import lightgbm

    booster, many = lightgbm.Booster(model_str=model), asked.to_numpy()
    one, frame, some = many[:1], asked.iloc[:1], many[: -(-len(many) // 20)]
    ask = partial(booster.predict, num_threads=1)
    return {
        "score one": (1, lambda: ask(one)),
        "explain one": (1, lambda: ask(one, pred_contrib=True)),
        "score a frame of one": (1, lambda: ask(frame)),
        "score many": (len(many), lambda: ask(many)),
        "explain many": (len(some), lambda: ask(some, pred_contrib=True)),
    }


def default_lightgbm(X: pd.DataFrame, bad: np.ndarray) -> str:
    """The text model of LightGBM's own defaults."""
    from lightgbm import LGBMClassifier

    return str(LGBMClassifier(verbosity=-1, n_jobs=1).fit(X, bad).booster_.model_to_string())


def by_ebm(X: pd.DataFrame, bad: np.ndarray, asked: pd.DataFrame) -> dict[str, Question]:
    """One bag of as many pairs as its default has: learning is not what is timed."""
    from interpret.glassbox import ExplainableBoostingClassifier

    machine = ExplainableBoostingClassifier(outer_bags=1, max_rounds=200, random_state=0, n_jobs=1)
    machine.fit(X, bad)
    one, many = asked.iloc[:1], len(asked)
    return {
        "score one": (1, lambda: machine.predict_proba(one)),
        "explain one": (1, lambda: machine.eval_terms(one)),
        "score a frame of one": (1, lambda: machine.predict_proba(one)),
        "score many": (many, lambda: machine.predict_proba(asked)),
        "explain many": (many, lambda: machine.eval_terms(asked)),
    }


def cost(call: Callable[[], Any]) -> float:
    """Seconds of CPU of one call: the least of five means over a fifth of `SHORTEST` or more."""
    call()
    start = time.process_time()
    call()
    calls = max(1, round(SHORTEST / 5 / max(time.process_time() - start, 1e-7)))
    means = []
    for _ in range(5):
        start = time.process_time()
        for _ in range(calls):
            call()
        means.append((time.process_time() - start) / calls)
    return min(means)


def show(figures: dict[str, dict[str, float]]) -> None:
    """A table for people: microseconds of one, rows a second of many."""
    table = Table("CPU of one core", *figures, "bar")
    for what in next(iter(figures.values())):
        bar = readable(what, BARS[what]) if what in BARS else ""
        table.add_row(what, *(readable(what, own[what]) for own in figures.values()), bar)
    console.print(table)


def readable(what: str, seconds: float) -> str:
    """Microseconds, or rows a second where there are many."""
    return f"{1 / seconds:,.0f} rows/s" if what.endswith("many") else f"{seconds * 1e6:,.0f} µs"


if __name__ == "__main__":
    app()
