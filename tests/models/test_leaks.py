"""The leak detector names columns that know the outcome, in whatever pattern, and no others."""

import numpy as np
import polars as pl
import pytest

from models.validation.leaks import alone, suspicious_columns

RANDOM = np.random.default_rng(0)
BAD = (RANDOM.random(4000) < 0.2).astype(np.int64)


def honest() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "turnover": RANDOM.normal(0, 1, 4000) - 0.7 * BAD,
            "noise": RANDOM.normal(0, 1, 4000),
            "trade": RANDOM.choice(["catering", "retail"], 4000),
            "number": [f"A{place}" for place in range(4000)],
            "empty": pl.Series([None] * 4000, dtype=pl.Float64),
        }
    )


def test_honest_columns_are_not_suspected() -> None:
    assert suspicious_columns(honest(), BAD) == []
    assert alone(honest()["number"], BAD) == pytest.approx(0.5, abs=0.05)


def test_a_pattern_that_is_not_monotone_is_found() -> None:
    """As in real loans whose recorded term is the planned one only where they were repaid."""
    planned = RANDOM.choice([12, 24, 36, 60, 84, 120], 4000)
    ended = np.where(BAD == 1, RANDOM.integers(1, 120, 4000), planned)
    ((name, auc),) = suspicious_columns(honest().with_columns(term=ended), BAD)
    assert name == "term"
    assert auc > 0.9


def test_a_column_that_is_filled_for_defaults_alone_is_found() -> None:
    days = [18_000 if bad else None for bad in BAD]
    charged_off = pl.Series("charged_off_on", days).cast(pl.Date)
    agency = pl.Series("agency", np.where(BAD == 1, "collector", "branch"))
    found = suspicious_columns(honest().with_columns(charged_off, agency), BAD)
    assert {name for name, _ in found} == {"charged_off_on", "agency"}
    assert all(auc > 0.99 for _, auc in found)


def test_a_flag_that_knows_is_found_and_one_that_does_not_is_not() -> None:
    flags = {"written_off": BAD == 1, "urban": RANDOM.random(4000) < 0.5}
    found = suspicious_columns(honest().with_columns(**flags), BAD)
    assert [name for name, _ in found] == ["written_off"]


def test_pandas_frames_and_weights_are_taken() -> None:
    frame = honest().with_columns(told=pl.Series(BAD.astype(float))).to_pandas()
    found = suspicious_columns(frame, BAD, weight=np.where(BAD == 1, 0.2, 3.0))
    assert [name for name, _ in found] == ["told"]


def test_too_few_bads_to_learn_from_are_no_suspicion() -> None:
    few = np.zeros(4000, dtype=np.int64)
    few[:3] = 1
    assert suspicious_columns(pl.DataFrame({"told": few}), few) == []
