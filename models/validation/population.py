"""Do others apply, and do other facts arrive, than when the scorer was developed?"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import fsum, sqrt

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.validation import stability
from models.validation.bands import Light
from models.validation.stability import Drift, chance_index, stability_index

OUTCOMES = ("approve", "refer", "decline")
FEWEST = 50  # decisions, for anything to be told of them
GONE = (0.05, 0.20)  # rise of the share of a source missing or stale: amber, red
DOUBTED = "automatic_doubt"  # the rule that refers whom the scorer is unsure of
_BEYOND = 3.0  # standard errors that a share must move
_EDGES = 41


@dataclass(frozen=True)
class Decided:
    """Decisions of one model, a row each, in the same order in every frame.

    ``made`` has decided_on (Date), outcome, grade, probability, reasons, rules (lists of codes) and
    label ("bad", "good", "indeterminate", "immature"; null where no loan is known of). ``added`` is
    what each feature adds to the log-odds in the mean. ``ages`` has a column of days since the
    newest record of each source, null without one. ``overrides`` has a row for each: decided,
    outcome, reason_code, status, in_force; None where there can be none. ``left_out`` counts
    decisions that were not looked at, by why.
    """

    made: pl.DataFrame
    features: pl.DataFrame
    added: Mapping[str, float]
    ages: pl.DataFrame
    overrides: pl.DataFrame | None
    left_out: Mapping[str, int]


@dataclass(frozen=True)
class Development:
    """All who applied while the scorer was developed, and what it says of them now."""

    features: pl.DataFrame
    added: Mapping[str, float]
    probability: pl.Series
    ages: pl.DataFrame
    first: date
    last: date


@dataclass(frozen=True)
class Terms:
    """What a policy says of decisions: grades with their upper bounds, oldest days by source."""

    scale: Sequence[tuple[str, float]]
    oldest: Mapping[str, int | None]


class Moved(Drift, frozen=True):
    """A drift of ``rows`` decisions; an index up to ``chance`` is chance, and its light green.

    ``added`` is what a feature's move adds to the mean log-odds of default; None of the score.
    """

    chance: float
    rows: int
    added: float | None = None


class Count(msgspec.Struct, frozen=True):
    """How many decisions, and which share of all."""

    name: str
    decisions: int
    share: float


class GradeShare(msgspec.Struct, frozen=True):
    """Share of a grade among the decisions, and in development."""

    name: str
    decisions: int
    share: float
    then: float


class Month(msgspec.Struct, frozen=True):
    """Decisions of one calendar month; the score's index is None of too few."""

    month: str
    decisions: int
    approve: float
    refer: float
    decline: float
    mean_probability: float
    score: Moved | None


class Source(msgspec.Struct, frozen=True):
    """How fresh a table was, now and in development; stale is older than the policy takes."""

    table: str
    decisions: int
    median_days: float | None
    median_days_then: float | None
    missing: float
    missing_then: float
    stale: float
    stale_then: float
    light: Light


class Spread(msgspec.Struct, frozen=True):
    """Shares of applicants by log-odds, for a plot."""

    edges: tuple[float, ...]
    then: tuple[float, ...]
    now: tuple[float, ...]


class Population(msgspec.Struct, frozen=True):
    """Who was decided, how and on what, against who applied in development."""

    decisions: int
    developed_on: int
    mean_probability: float
    mean_probability_then: float
    score: Moved
    outcomes: tuple[Count, ...]
    grades: tuple[GradeShare, ...]
    months: tuple[Month, ...]
    features: tuple[Moved, ...]
    reasons: tuple[Count, ...]
    rules: tuple[Count, ...]
    sources: tuple[Source, ...]
    referred_for_doubt: Count
    spread: Spread


def population(decided: Decided, then: Development, terms: Terms) -> Population:
    """Describe the decisions, and hold them against development."""
    made = decided.made
    rules = counts(made["rules"].explode(empty_as_null=False), made.height)
    doubted = next((rule for rule in rules if rule.name == DOUBTED), Count(DOUBTED, 0, 0.0))
    return Population(
        decisions=made.height,
        developed_on=len(then.probability),
        mean_probability=_mean(made["probability"]),
        mean_probability_then=_mean(then.probability),
        score=moved("score", then.probability, made["probability"]),
        outcomes=counts(made["outcome"], made.height),
        grades=tuple(_grades(made, then.probability, terms.scale)),
        months=tuple(_months(made, then.probability)),
        features=_features(then, decided),
        reasons=counts(made["reasons"].explode(empty_as_null=False), made.height),
        rules=rules,
        sources=tuple(
            _source(table, decided.ages[table], then.ages[table], terms.oldest.get(table))
            for table in decided.ages.columns
            if not then.ages[table].is_null().all()
        ),
        referred_for_doubt=doubted,
        spread=_spread(then.probability, made["probability"]),
    )


