"""Splits: what is tested on was applied for after the last outcome that was learnt from."""

from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.loans.splits import BadSplit, latest, out_of_time, random_share, walk_forward

AS_OF = date(2026, 1, 1)


def loans(days: int = 1800, every: int = 3, seed: int = 0) -> pl.DataFrame:
    """Labelled loans over ``days`` until AS_OF, of both windows, about one in five bad."""
    random = np.random.default_rng(seed)
    ages = np.arange(0, days, every)
    applied = [AS_OF - timedelta(days=int(age)) for age in ages]
    window = random.choice([12, 15], len(ages))
    frame = pl.DataFrame(
        {
            "application_id": [f"A{number:05}" for number in range(len(ages))],
            "applied_on": applied,
            "label": random.choice(["bad", "good", "indeterminate"], len(ages), p=[0.2, 0.7, 0.1]),
            "window_months": window,
        }
    )
    return frame.with_columns(
        matures_on=pl.col("applied_on")
        .dt.month_start()
        .dt.offset_by(pl.format("{}mo", pl.col("window_months") + 2))
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 5), st.integers(1, 8), st.sampled_from([0, 0, 4]))
def test_no_window_that_was_learnt_from_reaches_into_a_later_part(
    seed: int, test_months: int, calibration_months: int
) -> None:
    split = out_of_time(
        loans(every=1, seed=seed),
        as_of=AS_OF,
        test_months=test_months,
        calibration_months=calibration_months,
    )
    parts = [part for _, part in split.parts()]
    assert len(parts) == (3 if calibration_months else 2)
    for earlier, later in pairwise(parts):
        assert earlier["matures_on"].to_list()
        assert later["applied_on"].to_list()
        assert max(earlier["matures_on"].to_list()) <= min(later["applied_on"].to_list())


def test_the_test_holds_the_last_vintages_of_which_every_kind_has_matured() -> None:
    test = out_of_time(loans(), as_of=AS_OF).test
    assert date(2024, 3, 1) <= test["applied_on"].to_list()[0] < date(2024, 3, 4)
    assert date(2024, 8, 25) < test["applied_on"].to_list()[-1] < date(2024, 9, 1)


def test_only_good_and_bad_loans_of_matured_vintages_are_used() -> None:
    for _, part in out_of_time(loans(), as_of=AS_OF).parts():
        assert set(part["label"]) == {"good", "bad"}
        assert max(part["matures_on"].to_list()) <= AS_OF


def test_one_loan_paid_out_very_late_holds_nothing_up_and_is_not_tested_on() -> None:
    daily = loans(every=1)
    crowd = [daily.with_columns(pl.col("application_id") + str(copy)) for copy in range(5)]
    late = pl.col("application_id") == "A005000"
    waiting = pl.concat(crowd).with_columns(
        matures_on=pl.when(late).then(date(2026, 6, 1)).otherwise("matures_on")
    )
    assert waiting.filter(late).row(0)[1:3] == (date(2024, 8, 19), "good")
    test = out_of_time(waiting, as_of=AS_OF).test
    assert test["applied_on"].to_list()[0] == date(2024, 3, 1)
    assert "A005000" not in test["application_id"].to_list()


def test_the_start_of_the_test_can_be_given() -> None:
    split = out_of_time(loans(), as_of=AS_OF, test_from=date(2024, 6, 1))
    assert split.test["applied_on"].to_list()[0] >= date(2024, 6, 1)
    assert max(split.train["matures_on"].to_list()) <= date(2024, 6, 1)


def test_a_history_too_short_for_the_gap_is_refused_unless_windows_may_overlap() -> None:
    short = loans(days=900)
    with pytest.raises(BadSplit, match=r"train part has 0 bad among 0 loans .* Hint: .* longer"):
        out_of_time(short, as_of=AS_OF)
    split = out_of_time(short, as_of=AS_OF, overlap=True)
    assert max(split.train["applied_on"].to_list()) < min(split.test["applied_on"].to_list())


def test_the_order_of_loans_is_irrelevant_to_every_split() -> None:
    twin = loans().with_columns(application_id="B" + pl.col("application_id").str.slice(1))
    frame = pl.concat([twin, loans()])
    shuffled = frame.sample(fraction=1, shuffle=True, seed=1)
    for first, second in (
        (out_of_time(frame, as_of=AS_OF), out_of_time(shuffled, as_of=AS_OF)),
        (latest(frame, time="applied_on"), latest(shuffled, time="applied_on")),
        (random_share(frame, stratify="label"), random_share(shuffled, stratify="label")),
    ):
        assert first.train.equals(second.train)
        assert first.test.equals(second.test)


def test_the_latest_rows_are_tested_on_and_equal_times_stay_together() -> None:
    frame = pl.DataFrame({"year": [2001] * 6 + [2002] * 4 + [None], "x": range(11)})
    split = latest(frame, time="year")
    assert (set(split.train["year"]), set(split.test["year"])) == ({2001}, {2002})
    with pytest.raises(BadSplit, match="'year' cannot cut 6 dated rows"):
        latest(frame.head(6), time="year")


def test_a_gap_before_the_latest_rows_is_left_out() -> None:
    split = latest(loans(), time="applied_on", gap_days=400)
    gap = min(split.test["applied_on"].to_list()) - max(split.train["applied_on"].to_list())
    assert gap > timedelta(days=400)


def test_a_random_split_shares_the_classes_out_evenly() -> None:
    split = random_share(loans(), stratify="label", share=0.2)
    for label in ("bad", "good"):
        tested, learnt = (part.filter(label=label).height for part in (split.test, split.train))
        assert tested / (tested + learnt) == pytest.approx(0.2, abs=0.01)
    assert split.test.height + split.train.height == loans().height


def test_a_group_stays_in_one_part() -> None:
    frame = loans().with_columns(customer=pl.col("application_id").str.slice(4, 2))
    split = random_share(frame, groups="customer")
    assert not set(split.train["customer"]) & set(split.test["customer"])
    assert 0.15 < split.test.height / frame.height < 0.35


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 5), st.integers(1, 6), st.integers(1, 8))
def test_a_walk_tests_each_period_once_on_what_had_settled_before_it(
    seed: int, months: int, periods: int
) -> None:
    walked = list(
        walk_forward(loans(every=1, seed=seed), as_of=AS_OF, months=months, periods=periods)
    )
    tested = [name for _, split in walked for name in split.test["application_id"].to_list()]
    assert len(tested) == len(set(tested))
    whole = out_of_time(loans(every=1, seed=seed), as_of=AS_OF, test_months=months * len(walked))
    assert sorted(tested) == sorted(whole.test["application_id"].to_list())
    for start, split in walked:
        assert max(split.train["matures_on"].to_list()) <= start
        assert min(split.test["applied_on"].to_list()) >= start


def test_a_period_that_would_learn_from_too_few_defaults_is_left_out() -> None:
    everything = list(walk_forward(loans(), as_of=AS_OF, periods=12, least_bads=1))
    some = list(walk_forward(loans(), as_of=AS_OF, periods=12, least_bads=40))
    assert [start for start, _ in some] == [start for start, _ in everything][-len(some) :]
    assert 0 < len(some) < len(everything)
    with pytest.raises(BadSplit, match="longer history"):
        list(walk_forward(loans(), as_of=AS_OF, least_bads=10_000))
