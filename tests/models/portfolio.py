"""A small portfolio with a known truth, a scorer fitted on its earlier half, and its validation."""

from datetime import date, timedelta
from functools import cache

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.scoring.scorer import Scorer
from models.validation.samples import Sample
from models.validation.validation import Validation, validate

DIRECTIONS = {"late_filings": 1, "turnover": -1, "noise": 0, "trade": 0}
FEATURES = tuple(DIRECTIONS)
TRADES = ("catering", "garments", "retail")


def portfolio(rows: int = 3000, seed: int = 0) -> pl.DataFrame:
    """Applications over two years whose default depends on filings, turnover and trade."""
    random = np.random.default_rng(seed)
    late, turnover = random.poisson(0.8, rows), random.normal(0, 1, rows)
    trade = random.integers(0, 3, rows)
    log_odds = -2.2 + 0.7 * late - 0.8 * turnover + np.array([0.5, 0.0, -0.5])[trade]
    true_pd = 1 / (1 + np.exp(-log_odds))
    return pl.DataFrame(
        {
            "application_id": [f"A{number:05}" for number in range(rows)],
            "applied_on": [date(2024, 1, 1) + timedelta(days=720 * n // rows) for n in range(rows)],
            "late_filings": late,
            "turnover": np.where(random.random(rows) < 0.05, np.nan, turnover),
            "noise": random.normal(0, 1, rows),
            "trade": [TRADES[place] for place in trade],
            "owner_sex": random.choice(["female", "male"], rows, p=[0.34, 0.66]),
            "true_pd": true_pd,
            "bad": (random.random(rows) < true_pd).astype(np.int64),
        }
    ).with_columns(pl.col("turnover").fill_nan(None))


def sample(name: str, scorer: Scorer, rows: pl.DataFrame) -> Sample:
    """Rows of the portfolio with what the scorer says of them."""
    return Sample.scored(
        name,
        scorer,
        rows.select(FEATURES),
        rows["bad"].to_numpy(),
        applied_on=rows["applied_on"],
        segments=rows.select("trade"),
        sensitive=rows.select("owner_sex"),
        true_pd=rows["true_pd"].to_numpy(),
    )


def bad_of(rows: pl.DataFrame) -> NDArray[np.int64]:
    """Outcomes of the portfolio's rows."""
    return rows["bad"].to_numpy()


@cache
def fitted() -> tuple[Scorer, pl.DataFrame, pl.DataFrame]:
    """A scorer, the rows it was fitted on and the later ones."""
    rows = portfolio()
    earlier, later = rows.head(1500), rows.tail(1500)
    scorer = Scorer(directions=DIRECTIONS, seeds=1, n_jobs=1)
    return scorer.fit(earlier.select(FEATURES), bad_of(earlier)), earlier, later


@cache
def validated() -> tuple[Scorer, Sample, Sample, Validation]:
    """The scorer with its two samples and its validation."""
    scorer, earlier, later = fitted()
    development = Sample.out_of_fold(
        "development", scorer, earlier.select(FEATURES), bad_of(earlier)
    )
    out_of_time = sample("out of time", scorer, later)
    validation = validate(
        scorer, development, out_of_time, flow={"applications": 3000, "granted": 3000}
    )
    return scorer, development, out_of_time, validation
