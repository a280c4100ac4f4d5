"""Decisions are read from a journal for monitoring: what counts, what is left out, and no name."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest

from models import Scorer
from models.loans.outcomes import DPD90_12M
from pipelines.learning.decided import ERASED, OTHERS, YOUNG, Wanted, of_journal
from serving.web.keys import create_key
from tests.serving.conftest import (
    FEATURES,
    NOW,
    Desk,
    applicants,
    bundles,
    champion,
    journal_at,
    open_desk,
    post,
    request_of,
    scorer,
    store,
)
from tests.serving.test_overrides import REASON, TEXT, send

__all__ = ["bundles", "champion", "journal_at", "open_desk", "scorer", "store"]  # fixtures
BUSINESSES = (0, 1, 2, 5, 4, 3, 6, 7)  # the first four are approved, the fifth is declined
DECISIONS = len(BUSINESSES)
REPAID, LOST, YOUNG_LOAN, ERASED_ONE = range(4)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def later_key(desk: Desk, scope: str) -> str:
    return create_key(desk.keys_path, f"later {scope}", [scope], now=desk.now)


@pytest.fixture
async def desk(open_desk: Callable[..., Desk]) -> Desk:
    """A closed desk that decided eight applications, and heard of four loans five years later.

    The first was repaid, the second written off; of the third there is one early report; the
    fourth was never taken up, and its decision erased. The fifth decision was overridden.
    """
    desk = open_desk()
    async with desk.client() as client:
        made = [
            await post(client, request_of(number), key=f"key-{number:016d}")
            for number in BUSINESSES
        ]
        where = made[4].headers["location"]
        assert (await send(client, f"{where}/overrides", {**REASON, "text": TEXT})).is_success
    names = [one.json()["decision_id"] for one in made]
    desk.now += timedelta(days=5 * 365 + 2)
    reports = [
        (REPAID, "2025-07-20", "repaid", 0),
        (LOST, "2024-12-20", "written_off", 120),
        (YOUNG_LOAN, "2024-09-20", "performing", 0),
        (ERASED_ONE, "2024-07-22", "not_taken_up", 0),
    ]
    async with desk.client(later_key(desk, "officer")) as client:
        for number, day, state, late in reports:
            told = {"decision_id": names[number], "as_of": day, "state": state}
            told |= {"days_past_due": late, "worst_days_past_due": late}
            assert (await send(client, "/v1/outcomes", told, key=f"told-{number:016d}")).is_success
    async with desk.client(later_key(desk, "operator")) as client:
        gone = {"decision_id": names[ERASED_ONE], "text": "Asked for by the business."}
        assert (await send(client, "/v1/erasures", gone)).is_success
    desk.service.close()
    return desk


def wanted(scorer: Scorer, **changes: Any) -> Wanted:
    asked = Wanted(
        version="1",
        scorer=scorer,
        definition=DPD90_12M,
        schema=applicants(1).schema,
        start=date(2024, 1, 1),
    )
    return replace(asked, **changes)


@pytest.mark.anyio
async def test_an_erased_decision_is_counted_and_never_read(desk: Desk, scorer: Scorer) -> None:
    found = of_journal(desk.journal_at, wanted(scorer))
    assert found.left_out == {ERASED: 1, OTHERS: 0, YOUNG: 0}
    assert found.made.height == found.features.height == found.ages.height == DECISIONS - 1


@pytest.mark.anyio
async def test_what_was_decided_on_is_read_as_it_was_recorded(desk: Desk, scorer: Scorer) -> None:
    found = of_journal(desk.journal_at, wanted(scorer))
    assert found.features.columns == [feature.name for feature in FEATURES]
    served = pl.Series("probability", scorer.predict_proba(found.features)[:, 1])
    assert found.made["probability"].equals(served)
    assert found.made["decided_on"].unique().to_list() == [NOW.date()]
    assert found.ages["registrations"].null_count() == 0
    assert found.ages.min_horizontal().min() >= 0  # type: ignore[operator]


@pytest.mark.anyio
async def test_reported_loans_are_labelled_as_the_loan_book_is(desk: Desk, scorer: Scorer) -> None:
    labels = of_journal(desk.journal_at, wanted(scorer)).made["label"].to_list()
    assert labels[:3] == ["good", "bad", "immature"]
    assert set(labels[3:]) == {None}, "nothing was reported of them"


@pytest.mark.anyio
async def test_an_override_is_told_by_direction_reason_and_whether_it_counts(
    desk: Desk, scorer: Scorer
) -> None:
    found = of_journal(desk.journal_at, wanted(scorer))
    assert found.overrides is not None
    (override,) = found.overrides.to_dicts()
    assert override == {
        "decided": found.made["outcome"][3],  # the fifth of eight, one before it erased
        "outcome": "decline",
        "reason_code": "doubt_about_the_applicant",
        "status": "effective",
        "in_force": True,
    }


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("changes", "counted", "erased"),
    [
        ({"version": "2"}, OTHERS, 1),
        ({"start": date(2024, 7, 23)}, YOUNG, 1),
        ({"since": date(2024, 7, 23)}, "", 0),
        ({"until": date(2024, 7, 21)}, "", 0),
    ],
)
async def test_what_is_not_asked_for_is_left_out(
    desk: Desk, scorer: Scorer, changes: dict[str, Any], counted: str, erased: int
) -> None:
    found = of_journal(desk.journal_at, wanted(scorer, **changes))
    assert found.made.is_empty()
    left = {name: number for name, number in found.left_out.items() if number}
    assert left == ({counted: DECISIONS - 1} if counted else {}) | ({ERASED: 1} if erased else {})


@pytest.mark.anyio
async def test_nothing_that_is_read_names_a_business(desk: Desk, scorer: Scorer) -> None:
    found = of_journal(desk.journal_at, wanted(scorer))
    frames = (found.made, found.features, found.ages, found.overrides)
    written = "".join(frame.write_csv() for frame in map(flat, frames))
    for number in range(DECISIONS):
        asked = request_of(number)
        assert str(asked["business_id"]) not in written
        assert str(asked["application_id"]) not in written
    assert "dec_" not in written


def flat(frame: pl.DataFrame | None) -> pl.DataFrame:
    assert frame is not None
    return frame.drop("reasons", "rules", strict=False)
