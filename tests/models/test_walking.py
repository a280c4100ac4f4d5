"""What a walk through the past shows is counted right."""

import polars as pl
import pytest

from models.validation.walk_plot import walk_plot
from models.validation.walking import walked

FIRST = ["approve"] * 3 + ["refer", "decline", "decline"]
ROWS = pl.DataFrame(
    {
        "period": ["2024-01"] * 6 + ["2024-04"] * 4,
        "learnt_from": [100] * 6 + [200] * 4,
        "probability": [0.01, 0.02, 0.03, 0.1, 0.2, 0.3, 0.01, 0.02, 0.1, 0.2],
        "outcome": [*FIRST, "approve", "refer", "decline", "decline"],
        "bad": [0.0, 0.0, None, 1.0, 1.0, None, 0.0, 0.0, 1.0, 1.0],
        "true_pd": [0.01, 0.01, 0.04, 0.2, 0.2, 0.3, 0.02, 0.02, 0.1, 0.2],
    }
)


def test_periods_come_in_order_and_all_of_them_last() -> None:
    assert [each.period for each in walked(ROWS)] == ["2024-01", "2024-04", "all"]


def test_every_application_is_decided_once() -> None:
    for period in walked(ROWS):
        assert sum(each.applications for each in period.decided) == period.applications
        assert sum(each.share for each in period.decided) == pytest.approx(1)
        assert sum(each.bads for each in period.decided) == period.bads


def test_ranking_and_level_are_those_of_loans_whose_end_is_known() -> None:
    first, _, whole = walked(ROWS)
    assert (first.matured, first.bads, first.learnt_from) == (4, 2, 100)
    assert first.auc is not None
    assert first.auc.value == 1.0
    assert first.expected == pytest.approx((0.01 + 0.02 + 0.1 + 0.2) / 4)
    assert (whole.matured, whole.observed) == (8, 0.5)


def test_the_truth_is_that_of_all_who_applied() -> None:
    approved = walked(ROWS)[0].decided[0]
    assert approved.true_pd == pytest.approx(0.02)
    assert (approved.matured, approved.bad_rate) == (2, 0.0)


def test_without_a_matured_loan_nothing_is_made_up() -> None:
    period = walked(ROWS.with_columns(bad=pl.lit(None, pl.Float64)))[-1]
    assert (period.auc, period.log_loss, period.expected, period.observed) == (None,) * 4
    assert {each.bad_rate for each in period.decided} == {None}


def test_the_picture_is_the_same_each_time() -> None:
    assert walk_plot(walked(ROWS)) == walk_plot(walked(ROWS))
    assert walk_plot(walked(ROWS.with_columns(bad=pl.lit(None, pl.Float64))))
