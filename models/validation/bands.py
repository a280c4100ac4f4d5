"""Expected against observed defaults in bands of probability, with the tests a validator asks for.

Two questions by band: is the predicted probability too low (binomial and Jeffreys test, one-sided,
as a bank's supervisor asks), and where does the true rate lie (Jeffreys interval)? One question
over all bands: do they deviate more than chance allows (Hosmer and Lemeshow)?
"""

from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc
from scipy.stats import beta, chi2

Vector = NDArray[np.float64]
Light = Literal["green", "amber", "red"]

AMBER, RED = 0.05, 0.01
RATIO = (0.8, 1.25)


class Band(msgspec.Struct, frozen=True):
    """One band: rates are shares of rows, ``low`` and ``high`` bound the true rate at 95 %.

    ``binomial`` and ``jeffreys`` are p-values of the hypothesis that the expected rate is not too
    low; ``light`` sums up.
    """

    name: str
    rows: float
    bads: float
    expected: float
    observed: float
    low: float
    high: float
    binomial: float
    jeffreys: float
    light: Light


class HosmerLemeshow(msgspec.Struct, frozen=True):
    """A chi-squared statistic over bands."""

    statistic: float
    degrees: int
    p_value: float


def bands(
    names: Sequence[str],
    member: NDArray[np.intp],
    bad: Vector,
    probability: Vector,
    weight: Vector | None = None,
) -> tuple[Band, ...]:
    """Expected and observed of each band that has rows; ``member`` is the band of each row.

    With weights the rates are weighted, and tests use the effective number of rows (Kish).
    """
    weight = np.ones(len(bad)) if weight is None else weight
    return tuple(
        _band(name, bad[member == place], probability[member == place], weight[member == place])
        for place, name in enumerate(names)
        if (member == place).any()
    )


def deciles(
    bad: Vector, probability: Vector, weight: Vector | None = None, count: int = 10
) -> tuple[Band, ...]:
    """Bands of equal size by probability, lowest first; equal probabilities stay together."""
    edges = np.unique(np.quantile(probability, np.linspace(0, 1, count + 1)[1:-1]))
    member = np.searchsorted(edges, probability, side="left")
    names = [str(place + 1) for place in range(len(edges) + 1)]
    return bands(names, member, bad, probability, weight)


def grades(
    scale: Sequence[tuple[str, float]],
    bad: Vector,
    probability: Vector,
    weight: Vector | None = None,
) -> tuple[Band, ...]:
    """Bands of a master scale: names with the upper bounds (inclusive) of their probabilities.

    The last bound is taken as 1.
    """
    edges = np.array([bound for _, bound in scale[:-1]])
    member = np.searchsorted(edges, probability, side="left")
    return bands([name for name, _ in scale], member, bad, probability, weight)


def binomial_test(bads: float, rows: float, probability: float) -> float:
    """P-value that so many bads or more occur in ``rows`` independent loans of ``probability``.

    The upper tail of the binomial distribution; counts need not be whole, for weighted rows. See
    Basel Committee, Working Paper 14 (2005), section on tests of calibration.
    """
    return float(betainc(bads, rows - bads + 1, probability)) if bads > 0 else 1.0


def jeffreys_test(bads: float, rows: float, probability: float) -> float:
    """P-value that the true rate is not above ``probability``, given so many bads of ``rows``.

    The posterior under Jeffreys' prior, Beta(bads + 1/2, rows - bads + 1/2), at ``probability``.
    See ECB, Instructions for reporting the validation results of internal models (2019), 2.5.3.1.
    """
    return float(beta.cdf(probability, bads + 0.5, rows - bads + 0.5))


def jeffreys_interval(bads: float, rows: float) -> tuple[float, float]:
    """Bounds of the true rate at 95 %; 0 without bads and 1 without goods."""
    low, high = beta.ppf([0.025, 0.975], bads + 0.5, rows - bads + 0.5)
    return (float(low) if bads > 0 else 0.0, float(high) if bads < rows else 1.0)


def hosmer_lemeshow(table: Sequence[Band], *, fitted: bool = False) -> HosmerLemeshow:
    """Test all bands at once; ``fitted`` where the model was fitted on these very rows.

    Hosmer and Lemeshow, Communications in Statistics 9 (1980): the sum of squared deviations over
    their variances is chi-squared, with two degrees of freedom fewer than bands where fitted.
    """
    tested = [band for band in table if 0 < band.expected < 1]
    statistic = sum(
        (band.bads - band.rows * band.expected) ** 2
        / (band.rows * band.expected * (1 - band.expected))
        for band in tested
    )
    degrees = max(len(tested) - 2 if fitted else len(tested), 1)
    return HosmerLemeshow(statistic, degrees, float(chi2.sf(statistic, degrees)))


def light(expected: float, observed: float, bads: float, rows: float) -> Light:
    """Red where the probability is too low at 1 %, amber at 5 % or where it is clearly too high.

    Too high means 5 % significant and an observed rate under .8 of the expected one: prudent, but
    it turns good customers away.
    """
    too_low = binomial_test(bads, rows, expected)
    too_high = 1 - binomial_test(bads + 1, rows, expected)
    if too_low < RED:
        return "red"
    if too_low < AMBER or (too_high < AMBER and observed < RATIO[0] * expected):
        return "amber"
    return "green"


def _band(name: str, bad: Vector, probability: Vector, weight: Vector) -> Band:
    total = weight.sum()
    rows = float(total**2 / (weight**2).sum())
    observed, expected = float(weight @ bad / total), float(weight @ probability / total)
    bads = observed * rows
    low, high = jeffreys_interval(bads, rows)
    return Band(
        name=name,
        rows=rows,
        bads=bads,
        expected=expected,
        observed=observed,
        low=low,
        high=high,
        binomial=binomial_test(bads, rows, expected),
        jeffreys=jeffreys_test(bads, rows, expected),
        light=light(expected, observed, bads, rows),
    )
