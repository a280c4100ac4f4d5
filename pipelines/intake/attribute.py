"""Whose bill is it: utility bills of the meters that are linked to a business.

Two clocks run here. A bill of a month belongs to the business whose account held on the first day
of that month. What the bank *knew* of this may change later: a bill is restated, a link is found,
mended or withdrawn. So every attribution is a span of knowledge: it begins on the day on which both
the bill's version and the link were known, and ends on the day on which either was replaced. A span
becomes a row known on its first day; where attribution ends and nothing follows, a last row says so
(``attributed`` false). As of any day, the newest row of each key tells what was then known.
"""

import polars as pl

from features.tables import LINKED_BILLS, UTILITY_BILLS

_NEVER = pl.date(9999, 12, 31)


def attribute(links: pl.DataFrame, bills: pl.DataFrame) -> pl.DataFrame:
    """Linked bills of some meters, from all rows of ``LINKS`` of those meters and their bills.

    Returns:
        Rows of ``LINKED_BILLS``, in no order.
    """
    believed = _believed(links)
    spans = _joined(_spans(believed, _versions(bills)), believed)
    ended = (
        spans.filter(pl.col("until_on") < _NEVER).drop("known_on").rename({"until_on": "known_on"})
    )
    withdrawn = ended.join(spans, on=[*LINKED_BILLS.key, "known_on"], how="anti")
    columns = [pl.col(name) for name in LINKED_BILLS.dtypes]
    return pl.concat(
        [
            spans.with_columns(attributed=pl.lit(value=True)).select(columns),
            withdrawn.with_columns(attributed=pl.lit(value=False)).select(columns),
        ]
    )


def _believed(links: pl.DataFrame) -> pl.DataFrame:
    """Each version of a link to a business, with the span in which it was believed."""
    account = ["meter_id", "from_on"]
    believed_until = pl.col("known_on").shift(-1).over(account, order_by="known_on")
    return (
        links.with_columns(believed_until.fill_null(_NEVER).alias("linked_until"))
        .filter(pl.col("business_id").is_not_null())
        .rename({"known_on": "linked_on"})
    )


def _versions(bills: pl.DataFrame) -> pl.DataFrame:
    """Each version of a bill with the day on which the next one was known."""
    ordered = bills.sort("meter_id", "period", "known_on")
    same = pl.all_horizontal(pl.col(name) == pl.col(name).shift(-1) for name in UTILITY_BILLS.key)
    replaced_on = pl.when(same).then(pl.col("known_on").shift(-1)).fill_null(_NEVER)
    return ordered.with_columns(replaced_on.alias("replaced_on"))


def _spans(links: pl.DataFrame, versions: pl.DataFrame) -> pl.DataFrame:
    """Every version of a bill with every link that gives it away, while both were believed."""
    held = pl.col("period").is_between("from_on", pl.col("to_on").fill_null(_NEVER))
    return (
        versions.join(links, on="meter_id")
        .filter(held)
        .with_columns(
            pl.max_horizontal("known_on", "linked_on").alias("known_on"),
            pl.min_horizontal("replaced_on", "linked_until").alias("until_on"),
        )
        .filter(pl.col("known_on") < pl.col("until_on"))
    )


def _joined(spans: pl.DataFrame, links: pl.DataFrame) -> pl.DataFrame:
    """Join spans of one bill version that touch: the link was restated, but not the business.

    The probability told is that of the day on which the link was made.
    """
    relinked = pl.col("meter_id").is_in(
        links["meter_id"].filter(links["meter_id"].is_duplicated()).implode()
    )
    # A version of a bill is known by the day it was replaced on, the last one by none.
    of_one_version = [*LINKED_BILLS.key, "replaced_on"]
    begins = pl.col("known_on") > pl.col("until_on").cum_max().shift(1).over(of_one_version)
    joined = (
        spans.filter(relinked)
        .sort(*of_one_version, "known_on")
        .with_columns(begins.fill_null(value=True).cum_sum().alias("span"))
        .group_by("span", maintain_order=True)
        .agg(pl.all().exclude("until_on").first(), pl.col("until_on").max())
    )
    return pl.concat([spans.filter(~relinked), joined.select(spans.columns)])