def moved(name: str, then: pl.Series, now: pl.Series) -> Moved:
    """How far a column has moved, its light green while chance alone may have moved it."""
    index, chance = stability_index(then, now), chance_index(then, len(now))
    more = stability.missing(now).mean() - stability.missing(then).mean()
    told: Light = "green" if index <= chance else stability.light(index)
    return Moved(name, index, float(more), told, chance, len(now))


def counts(values: pl.Series, of: int) -> tuple[Count, ...]:
    """How often each value occurs, the most frequent first."""
    found = values.drop_nulls().value_counts(name="decisions")
    ordered = found.sort("decisions", values.name, descending=[True, False])
    return tuple(Count(name, number, number / of) for name, number in ordered.iter_rows())


def _features(then: Development, now: Decided) -> tuple[Moved, ...]:
    found = (
        msgspec.structs.replace(
            moved(name, then.features[name], now.features[name]),
            added=now.added[name] - then.added[name],
        )
        for name in then.features.columns
    )
    return tuple(sorted(found, key=lambda one: (-one.index, one.name)))


def _grades(
    made: pl.DataFrame, then: pl.Series, scale: Sequence[tuple[str, float]]
) -> Iterator[GradeShare]:
    edges = np.array([bound for _, bound in scale[:-1]])
    before = np.bincount(np.searchsorted(edges, then, side="right"), minlength=len(scale))
    for (name, _), number in zip(scale, before.tolist(), strict=True):
        held = int((made["grade"] == name).sum())
        yield GradeShare(name, held, held / made.height, number / len(then))


def _months(made: pl.DataFrame, then: pl.Series) -> Iterator[Month]:
    month = made["decided_on"].dt.strftime("%Y-%m")
    for name in month.unique().sort().to_list():
        rows = made.filter(month == name)
        shares = {
            outcome: float((rows["outcome"] == outcome).sum()) / rows.height for outcome in OUTCOMES
        }
        score = moved("score", then, rows["probability"]) if rows.height >= FEWEST else None
        yield Month(
            name, rows.height, **shares, mean_probability=_mean(rows["probability"]), score=score
        )


def _source(table: str, now: pl.Series, then: pl.Series, oldest: int | None) -> Source:
    (missing, stale), (missing_then, stale_then) = (_gone(ages, oldest) for ages in (now, then))
    return Source(
        table=table,
        decisions=len(now),
        median_days=_median(now),
        median_days_then=_median(then),
        missing=missing,
        missing_then=missing_then,
        stale=stale,
        stale_then=stale_then,
        light=_gone_light(missing + stale, missing_then + stale_then, len(now), len(then)),
    )


def _gone(ages: pl.Series, oldest: int | None) -> tuple[float, float]:
    """Shares without a record, and with none that is fresh enough."""
    stale = 0 if oldest is None else int((ages > oldest).sum())
    return ages.null_count() / len(ages), stale / len(ages)


def _gone_light(now: float, then: float, rows: int, of: int) -> Light:
    """By how much more often a source is gone, as far as that is more than chance."""
    share = (now * rows + then * of) / (rows + of)
    error = sqrt(share * (1 - share) * (1 / rows + 1 / of))
    amber, red = (max(line, _BEYOND * error) for line in GONE)
    more = now - then
    return "red" if more > red else "amber" if more > amber else "green"


def _spread(then: pl.Series, now: pl.Series) -> Spread:
    before, after = (_log_odds(column.to_numpy()) for column in (then, now))
    ends = np.quantile(np.concatenate([before, after]), [0.001, 0.999])
    edges = np.linspace(ends[0] - 1e-9, ends[1] + 1e-9, _EDGES)
    shares = (np.histogram(side, edges)[0] / len(side) for side in (before, after))
    return Spread(*(tuple(np.round(side, 6).tolist()) for side in (edges, *shares)))


def _log_odds(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    inside = np.clip(probability, 1e-12, 1 - 1e-12)
    return np.asarray(np.log(inside / (1 - inside)))


def _mean(values: pl.Series) -> float:
    return fsum(values.to_list()) / len(values)  # whatever the order of the rows


def _median(ages: pl.Series) -> float | None:
    known = ages.drop_nulls()
    return float(np.median(known.to_numpy())) if len(known) else None
