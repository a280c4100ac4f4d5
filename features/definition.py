"""A feature: declared once, and it says everything people ask about it.

The function's name is the column, its docstring the data dictionary, its expression the
computation. The decorator adds the source, the unit, the direction of risk (which becomes the
scorer's monotone constraint) and the reason told to an applicant when it counts against them.

Feature bodies see time only as age: in the rows they are given, every ``<what>_on`` date of the
source is ``<what>_ago`` (days before the application), ``period`` is ``months_ago`` (months from
the period's last month to the application's) and ``months_back`` counts months back from the
newest known month of the same series. Windows of months are marked for all features of a source
at once; `periods` names them.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import polars as pl

from features.errors import UnknownName
from features.reasons import REASONS
from features.tables import Table

Risk = Literal["rises", "falls"]

# What would make one business alone differ in the last bit from its row in a batch: Polars divides
# one row by a constant otherwise than a chunk of many, and rounds a deviation by the group's place.
DIVISION_BY_CONSTANT = re.compile(r"(?<!/)/ \((dyn \w+: )?-?\d")
DEVIATION = re.compile(r"\.(std|var)\(")


@dataclass(frozen=True, eq=False)  # one declaration is one feature; expressions cannot be compared
class Feature:
    """A column of the feature table and all that is said of it.

    ``source`` is the table whose rows the expression aggregates; ``None`` means the expression
    reads the finished row: the request and the features before it. ``plausible`` bounds the values
    that make sense; ``undirected`` says why no direction of risk is declared.
    """

    name: str
    meaning: str
    source: Table | None
    expression: pl.Expr
    unit: str
    risk: Risk | None
    undirected: str
    reason: str
    plausible: tuple[float, float] | None
    department: str

    @property
    def is_category(self) -> bool:
        """Whether the values are names rather than numbers."""
        return self.unit == "category"

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
        if self.reason not in REASONS:
            raise UnknownName("reason", self.reason, REASONS)


def feature(
    source: Table | None,
    *,
    unit: str,
    reason: str,
    risk: Risk | None = None,
    undirected: str = "",
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
            plausible=plausible,
            department=department or (source.department if source else "request"),
        )

    return declare
