"""What the sources tell of businesses over days to come, as far as it is known already.

Most features change only when a record becomes known, and are computed once. Those that read an age
may change from a day to the next, and are computed for each day by the same ``as_of``. A span ends
before the next record of the business becomes known, so within it both are what ``build`` says.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from features.build import as_of
from features.catalog import CATALOG
from features.definition import Feature


def is_aging(feature: Feature) -> bool:
    """Whether the value may change with the day alone: the expression reads an age."""
    return any(name.endswith("_ago") for name in feature.expression.meta.root_names())


TOLD = tuple(feature for feature in CATALOG if feature.source is not None)
LASTING = tuple(feature for feature in TOLD if not is_aging(feature))
AGING = tuple(feature for feature in TOLD if is_aging(feature))


@dataclass(frozen=True)
class Spans:
    """What is told of businesses from the first day of their spans on.

    ``lasting`` has a row per business: the features that hold for the whole span. ``daily`` has for
    each day a row per business whose span reaches it. ``lengths`` are the days of each span, at
    least 1.
    """

    lasting: pl.DataFrame
    daily: Sequence[pl.DataFrame]
    lengths: pl.Series


def spans(
    businesses: pl.Series, tables: Mapping[str, pl.DataFrame], first: date, longest: Sequence[int]
) -> Spans:
    """What is told of ``businesses`` on ``first`` and the days after it.

    Args:
        businesses: their ids, each once.
        tables: records by table name, as ``build`` takes them.
        first: first day of every span.
        longest: most days of each business's span, at least 1.
    """
    known_next = _known_next(tables.values(), first)
    lengths = pl.Series(
        [
            min(days, (known_next[business] - first).days) if business in known_next else days
            for business, days in zip(businesses, longest, strict=True)
        ],
        dtype=pl.Int64,
    )
    told = as_of(moments_of(businesses, first), tables, TOLD)
    later = (
        moments_of(businesses.filter(lengths > ahead), first + timedelta(days=ahead))
        for ahead in range(1, max(lengths, default=1))
    )
    names = [feature.name for feature in LASTING], [feature.name for feature in AGING]
    lasting, aging = (told.select(each) for each in names)
    return Spans(lasting, [aging, *(as_of(each, tables, AGING) for each in later)], lengths)


def moments_of(businesses: pl.Series, day: date) -> pl.DataFrame:
    """The moments of ``as_of``: every business on one day."""
    return pl.DataFrame(
        {
            "row": pl.int_range(len(businesses), dtype=pl.UInt32, eager=True).set_sorted(),
            "business_id": businesses,
            "applied_on": pl.repeat(day, len(businesses), dtype=pl.Date, eager=True),
        }
    )


def _known_next(tables: Iterable[pl.DataFrame], after: date) -> dict[str, date]:
    """The next day on which a record becomes known, of businesses that have one coming."""
    coming = [
        table.lazy().filter(pl.col("known_on") > after).select("business_id", "known_on")
        for table in tables
    ]
    if not coming:
        return {}
    soonest = pl.concat(coming).group_by("business_id").agg(pl.col("known_on").min())
    return dict(soonest.collect().iter_rows())
