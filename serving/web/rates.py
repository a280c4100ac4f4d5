"""How often one caller may ask, so that no caller starves the others."""

import time
from collections.abc import Callable
from typing import NamedTuple

FORGOTTEN_ABOVE = 10_000  # callers; those who have been quiet are forgotten first


class Rate(NamedTuple):
    """Requests a second in the long run, and how many may come at once."""

    per_second: float
    burst: float


class Rates:
    """A token bucket for each caller, kept as the moment at which it will be full again.

    That is the generic cell rate algorithm (ITU-T I.371): one number a caller, nothing to refill.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._full_at: dict[str, float] = {}

    def take(self, caller: str, rate: Rate) -> float:
        """Count a request: 0.0, or the seconds until one may come (then it is not counted)."""
        now = self._monotonic()
        full_at = max(now, self._full_at.get(caller, now))
        wait = full_at - now - (rate.burst - 1) / rate.per_second
        if wait > 0:
            return wait
        self._full_at[caller] = full_at + 1 / rate.per_second
        if len(self._full_at) > FORGOTTEN_ABOVE:
            self._full_at = {name: at for name, at in self._full_at.items() if at > now}
        return 0.0
