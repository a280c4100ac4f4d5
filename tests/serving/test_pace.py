"""What would wait beyond its deadline is refused when it comes, by how fast requests go lately."""

from collections.abc import Iterator

import pytest

from serving.desk.pace import Pace


class Clock:
    """Shows the moments it was given, one after another."""

    def __init__(self, *moments: float) -> None:
        self._moments: Iterator[float] = iter(moments)

    def __call__(self) -> float:
        return next(self._moments)


def paced(*seconds: float, workers: int = 2) -> Pace:
    """A pace that saw requests of so many seconds."""
    pace = Pace(workers, Clock(*(moment for taken in seconds for moment in (0.0, taken))))
    for _ in seconds:
        with pace.timed():
            pass
    return pace


def test_a_new_service_expects_no_wait() -> None:
    assert paced().wait(1000) == 0


@pytest.mark.parametrize(("running", "wait"), [(0, 0), (1, 0), (2, 0.2), (3, 0.4), (21, 4.0)])
def test_whoever_finds_a_free_worker_waits_for_nobody(running: int, wait: float) -> None:
    assert paced(0.4).wait(running) == pytest.approx(wait)


def test_the_mean_follows_the_newest_requests() -> None:
    slow, fast = paced(*[0.1] * 10, *[1.0] * 200), paced(*[1.0] * 10, *[0.1] * 200)
    assert slow.wait(2) == pytest.approx(0.5, rel=0.01)
    assert fast.wait(2) == pytest.approx(0.05, rel=0.01)


def test_a_request_that_fails_counts_too() -> None:
    pace = Pace(1, Clock(0.0, 3.0))
    with pytest.raises(ValueError, match="no"), pace.timed():
        raise ValueError("no")
    assert pace.wait(1) == 3.0
