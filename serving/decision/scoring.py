"""One row scored: the probability of default, what each feature adds to it, and its doubt."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from numpy.typing import NDArray
from scipy.special import expit

from serving.policy.values import Row


class RowScorer(Protocol):
    """What a decision needs of ``models.Scorer``."""

    @property
    def base_(self) -> float: ...  # noqa: D102
    @property
    def names_(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def points(self) -> Any: ...  # noqa: D102
    def encode_row(self, values: Mapping[str, Any]) -> NDArray[Any]: ...  # noqa: D102
    def explain_row(self, row: NDArray[Any]) -> NDArray[Any]: ...  # noqa: D102
    def score_moved(  # noqa: D102
        self, values: Mapping[str, Any], moves: Sequence[Mapping[str, Any]]
    ) -> NDArray[Any]: ...


class RowDoubt(Protocol):
    """What a decision needs of ``models.validation.doubt.Doubt``."""

    def row(self, encoded: NDArray[Any]) -> float: ...  # noqa: D102


class Scored(NamedTuple):
    """Contributions and log-odds of default, the probability, and the log-odds' standard error."""

    contributions: NDArray[Any]
    log_odds: float
    probability: float
    doubt: float | None


def score_row(scorer: RowScorer, doubt: RowDoubt | None, row: Row) -> Scored:
    """Score one row; its doubt is None where the scorer has none."""
    encoded = scorer.encode_row(row)
    contributions = scorer.explain_row(encoded)
    log_odds = float(scorer.base_ + contributions.sum())
    error = None if doubt is None else doubt.row(encoded)
    return Scored(contributions, log_odds, float(expit(log_odds)), error)


def probabilities_if(scorer: RowScorer, row: Row, moves: Sequence[Row]) -> list[float]:
    """The probability of ``row`` after each of some moves, to the bit as ``score_row`` tells it."""
    return [float(expit(log_odds)) for log_odds in scorer.score_moved(row, moves)]
