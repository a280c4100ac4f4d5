"""One figure of the province beside what was published about the real thing, and the verdict."""

from itertools import pairwise
from typing import Literal

import msgspec

Verdict = Literal["inside", "outside", "not measurable"]


class Marginal(msgspec.Struct, frozen=True, omit_defaults=True):
    """A figure to be held between ``low`` and ``high``, both included.

    ``source`` says where the target comes from; ``measured`` is None where the province cannot
    tell, and ``note`` then says why. ``sample`` counts what the figure was measured on.
    """

    topic: str
    name: str
    low: float
    high: float
    source: str
    measured: float | None
    sample: int = 0
    unit: str = ""
    note: str = ""

    @property
    def verdict(self) -> Verdict:
        """Inside or outside the tolerance, as printed with four significant digits."""
        if self.measured is None:
            return "not measurable"
        return "inside" if self.low <= float(f"{self.measured:.4g}") <= self.high else "outside"

    @property
    def target(self) -> str:
        """The tolerance in words."""
        return f"{self._told(self.low)} to {self._told(self.high)}"

    @property
    def found(self) -> str:
        """The measured figure in words."""
        return "–" if self.measured is None else self._told(self.measured)

    def _told(self, figure: float) -> str:
        if self.unit == "%":
            return f"{100 * figure:.2f} %"
        return f"{figure:,.0f}" if abs(figure) >= 100 else f"{figure:.3g}"


def around(target: float, relative: float) -> tuple[float, float]:
    """The bounds of ``target`` give or take a share of it."""
    return target * (1 - relative), target * (1 + relative)


def steps_back(figures: list[float]) -> int:
    """How many neighbours stand in the wrong order of a row that should fall."""
    return sum(after > before for before, after in pairwise(figures))
