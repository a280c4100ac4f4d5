"""Monitoring: what has moved is red, what chance moves is green, and no figure lacks its rows."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.validation.discrimination import Interval
from models.validation.monitor_page import html
from models.validation.monitoring import Monitoring, TooFew, monitor
from models.validation.people import people
from models.validation.performance import performance
from models.validation.population import Decided, Development, Terms, moved, population
from models.validation.stability import chance_index
from tests.models.test_report import Tags

SCALE = [("A", 0.05), ("B", 0.2), ("C", 1.0)]
TERMS = Terms(SCALE, {"tax_returns": 130})
VALIDATED = Interval(0.8, 0.75, 0.85)
ABOUT = {"model": "microloan 1", "policy": "2026-11", "decisions": "journal"}
OVERRIDES = {
    "decided": pl.String,
    "outcome": pl.String,
    "reason_code": pl.String,
    "status": pl.String,
    "in_force": pl.Boolean,
}


def drawn(rows: int, seed: int, shift: float = 0.0) -> tuple[pl.DataFrame, pl.Series, pl.DataFrame]:
    """Features, probabilities and ages of sources; ``shift`` moves late filings and risk."""
    random = np.random.default_rng(seed)
    late, noise = random.normal(shift, 1, rows), random.normal(0, 1, rows)
    probability = pl.Series("score", 1 / (1 + np.exp(2.5 - late)))
    features = pl.DataFrame({"late_filings": late, "noise": noise})
    ages = pl.Series("tax_returns", random.integers(1, 120, rows))
    return features, probability, ages.to_frame()


def development(rows: int = 4000, seed: int = 0) -> Development:
    features, probability, ages = drawn(rows, seed)
    days = date(2022, 1, 1), date(2023, 12, 31)
    added = {"late_filings": float(features["late_filings"].to_numpy().mean()), "noise": 0.0}
    return Development(features, added, probability, ages, *days)


def decided(rows: int = 600, seed: int = 1, shift: float = 0.0) -> Decided:
    """Decisions of three months; whoever's probability is below .2 is approved, and lent to."""
    features, probability, ages = drawn(rows, seed, shift)
    random = np.random.default_rng(seed + 1)
    bad = random.random(rows) < probability.to_numpy()
    outcome = ["approve" if one < 0.2 else "decline" for one in probability]
    made = pl.DataFrame(
        {
            "decided_on": [date(2025, 1, 1) + timedelta(days=90 * n // rows) for n in range(rows)],
            "outcome": outcome,
            "grade": ["A" if one < 0.05 else "B" if one < 0.2 else "C" for one in probability],
            "probability": probability,
            "reasons": [[] if one == "approve" else ["R17"] for one in outcome],
            "rules": [["automatic_doubt"] if n % 10 == 0 else [] for n in range(rows)],
            "label": [("bad" if one else "good") if n % 2 else None for n, one in enumerate(bad)],
        }
    )
    added = {"late_filings": float(features["late_filings"].to_numpy().mean()), "noise": 0.0}
    none = pl.DataFrame(schema=OVERRIDES)
    return Decided(made, features, added, ages, none, {"erased": 2, "of other versions": 0})


def monitored(now: Decided) -> Monitoring:
    return monitor(now, development(), TERMS, VALIDATED, ABOUT)


@cache
def whole() -> Monitoring:
    return monitored(decided())


def lights(found: Monitoring) -> dict[str, str | None]:
    return {one.about: one.light for one in found.findings}


def overrides(*rows: Sequence[Any]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=OVERRIDES, orient="row")


def test_the_same_population_is_green() -> None:
    found = whole()
    assert lights(found) | {"doubt": None} == {
        "score": "green",
        "features": "green",
        "doubt": None,
        "sources": "green",
        "overrides": "green",
        "defaults": "green",
        "ranking": "green",
    }
    assert found.light == "green"


def test_a_shifted_score_turns_red_and_names_what_moved_it() -> None:
    found = monitored(decided(shift=1.0))
    assert (lights(found)["score"], lights(found)["features"]) == ("red", "red")
    first, second = found.population.features
    assert (first.name, first.light, second.light) == ("late_filings", "red", "green")
    assert first.added == pytest.approx(1.0, abs=0.15)
    assert lights(found)["score 2025-02"] == "red"
    assert found.light == "red"


def test_a_feature_that_moves_without_moving_the_score_is_no_alarm() -> None:
    now = decided()
    elsewhere = now.features.with_columns(pl.col("noise") + 3)
    found = monitored(replace(now, features=elsewhere))
    assert found.population.features[0].light == "red"
    assert (lights(found)["score"], lights(found)["features"]) == ("green", "amber")


@settings(max_examples=30, deadline=None)
@given(rows=st.integers(50, 400), seed=st.integers(0, 10_000))
def test_a_column_of_the_same_population_stays_green_however_few_its_rows(
    rows: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    values = [f"trade {place}" for place in range(12)]
    share = np.array([0.3, 0.2, 0.15, 0.1, 0.1, 0.05, 0.04, 0.03, 0.01, 0.01, 0.005, 0.005])
    then = pl.Series("trade", random.choice(values, 5000, p=share))
    now = pl.Series("trade", random.choice(then.to_numpy(), rows))
    assert moved("trade", then, now).index <= 2 * chance_index(then, rows)


def test_chance_reaches_beyond_the_lines_only_where_rows_are_few() -> None:
    then = development().probability
    assert chance_index(then, 50) > 0.25
    assert chance_index(then, 3000) < 0.02
    few, many = (pl.Series(then.gather_every(4000 // n)[:n]) for n in (50, 2000))
    assert moved("score", then, few + 0.02).light == "green", "fifty rows cannot tell"
    assert moved("score", then, many + 0.02).light != "green"


def test_a_source_that_falls_silent_turns_red() -> None:
    now = decided()
    silent = pl.Series("tax_returns", [None if n % 3 == 0 else 140 for n in range(600)])
    seen = population(replace(now, ages=silent.to_frame()), development(), TERMS)
    (source,) = seen.sources
    assert (source.missing, source.stale, source.stale_then) == (200 / 600, 400 / 600, 0.0)
    assert (source.median_days, source.light) == (140.0, "red")


def test_every_decision_is_in_one_month_one_outcome_and_one_grade() -> None:
    seen = whole().population
    assert [month.month for month in seen.months] == ["2025-01", "2025-02", "2025-03"]
    for parts in (seen.months, seen.outcomes, seen.grades):
        assert sum(one.decisions for one in parts) == seen.decisions == 600
    assert sum(one.share for one in seen.outcomes) == pytest.approx(1)
    assert sum(one.then for one in seen.grades) == pytest.approx(1)
    (reason,) = seen.reasons
    assert reason.decisions == next(o.decisions for o in seen.outcomes if o.name == "decline")
    assert (seen.referred_for_doubt.decisions, seen.referred_for_doubt.share) == (60, 0.1)


def test_overrides_are_counted_by_direction_and_only_those_of_clear_decisions_are_dissent() -> None:
    made = (
        decided()
        .made.head(20)
        .with_columns(outcome=pl.Series(["approve"] * 8 + ["decline"] * 8 + ["refer"] * 4))
    )
    seen = people(
        made,
        overrides(
            ("decline", "approve", "documents_seen", "effective", True),
            ("decline", "approve", "documents_seen", "awaiting_approval", False),
            ("decline", "approve", "other", "refused", False),
            ("refer", "approve", "documents_seen", "approved", True),
            ("approve", "decline", "outside_credit_policy", "effective", True),
        ),
    )
    assert (seen.overridden, seen.clear, seen.overturned) == (3, 16, 2)
    assert (seen.awaiting_approval, seen.refused, seen.light) == (1, 1, "red")
    assert {one.name: one.decisions for one in seen.directions} == {
        "decline → approve": 2,
        "refer → approve": 1,
        "approve → decline": 1,
    }
    assert seen.reasons[0].name == "documents_seen"


def test_only_matured_loans_are_judged_and_the_rest_are_counted() -> None:
    made = decided().made
    young = made.with_columns(
        label=pl.Series(["immature"] * 300 + ["indeterminate"] * 50 + ["good"] * 50 + [None] * 200)
    )
    told = performance(young, ["A", "B", "C"], VALIDATED)
    assert (told.loans, told.immature, told.indeterminate) == (400, 300, 50)
    assert (told.rows, told.bads, told.auc, told.ranking) == (50, 0, None, None)
    assert sum(band.rows for band in told.grades) == pytest.approx(50)
    nothing = performance(made.with_columns(label=pl.lit("immature")), ["A", "B", "C"], VALIDATED)
    assert (nothing.level, nothing.grades, nothing.rows) == (None, (), 0)


def test_more_defaults_than_expected_and_a_lost_ranking_turn_red() -> None:
    made = decided(rows=1200).made
    random = np.random.default_rng(5)
    labels = ["bad" if one else "good" for one in random.random(1200) < 0.4]
    told = performance(made.with_columns(label=pl.Series(labels)), ["A", "B", "C"], VALIDATED)
    assert told.level is not None
    assert (told.level.light, told.ranking) == ("red", "red")


def test_too_few_decisions_say_so_with_the_next_step_and_what_was_left_out() -> None:
    now = decided()
    few = replace(
        now, made=now.made.head(49), features=now.features.head(49), ages=now.ages.head(49)
    )
    with pytest.raises(TooFew, match=r"look at: 49; 50 .*2 erased.*--batch") as said:
        monitored(few)
    assert "other versions" not in str(said.value)


def test_the_page_needs_nothing_but_itself_and_holds_every_finding() -> None:
    page, tags = html(whole()), Tags()
    tags.feed(page)
    assert (tags.open, tags.fetched) == ([], [])
    assert page == html(whole())
    assert page.count("<svg") == 6
    for one in whole().findings:
        assert f">{one.about}<" in page or f"○ {one.about}<" in page
    assert "2 erased." in page


def test_figures_come_back_whole_from_json_and_can_be_logged() -> None:
    found = whole()
    assert msgspec.json.decode(msgspec.json.encode(found), type=Monitoring) == found
    assert all(np.isfinite(figure) for figure in found.metrics().values())
