"""The hazard form: what young loans teach, and that a plain scorer serves it."""

from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from features.errors import UnknownName
from models import Scorer
from models.scoring.exposure import ShortHistory
from models.scoring.hazard import Hazard, fit_hazard
from models.scoring.rows import UnfitRows

HORIZON = 12
AS_OF = date(2026, 1, 1)
DIRECTIONS = {"late_filings": 1}
MONTHLY = np.r_[0.0, 0.0, np.linspace(0.004, 0.022, HORIZON - 2)]  # none is 90 days late at once


@dataclass(frozen=True)
class Book:
    """A loan book watched until `AS_OF`, and what only its maker knows."""

    X: pd.DataFrame
    months: np.ndarray
    defaulted: np.ndarray
    started_on: np.ndarray
    cumulative: np.ndarray

    def shuffled(self) -> "Book":
        order = np.random.default_rng(1).permutation(len(self.months))
        return Book(self.X.iloc[order], *(v[order] for v in list(vars(self).values())[1:]))


def loan_book(loans: int = 4000, seed: int = 0, worse: float = 1.0) -> Book:
    """Two years of loans; taxis came in the last seven months, three times as risky as bakeries.

    In the last twelve months everybody's hazard is `worse` times that of before.
    """
    random = np.random.default_rng(seed)
    age = random.integers(1, 25, loans)  # months from the payout to the newest month seen
    late = random.poisson(0.8, loans)
    taxi = (random.random(loans) < 0.3) & (age <= 7)
    X = pd.DataFrame({"late_filings": late, "trade": np.where(taxi, "taxi", "bakery")})
    risk = np.exp(0.5 * late - 0.4 + np.log(3) * taxi)
    month = np.arange(24)
    recent = age[:, None] - month <= 12
    hazard = np.r_[MONTHLY, np.zeros(12)] * risk[:, None] * np.where(recent, worse, 1.0)
    falls = random.random((loans, 24)) < hazard
    first = np.where(falls.any(axis=1), falls.argmax(axis=1) + 1, 99)
    newest = np.datetime64("2025-12")
    return Book(
        X=X,
        months=np.minimum(age, first),
        defaulted=first <= age,
        started_on=(newest - age + 1).astype("datetime64[D]"),
        cumulative=1 - np.cumprod(1 - MONTHLY * risk[:, None] * worse, axis=1),
    )


def fitted(
    book: Book, directions: dict[str, int] = DIRECTIONS, form: Any = "pairs", **more: Any
) -> Hazard:
    scorer = Scorer(directions, form=form, seeds=1, n_jobs=1)
    facts: dict[str, Any] = {
        "months_at_risk": book.months,
        "defaulted": book.defaulted,
        "started_on": book.started_on,
        "as_of": AS_OF,
        "horizon_months": HORIZON,
    }
    return fit_hazard(scorer, book.X, **{**facts, **more})


@cache
def learnt() -> Hazard:
    return fitted(loan_book())


def test_young_loans_teach_what_no_mature_loan_shows() -> None:
    trades = pd.DataFrame({"late_filings": [1, 1], "trade": ["taxi", "bakery"]})
    taxi, bakery = learnt().scorer.predict_proba(trades)[:, 1]
    assert 2.0 < taxi / bakery < 4.0, "three times the hazard"
    book = loan_book()
    assert book.months[book.X["trade"] == "taxi"].max() < HORIZON


def test_probabilities_are_those_of_the_whole_horizon_though_half_the_loans_are_younger() -> None:
    book = loan_book(seed=1)
    true = book.cumulative[:, -1]
    assert learnt().scorer.predict_proba(book.X)[:, 1].mean() == pytest.approx(true.mean(), rel=0.1)
    risky = true > np.median(true)
    assert roc_auc_score(risky, learnt().scorer.decision_function(book.X)) > 0.97


def test_the_term_structure_climbs_to_the_served_probability() -> None:
    book = loan_book(200, seed=2)
    structure = learnt().term_structure(book.X)
    assert structure.shape == (200, HORIZON)
    assert (np.diff(structure, axis=1) >= 0).all()
    np.testing.assert_allclose(structure[:, -1], learnt().scorer.predict_proba(book.X)[:, 1])
    half = structure[:, 5].mean()
    assert half == pytest.approx(book.cumulative[:, 5].mean(), rel=0.2)


