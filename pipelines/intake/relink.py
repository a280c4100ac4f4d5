"""Link the store's meters anew, by weights learnt from the bank's own accounts if asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import polars as pl

from features.errors import MicroloanError
from features.tables import LINKED_BILLS, LINKS, METERS, REGISTERED_NAMES
from pipelines.intake.derive import Tables, derive, whole
from pipelines.intake.store import commit, writing
from pipelines.linking.link import account_signs, entry_signs
from pipelines.linking.weights import Weights, read_weights
from serving.records import Part, Records


@dataclass(frozen=True)
class LinkSummary:
    """Accounts in the store, of them those with a credit code and those linked by their signs.

    As believed at the end; ``changed`` is false where the store held these links already.
    """

    accounts: int
    coded: int
    linked: int
    businesses: int
    changed: bool
    snapshot: str


def relink(store: Path, weights: Path, *, learn: bool = False) -> LinkSummary:
    """Link all meters of the store anew, as one commit.

    Args:
        store: the store's folder.
        weights: file of what to believe of spellings.
        learn: estimate it from the store first, and keep it there.

    Raises:
        StoreError: there is no store, or another process is writing to it.
        MicroloanError: no weights, or nothing to learn them from.
    """
    Records.open(store)
    with writing(store) as before:
        assert before is not None
        made = (LINKS.name, LINKED_BILLS.name)
        tables: dict[str, Mapping[int, Part]] = {
            name: parts for name, parts in before.tables.items() if name not in made
        }
        if learn:
            learnt = msgspec.json.format(msgspec.json.encode(_learnt(store, tables)))
            weights.write_bytes(learnt + b"\n")
        tables |= derive(store, {}, tables, before.buckets, read_weights(weights))
        snapshot, changed = commit(store, before, before.buckets, tables)
    return _summary(Records.open(store).table(LINKS.name), changed=changed, snapshot=snapshot)


def _learnt(store: Path, tables: Tables) -> Weights:
    from pipelines.linking.pairs import learn

    meters, names = (whole(store, table, tables) for table in (METERS, REGISTERED_NAMES))
    if meters.is_empty() or names.is_empty():
        raise MicroloanError(
            f"The store {store} has {meters.height:,} meters and {names.height:,} registered"
            " names; linking is learnt from both. Ingest meters and registered_names first."
        )
    return learn(
        account_signs(meters.with_row_index("id")), entry_signs(names.with_row_index("id"))
    )


def _summary(links: pl.DataFrame, *, changed: bool, snapshot: str) -> LinkSummary:
    last = links.sort("known_on").unique(["meter_id", "from_on"], keep="last")
    known = last.filter(pl.col("business_id").is_not_null())
    coded = int((known["link_probability"] == 1.0).sum())
    return LinkSummary(
        accounts=last.height,
        coded=coded,
        linked=known.height - coded,
        businesses=known["business_id"].n_unique(),
        changed=changed,
        snapshot=snapshot,
    )
