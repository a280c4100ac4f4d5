"""Doubt: large where the scorer errs, of the right size, and the same served as in a batch."""

from functools import cache

import msgspec
import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from scipy.special import expit
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from models.scoring.scorer import Scorer
from models.validation.doubt import Doubt, doubt_bands, fit_doubt
from models.validation.samples import Sample
from models.validation.validation import Validation, validate
from tests.models.portfolio import FEATURES, fitted, validated

Vector = NDArray[np.float64]
NINE_IN_TEN = 1.645  # standard errors either way
SOURCE = ("tax_0", "tax_1", "tax_2")


def applicants(rows: int, seed: int) -> tuple[pl.DataFrame, Vector]:
    """Features with heavy tails, of which a sixth lack a whole source, and the true log-odds."""
    random = np.random.default_rng(seed)
    latent = random.normal(size=(rows, 3))
    values = 0.8 * latent[:, [0, 1, 2, 0, 1, 2]] + 0.6 * random.standard_t(4, size=(rows, 6))
    tame = np.clip(values, -2.5, 2.5)
    log_odds = -2.5 + 0.8 * tame[:, 0] - 0.6 * tame[:, 1] + 0.3 * np.abs(tame[:, 2])
    log_odds += 0.5 * tame[:, 3] * (tame[:, 4] > 0)
    values[random.random(rows) < 1 / 6, :3] = np.nan  # the truth goes on without them
    names = [*SOURCE, "meter_0", "meter_1", "meter_2"]
    frame = pl.DataFrame(values, schema=names).with_columns(pl.all().fill_nan(None))
    return frame.with_columns(noise=pl.Series(random.standard_t(3, size=rows))), log_odds


@cache
def doubted(rows: int = 3000, seed: int = 0) -> tuple[Scorer, Doubt, pl.DataFrame, Vector]:
    """A scorer and its doubt, with 6,000 new applicants and their true log-odds."""
    X, log_odds = applicants(rows + 6000, seed)
    bad = (np.random.default_rng(seed + 1).random(rows) < expit(log_odds[:rows])).astype(int)
    scorer = Scorer(form="pairs", seeds=1, n_jobs=1).fit(X[:rows], bad)
    return scorer, fit_doubt(scorer, X[:rows]), X[rows:], log_odds[rows:]


def size(error: Vector) -> float:
    return float(np.sqrt(np.mean(error**2)))


def test_the_scorer_errs_more_where_doubt_is_larger_also_among_equal_probabilities() -> None:
    scorer, doubt, X, true = doubted()
    log_odds, told = scorer.decision_function(X), doubt.of(scorer, X)
    strayed = log_odds - true
    fifths = np.array_split(np.argsort(told), 5)
    assert size(strayed[fifths[-1]]) > 1.5 * size(strayed[fifths[0]])
    for alike in np.array_split(np.argsort(log_odds), 3):
        sure, unsure = np.array_split(alike[np.argsort(told[alike])], 2)
        assert size(strayed[unsure]) > 1.3 * size(strayed[sure])


def test_nine_of_ten_truths_lie_within_the_range_of_nine_in_ten() -> None:
    scorer, doubt, X, true = doubted()
    strayed, told = scorer.decision_function(X) - true, doubt.of(scorer, X)
    assert 0.7 < size(told) / size(strayed) < 1.4
    thin = X["tax_0"].is_null().to_numpy()
    assert 0.7 < size(told[thin]) / size(strayed[thin]) < 1.4
    assert 0.85 < np.mean(np.abs(strayed) <= NINE_IN_TEN * told) < 0.95


def test_more_rows_leave_less_doubt_of_whole_files() -> None:
    whole = doubted()[2].filter(pl.col("tax_0").is_not_null())

    def told(rows: int) -> float:
        scorer, doubt, *_ = doubted(rows)
        return size(doubt.of(scorer, whole))

    assert told(1500) > 1.15 * told(6000)