def test_the_level_is_that_of_the_last_year_unless_told_otherwise() -> None:
    book = loan_book(worse=2.0)
    true = book.cumulative[:, -1].mean()
    latest, all_years = fitted(book), fitted(book, calendar=False)
    assert latest.scorer.predict_proba(book.X)[:, 1].mean() == pytest.approx(true, rel=0.1)
    assert all_years.scorer.predict_proba(book.X)[:, 1].mean() < 0.95 * true
    np.testing.assert_allclose(
        latest.scorer.explain(book.X).drop(columns="base"),
        all_years.scorer.explain(book.X).drop(columns="base"),
        rtol=0.2,
        atol=0.05,
    )


def test_strata_keep_their_own_timing() -> None:
    book, random = loan_book(), np.random.default_rng(0)
    bullet = random.random(len(book.months)) < 0.5
    kept = ~(bullet & book.defaulted & (book.months <= 6))  # bullets fail late
    part = Book(book.X[kept], *(v[kept] for v in list(vars(book).values())[1:]))
    strata = np.where(bullet[kept], "bullet", "instalment")
    hazard = fitted(part, strata=strata, horizon_months={"bullet": 12, "instalment": 11})
    assert [len(hazard.timing[name]) for name in ("bullet", "instalment")] == [12, 11]
    assert hazard.timing["bullet"][5] < 0.1 < hazard.timing["instalment"][5]
    with pytest.raises(UnknownName, match="bulet"):
        hazard.term_structure(part.X, "bulet")


def test_a_plain_scorer_serves_and_explains_it() -> None:
    book, scorer = loan_book(100, seed=3), learnt().scorer
    assert type(scorer) is Scorer
    served = scorer.decision_function(book.X)
    np.testing.assert_allclose(scorer.explain(book.X).sum(axis=1), served, atol=1e-9)
    later = book.X.assign(late_filings=book.X["late_filings"] + 1)
    assert (scorer.decision_function(later) >= served).all()
    read = Hazard.from_bytes(learnt().to_bytes())
    np.testing.assert_array_equal(read.term_structure(book.X), learnt().term_structure(book.X))


def test_shuffled_loans_and_what_comes_after_the_horizon_give_the_same_bytes() -> None:
    book = loan_book(1500)
    files = fitted(book, sample_weight=1 + book.defaulted / 3).to_bytes()
    mixed = book.shuffled()
    assert fitted(mixed, sample_weight=1 + mixed.defaulted / 3).to_bytes() == files
    files = fitted(book).to_bytes()
    old = (book.months == HORIZON) & ~book.defaulted
    months, defaulted = np.where(old, 30, book.months), book.defaulted | old
    assert fitted(book, months_at_risk=months, defaulted=defaulted).to_bytes() == files


def test_loans_of_one_business_are_never_on_both_sides_of_a_fold() -> None:
    random = np.random.default_rng(0)
    business, weak = np.repeat(np.arange(200), 3), np.repeat(random.random(200) < 0.3, 3)
    falls = random.random(600) < np.where(weak, 0.6, 0.05)
    book = Book(
        X=pd.DataFrame({"number": random.random(200)[business]}),  # names the business, no more
        months=np.where(falls, random.integers(1, HORIZON + 1, 600), HORIZON),
        defaulted=falls,
        started_on=np.full(600, np.datetime64("2024-12-05")),
        cumulative=np.empty(0),
    )
    apart, together = fitted(book, {}).scorer, fitted(book, {}, groups=business).scorer
    assert apart.decision_function(book.X).std() > 2 * together.decision_function(book.X).std()


def test_trees_of_any_form_can_learn_it() -> None:
    book = loan_book(1500)
    free = fitted(book, form="free").scorer
    assert free.fitted_.form == "free"
    assert roc_auc_score(book.X["late_filings"] > 0, free.decision_function(book.X)) > 0.9


def test_a_book_younger_than_the_horizon_is_refused() -> None:
    with pytest.raises(ShortHistory, match="shorten the horizon"):
        fitted(loan_book(300), horizon_months=36)


def test_a_default_in_no_month_and_too_few_of_them_are_refused() -> None:
    book = loan_book(300)
    with pytest.raises(UnfitRows, match="1 or more"):
        fitted(book, months_at_risk=book.months - 1, defaulted=book.months == 1)
    one = (np.arange(300) == 7) & (book.months > 0)
    with pytest.raises(ShortHistory, match="1 loans defaulted"):
        fitted(book, months_at_risk=np.full(300, HORIZON), defaulted=one)
    with pytest.raises(UnknownName, match="late_filing"):
        fitted(book, {"late_filing": 1})
