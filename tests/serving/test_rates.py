"""Nobody asks oftener than allowed, nobody is held up by others, and it is told when to return."""

from collections.abc import Callable

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.web.app import create_app
from serving.web.keys import BadKeys, Keys, create_key
from serving.web.rates import FORGOTTEN_ABOVE, Rate, Rates
from tests.serving.conftest import NOW, Desk

pytestmark = pytest.mark.anyio


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


async def test_a_burst_then_a_steady_rate() -> None:
    clock = Clock()
    rates = Rates(clock)
    waits = [rates.take("a", Rate(2.0, 3)) for _ in range(4)]
    assert waits == [0.0, 0.0, 0.0, 0.5]
    clock.seconds = 0.5
    assert [rates.take("a", Rate(2.0, 3)) for _ in range(2)] == [0.0, 0.5]
    assert rates.take("b", Rate(2.0, 3)) == 0.0


@settings(max_examples=50)
@given(
    gaps=st.lists(st.floats(0, 3), min_size=1, max_size=60),
    per_second=st.floats(0.1, 50),
    burst=st.integers(1, 20),
)
async def test_in_any_stretch_no_more_come_through_than_burst_and_rate_allow(
    gaps: list[float], per_second: float, burst: int
) -> None:
    clock, came = Clock(), []
    rates = Rates(clock)
    for gap in gaps:
        clock.seconds += gap
        if not rates.take("a", Rate(per_second, burst)):
            came.append(clock.seconds)
    for first, begin in enumerate(came):
        for last, end in enumerate(came[first:], start=first):
            assert last - first + 1 <= burst + (end - begin) * per_second + 1e-6


async def test_callers_who_have_been_quiet_are_forgotten() -> None:
    clock = Clock()
    rates = Rates(clock)
    for number in range(FORGOTTEN_ABOVE):
        rates.take(str(number), Rate(1.0, 1))
    clock.seconds = 2.0
    rates.take("new", Rate(1.0, 1))
    assert len(rates._full_at) == 1


def limited(desk: Desk, clock: Clock, per_second: float = 1.0) -> httpx.AsyncClient:
    """A client of the same service that lets a key ask so often."""
    app = create_app(
        desk.service,
        Keys(desk.keys_path),
        clock=lambda: NOW,
        request_id=lambda: "request-1",
        per_second=per_second,
        monotonic=clock,
    )
    transport = httpx.ASGITransport(app)
    return httpx.AsyncClient(transport=transport, base_url="http://desk")


async def test_a_key_that_asks_too_often_is_told_when_to_return(desk: Desk) -> None:
    clock = Clock()
    other = create_key(desk.keys_path, "other", ["auditor"], now=NOW)
    async with limited(desk, clock) as client:
        client.headers["authorization"] = f"Bearer {desk.key}"
        answers = [await client.get("/v1/model") for _ in range(3)]
        theirs = await client.get("/v1/model", headers={"authorization": f"Bearer {other}"})
        clock.seconds = float(answers[2].headers["retry-after"])
        later = await client.get("/v1/model")
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    told = answers[2].json()
    assert (told["code"], told["decided"], told["retry"]["safe"]) == ("rate-limited", False, True)
    assert told["retry"]["after_s"] == 1
    assert (theirs.status_code, later.status_code) == (200, 200)


async def test_a_key_may_have_less_than_the_others_but_not_more(desk: Desk) -> None:
    clock = Clock()
    slow, fast = (
        create_key(desk.keys_path, name, ["officer"], now=NOW, per_second=rate)
        for name, rate in (("slow", 0.5), ("fast", 1e6))
    )
    async with limited(desk, clock) as client:
        found = {
            key: [
                (
                    await client.get("/v1/model", headers={"authorization": f"Bearer {key}"})
                ).status_code
                for _ in range(3)
            ]
            for key in (slow, fast)
        }
    assert found == {slow: [200, 429, 429], fast: [200, 200, 429]}
    with pytest.raises(BadKeys, match="times a second"):
        create_key(desk.keys_path, "none", ["officer"], now=NOW, per_second=-1.0)


async def test_the_sixth_failure_in_a_row_is_throttled_and_whoever_has_a_key_still_gets_in(
    desk: Desk,
) -> None:
    clock = Clock()
    async with limited(desk, clock) as client:
        wrong = {"authorization": "Bearer mlk_none"}
        failed = [(await client.get("/v1/model", headers=wrong)).status_code for _ in range(1000)]
        right = await client.get("/v1/model", headers={"authorization": f"Bearer {desk.key}"})
        clock.seconds = 60.0
        again = await client.get("/v1/model", headers=wrong)
    assert failed == [401] * 5 + [429] * 995
    assert (right.status_code, again.status_code) == (200, 401)


async def test_health_is_asked_as_often_as_one_likes(open_desk: Callable[..., Desk]) -> None:
    async with limited(open_desk(), Clock(), per_second=0.01) as client:
        assert {(await client.get("/health/live")).status_code for _ in range(20)} == {200}