def test_extreme_values_and_missing_sources_are_doubted_and_ignored_features_are_not() -> None:
    scorer, doubt, X, _ = doubted()
    usual = dict.fromkeys(X.columns, 0.0)

    def told(**values: float | None) -> float:
        return doubt.row(scorer.encode_row({**usual, **values}))

    assert told(tax_0=8.0) > 1.5 * told()
    assert told(tax_0=-8.0) > 1.5 * told()
    assert told(**dict.fromkeys(SOURCE)) > 2 * told()
    assert told(noise=8.0) - told() < 0.3 * (told(tax_0=8.0) - told())


def test_an_infinity_is_doubted_as_what_is_missing() -> None:
    scorer, doubt, X, _ = doubted()
    infinite = X[:20].with_columns(tax_0=pl.lit(np.inf))
    missing = X[:20].with_columns(tax_0=pl.lit(None, dtype=pl.Float64))
    assert doubt.of(scorer, infinite).tolist() == doubt.of(scorer, missing).tolist()
    assert fit_doubt(scorer, X[:800].with_columns(tax_1=pl.lit(np.inf))).of(scorer, X).max() < 5


def test_a_row_alone_has_the_doubt_it_has_in_a_batch() -> None:
    scorer, doubt, X, _ = doubted()
    batch = doubt.of(scorer, X[:50])
    alone = [doubt.row(scorer.encode_row(row)) for row in X[:50].iter_rows(named=True)]
    assert alone == batch.tolist()


def test_doubt_comes_back_from_json_to_the_bit_and_is_made_alike_twice() -> None:
    scorer, doubt, X, _ = doubted(800)
    again = Doubt.from_json(doubt.to_json())
    assert again is not None
    assert np.array_equal(again.of(scorer, X), doubt.of(scorer, X))
    assert again.to_json() == doubt.to_json()
    learnt = applicants(800 + 6000, 0)[0][:800]
    assert fit_doubt(scorer, learnt).to_json() == doubt.to_json()
    with pytest.raises(msgspec.ValidationError):
        Doubt.from_json(doubt.to_json().replace(b'"root"', b'"roots"'))


def test_doubt_does_not_depend_on_the_number_of_threads() -> None:
    """Wide enough a table that BLAS shares its sums among threads, in another order."""
    random = np.random.default_rng(0)
    values = random.normal(size=(1500, 30))
    X = pl.DataFrame(values, schema=[f"x{column}" for column in range(30)])
    bad = (random.random(1500) < expit(values[:, 0] - 2)).astype(int)
    scorer = Scorer(form="pairs", seeds=1, n_jobs=1, calibrate=False).fit(X, bad)
    made = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            made.append(fit_doubt(scorer, X).to_json())
    assert made[0] == made[1]


def test_bands_hold_equally_many_from_sure_to_unsure() -> None:
    true = np.array([0.1] * 50 + [0.3] * 50)
    bad = np.tile([1.0, 0.0, 0.0, 0.0, np.nan], 20)
    said = np.where(np.arange(100) < 50, 0.1, 0.2)
    sample = Sample("rows", pl.DataFrame({"x": range(100)}), bad, said, true_pd=true)
    sure, unsure = doubt_bands(sample, np.arange(100) / 100, count=2)
    assert (sure.rows, unsure.rows) == (50, 50)
    assert (sure.bads, sure.observed) == (10, 0.25)
    assert sure.error < unsure.error
    assert sure.excess == pytest.approx(0)
    assert unsure.excess == pytest.approx(0.3 * np.log(1.5) + 0.7 * np.log(0.7 / 0.8))
    unknown = Sample("rows", sample.features, np.full(100, np.nan), said)
    (band,) = doubt_bands(unknown, np.zeros(100), count=1)
    assert (band.observed, band.light, band.excess) == (None, None, None)


def test_a_validation_holds_the_bands_of_its_rows() -> None:
    scorer, development, later, _ = validated()
    doubt = fit_doubt(scorer, fitted()[1].select(FEATURES))
    validation = validate(scorer, development, later, doubt=doubt)
    assert validation.doubt == doubt_bands(later, doubt.of(scorer, later.features))
    assert [band.rows for band in validation.doubt] == [300] * 5
    assert Validation.from_json(validation.to_json()) == validation
