"""Which business an account was believed to be, from which day on.

An account is one of its candidates or nobody's: the odds of each compete with those of all others
that were known by that day, and with those that it has left and the account still bears its name.
Two that fit alike leave it with nobody.
"""

import polars as pl

ENOUGH = 0.9  # probability from which on a link is made


def beliefs(candidates: pl.DataFrame) -> pl.DataFrame:
    """Changes of mind about each account, oldest first.

    Args:
        candidates: ``account``, ``business_id``, ``odds`` that it uses the account, ``bears`` that
            it does or has done so, and ``known_on``, the day on which both the account and the name
            were known; a business may come under several names.

    Returns:
        ``account``, ``known_on``, ``business_id`` and ``link_probability``; both are null from the
        day on which nobody fits well enough any more. Before the first change it is nobody's.
    """
    running = _running(candidates)
    sure = pl.col("best") / (1 + pl.col("total"))
    linked = sure >= ENOUGH
    daily = (
        running.with_columns(
            pl.when(linked).then("leader").alias("business_id"),
            pl.when(linked).then(sure).alias("link_probability"),
        )
        .unique(["account", "known_on"], keep="last", maintain_order=True)
        .select("account", "known_on", "business_id", "link_probability")
    )
    before = pl.col("business_id").shift(1).over("account")
    return daily.filter(pl.col("business_id").ne_missing(before))


def _running(candidates: pl.DataFrame) -> pl.DataFrame:
    """After each candidate that came up: the best odds, who has them, and what all bear."""
    order = ["account", "known_on", "business_id", "odds"]
    business = ["account", "business_id"]
    gained = pl.col("borne") - pl.col("borne").shift(1).over(business)
    leads = pl.col("of_business") > pl.col("best").shift(1).over("account").fill_null(0.0)
    return (
        candidates.sort(order)
        .with_columns(
            pl.col("odds").cum_max().over(business).alias("of_business"),
            pl.col("bears").cum_max().over(business).alias("borne"),
        )
        .with_columns(
            gained.fill_null(pl.col("borne")).alias("gained"),
            pl.col("of_business").cum_max().over("account").alias("best"),
        )
        .with_columns(
            pl.col("gained").cum_sum().over("account").alias("total"),
            pl.when(leads).then("business_id").forward_fill().over("account").alias("leader"),
        )
    )
