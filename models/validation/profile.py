"""What one feature tells by itself: its values, how default goes with them, how they drift."""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.validation import metrics
from models.validation.bands import Light, jeffreys_interval
from models.validation.stability import light, missing, stability_index

Trend = Literal["rises", "falls", "neither"]
Agreement = Literal["as declared", "against the declaration", "no direction beyond doubt"]

PREBINS, SMALLEST_BIN, MOST_BINS = 10, 0.10, 5
DOUBT = 0.05
BINS_DIFFER = 0.01  # p-value of neighbours: the search for bins looks at many
_CELLS = 16
_LEVELS = 12
_MOST_ROWS = 20_000


class Cell(msgspec.Struct, frozen=True):
    """Rows of some values; ``low`` and ``high`` are None where the values are words."""

    label: str
    low: float | None
    high: float | None
    share: float


class Bin(msgspec.Struct, frozen=True):
    """Values that default alike: weight of evidence, and the bad rate with its 95 % range."""

    label: str
    rows: int
    bads: int
    bad_rate: float
    low: float
    high: float
    woe: float


class Default(msgspec.Struct, frozen=True, kw_only=True):
    """How default goes with a feature, over loans whose outcome is known.

    ``trend`` is that of the bad rate from bin to bin, ``rank_auc`` the chance that a bad loan has
    the higher value, with the p-value of a coin (DeLong); both leave missing values out.
    """

    loans: int
    bads: int
    information_value: float
    bins: tuple[Bin, ...]
    trend: Trend | None
    rank_auc: float | None
    p_value: float | None
    agreement: Agreement | None


class Quarter(msgspec.Struct, frozen=True):
    """How far the values of a quarter lie from those of the first year (PSI)."""

    quarter: str
    rows: int
    index: float
    light: Light


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """One feature over all applications; ``default`` is None where no outcome is known."""

    feature: str
    rows: int
    missing: float
    quantiles: dict[str, float]
    cells: tuple[Cell, ...]
    quarters: tuple[Quarter, ...]
    related: tuple[tuple[str, float], ...]
    default: Default | None


def values_of(column: pl.Series) -> tuple[Cell, ...]:
    """Shares of known values: numbers between their 1st and 99th percentile, or commonest words."""
    known = column.filter(pl.Series(~missing(column)))
    if known.is_empty():
        return ()
    return _cells(known.to_numpy()) if known.dtype.is_numeric() else _levels(known)


def default_by(column: pl.Series, bad: NDArray[np.float64], risk: int) -> Default:
    """Bin the column where default changes most, in any direction, and beyond doubt.

    Optimal binning (Navas-Palencia 2020); neighbouring bins differ at 1 %.

    Args:
        column: the feature, null or NaN where unknown.
        bad: 1 or 0, same length.
        risk: the declared direction, +1 if risk rises with the feature, 0 if none is declared.
    """
    bins, information = _binned(column, bad)
    numeric = column.dtype.is_numeric()
    known = ~missing(column)
    ranked = numeric and 0 < bad[known].sum() < known.sum() and column.n_unique() > 1
    test = (
        metrics.delong_test(bad[known], column.to_numpy()[known], np.zeros(int(known.sum())))
        if ranked
        else None
    )
    return Default(
        loans=len(bad),
        bads=int(bad.sum()),
        information_value=information,
        bins=bins,
        trend=_trend([one.bad_rate for one in bins if one.label != "Missing"]) if numeric else None,
        rank_auc=test.first if test else None,
        p_value=test.p_value if test else None,
        agreement=_agreement(test, risk) if test and risk else None,
    )


def quarters(column: pl.Series, applied_on: pl.Series) -> tuple[Quarter, ...]:
    """Stability of each quarter against the first twelve months of applications."""
    table = pl.DataFrame({"value": column, "on": applied_on}).sort("on")
    first = table.filter(pl.col("on") < pl.col("on").min().dt.offset_by("1y"))["value"]
    named = pl.format("{}-Q{}", pl.col("on").dt.year(), pl.col("on").dt.quarter())
    by_quarter = table.group_by(named.alias("quarter"), maintain_order=True).agg("value")
    found = []
    for quarter, values in by_quarter.iter_rows():
        index = stability_index(first, pl.Series(values, dtype=column.dtype))
        found.append(Quarter(quarter, len(values), index, light(index)))
    return tuple(found)


