"""Links of all accounts: by the credit code where the utility holds it, else by who fits."""

import polars as pl

from features.tables import LINKS
from pipelines.linking.belief import beliefs
from pipelines.linking.spelling import person, signs
from pipelines.linking.weights import Weights

ACCOUNT = ["meter_id", "from_on"]


def link(meters: pl.DataFrame, names: pl.DataFrame, weights: Weights) -> pl.DataFrame:
    """Rows of ``LINKS`` from all accepted rows of ``METERS`` and of ``REGISTERED_NAMES``.

    Every version of an account begins with a belief of its own, which ends with the next version.
    No row depends on anything that was known after it.
    """
    until = pl.col("known_on").shift(-1).over(ACCOUNT, order_by="known_on")
    versions = meters.with_columns(until.alias("until_on"))
    coded = pl.col("business_id").is_not_null()
    known = versions.filter(coded).with_columns(link_probability=pl.lit(1.0))
    nameless = versions.filter(~coded).with_row_index("id")
    changes = _changes(nameless, names, weights)
    first_day = nameless.join(
        changes, left_on=["id", "known_on"], right_on=["account", "known_on"], how="anti"
    )
    nobodys = first_day.with_columns(link_probability=pl.lit(None, pl.Float64))
    later = nameless.drop("known_on", "business_id").join(changes, left_on="id", right_on="account")
    believed = later.filter(
        pl.col("until_on").is_null() | (pl.col("known_on") < pl.col("until_on"))
    )
    columns = list(LINKS.dtypes)
    return pl.concat([rows.select(columns) for rows in (known, nobodys, believed)])


def _changes(nameless: pl.DataFrame, names: pl.DataFrame, weights: Weights) -> pl.DataFrame:
    """Changes of belief about each account without a code."""
    if nameless.is_empty() or names.is_empty():
        none = {"account": pl.UInt32, "known_on": pl.Date}
        return pl.DataFrame(
            schema=none | {"business_id": pl.String, "link_probability": pl.Float64}
        )
    from pipelines.linking.pairs import pairs

    entries = names.with_row_index("id")
    found = (
        pairs(account_signs(nameless), entry_signs(entries), weights)
        .join(nameless.select("id", "known_on"), left_on="account", right_on="id")
        .join(
            entries.select("id", "business_id", pl.col("known_on").alias("named_on")),
            left_on="entry",
            right_on="id",
        )
        .with_columns(pl.max_horizontal("known_on", "named_on").alias("known_on"))
    )
    return beliefs(found)


def account_signs(accounts: pl.DataFrame) -> pl.DataFrame:
    """What accounts (with an ``id``) are compared by; who is behind a name is not known."""
    return accounts.select(
        "id",
        *signs(pl.col("account_name"), pl.col("address"), pl.col("phone_hash")),
        pl.lit(None, pl.String).alias("person"),
    )


def entry_signs(names: pl.DataFrame) -> pl.DataFrame:
    """What registered names (with an ``id``) are compared by."""
    return names.select(
        "id",
        "business_id",
        *signs(pl.col("name"), pl.col("address").fill_null(""), pl.col("phone_hash")),
        person(pl.col("representative")),
    )
