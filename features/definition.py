"""A feature: declared once, and it says everything people ask about it.

The function's name is the column, its docstring the data dictionary, its expression the
computation. The decorator adds the source, the unit, the direction of risk (which becomes the
scorer's monotone constraint) and the reason told to an applicant when it counts against them and
is true of its value.

Feature bodies see time only as age: in the rows they are given, every ``<what>_on`` date of the
source is ``<what>_ago`` (days before the application), ``period`` is ``months_ago`` (months from
the period's last month to the application's) and ``months_back`` counts months back from the
newest known month of the same series; a source's anniversary is also ``<what>_months_ago``, in
whole calendar months. Windows of months are marked for all features of a source
at once; `periods` names them.
"""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import polars as pl

from features.errors import UnknownName
from features.reasons import NEUTRAL, REASONS, UNKNOWN
from features.tables import Table

Risk = Literal["rises", "falls"]

# What would make one business alone differ in the last bit from its row in a batch: Polars divides
# one row by a constant otherwise than a chunk of many, and rounds a deviation by the group's place.
DIVISION_BY_CONSTANT = re.compile(r"(?<!/)/ \((dyn \w+: )?-?\d")
DEVIATION = re.compile(r"\.(std|var)\(")

BOUND = re.compile(r"(<=|>=|==|<|>) (-?[0-9.]+)")  # of a reason's truth, as "< -0.2 or > 0.2"
_COMPARE: dict[str, Callable[[Any, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
}


@dataclass(frozen=True, eq=False)  # one declaration is one feature; expressions cannot be compared
class Feature:
    """A column of the feature table and all that is said of it.

    ``source`` is the table whose rows the expression aggregates; ``None`` means the expression
    reads the finished row: the request and the features before it. ``plausible`` bounds the values
    that make sense; ``undirected`` says why no direction of risk is declared.

    ``reason`` is true of the values that ``told_if`` names, one or two bounds, or of all if it
    names none; ``unknown`` is the reason told where the value is not known.
    """

    name: str
    meaning: str
    source: Table | None
    expression: pl.Expr
    unit: str
    risk: Risk | None
    undirected: str
    reason: str
    told_if: str
    unknown: str
    plausible: tuple[float, float] | None
    department: str

    @property
    def is_category(self) -> bool:
        """Whether the values are names rather than numbers."""
        return self.unit == "category"

    @cached_property
    def bounds(self) -> tuple[tuple[str, float], ...]:
        """``told_if`` as operators and numbers; the reason is true beyond any of them."""
        if not self.told_if:
            return ()
        found = [BOUND.fullmatch(each) for each in self.told_if.split(" or ")]
        if not all(found):
            raise ValueError(
                f'feature {self.name} is told if {self.told_if!r}; write "> 0" or "< 0.8 or > 1.25"'
            )
        return tuple((each[1], float(each[2])) for each in found if each)

    def reason_of(self, value: float | str | None) -> str:
        """The code of the reason that is true of ``value``; a neutral one where no other is."""
        if value is None:
            return self.unknown
        for operation, bound in self.bounds:
            if _COMPARE[operation](value, bound):
                return self.reason
        return NEUTRAL[self.department] if self.bounds else self.reason

    def __post_init__(self) -> None:
        if not self.meaning:
            raise ValueError(f"feature {self.name} has no docstring; it is the data dictionary")
        if (self.risk is None) == (not self.undirected):
            raise ValueError(
                f"feature {self.name} needs either a risk or the reason why it has none"
            )
        if DIVISION_BY_CONSTANT.search(str(self.expression)):
            raise ValueError(
                f"feature {self.name} divides by a constant; multiply by its reciprocal"
            )
        if DEVIATION.search(str(self.expression)):
            raise ValueError(
                f"feature {self.name} takes a standard deviation; use periods.volatility"
            )
        for code in (self.reason, self.unknown):
            if code not in REASONS:
                raise UnknownName("reason", code, REASONS)
        if self.bounds and self.is_category:
            raise ValueError(f"feature {self.name} is a category; its reason is told of any value")


def feature(
    source: Table | None,
    *,
    unit: str,
    reason: str,
    risk: Risk | None = None,
    undirected: str = "",
    told_if: str = "",
    unknown: str = UNKNOWN,
    plausible: tuple[float, float] | None = None,
    department: str | None = None,
) -> Callable[[Callable[[], pl.Expr]], Feature]:
    """Declare the decorated function as a feature of ``source``."""

    def declare(function: Callable[[], pl.Expr]) -> Feature:
        return Feature(
            name=function.__name__,
            meaning=" ".join((function.__doc__ or "").split()),
            source=source,
            expression=function().alias(function.__name__),
            unit=unit,
            risk=risk,
            undirected=undirected,
            reason=reason,
            told_if=told_if,
            unknown=unknown,
            plausible=plausible,
            department=department or (source.department if source else "request"),
        )

    return declare