def related(name: str, features: pl.DataFrame, most: int = 5) -> tuple[tuple[str, float], ...]:
    """The other numbers that rank rows most alike (Spearman, over rows where both are known)."""
    if not features[name].dtype.is_numeric():
        return ()
    rows = features.gather_every(1 + features.height // _MOST_ROWS)
    numbers = rows.select(pl.selectors.numeric()).to_pandas()
    others = numbers.loc[:, numbers.nunique() > 1].drop(columns=name, errors="ignore")
    alike = others.corrwith(numbers[name], method="spearman").dropna()
    strongest = alike.reindex(alike.abs().sort_values(ascending=False, kind="stable").index)
    return tuple((str(other), float(value)) for other, value in strongest.head(most).items())


def profile(
    features: pl.DataFrame, name: str, applied_on: pl.Series, default: Default | None = None
) -> Profile:
    """The profile of the column ``name`` of ``features``; rows as ``applied_on``."""
    column = features[name]
    return Profile(
        feature=name,
        rows=len(column),
        missing=float(missing(column).mean()),
        quantiles=_quantiles(column),
        cells=values_of(column),
        quarters=quarters(column, applied_on),
        related=related(name, features),
        default=default,
    )


def _quantiles(column: pl.Series) -> dict[str, float]:
    if not column.dtype.is_numeric():
        return {}
    known = column.filter(pl.Series(~missing(column)))
    shares = (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99)
    return {f"{share:.0%}": float(known.quantile(share) or 0) for share in shares if len(known)}


def _cells(values: NDArray[np.float64]) -> tuple[Cell, ...]:
    low, high = np.quantile(values, [0.01, 0.99])
    inside = np.clip(values, low, high)
    counts, edges = np.histogram(inside, bins=_CELLS if high > low else 1)
    return tuple(
        Cell(f"{left:.4g} to {right:.4g}", float(left), float(right), float(count / len(values)))
        for left, right, count in zip(edges, edges[1:], counts, strict=False)
    )


def _levels(values: pl.Series) -> tuple[Cell, ...]:
    counts = values.value_counts(sort=True).head(_LEVELS)
    return tuple(Cell(str(v), None, None, n / len(values)) for v, n in counts.iter_rows())


def _binned(column: pl.Series, bad: NDArray[np.float64]) -> tuple[tuple[Bin, ...], float]:
    from optbinning import OptimalBinning

    if missing(column).all():
        return (Bin("Missing", len(bad), int(bad.sum()), *_rate(bad.sum(), len(bad)), 0.0),), 0.0
    numeric = column.dtype.is_numeric()
    binning = OptimalBinning(
        column.name,
        dtype="numerical" if numeric else "categorical",
        max_n_prebins=PREBINS,
        min_prebin_size=SMALLEST_BIN,
        max_n_bins=MOST_BINS,
        monotonic_trend=None,
        max_pvalue=BINS_DIFFER,
    )
    values = column.cast(pl.Float64).to_numpy() if numeric else column.to_numpy().astype(object)
    binning.fit(values, bad.astype(np.int64))
    table = binning.binning_table.build(add_totals=False)
    told = table[table["Count"] > 0]
    found = [
        Bin(_label(label), int(rows), int(bads), *_rate(bads, rows), float(woe))
        for label, rows, bads, woe in zip(
            told["Bin"], told["Count"], told["Event"], told["WoE"], strict=True
        )
    ]
    return tuple(found), float(table["IV"].sum())


def _label(values: Any) -> str:
    """An interval as optbinning writes it, or the words of a bin."""
    return values if isinstance(values, str) else ", ".join(map(str, values))


def _rate(bads: float, rows: float) -> tuple[float, float, float]:
    return bads / rows, *jeffreys_interval(bads, rows)


def _trend(rates: Sequence[float]) -> Trend:
    steps = np.diff(rates)
    if len(steps) and (steps >= 0).all():
        return "rises"
    return "falls" if len(steps) and (steps <= 0).all() else "neither"


def _agreement(test: metrics.PairedTest, risk: int) -> Agreement:
    if test.p_value > DOUBT:
        return "no direction beyond doubt"
    return "as declared" if test.difference * risk > 0 else "against the declaration"
