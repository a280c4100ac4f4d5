"""Links held against the truth: how many are right, and how many of those that could be made."""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from pipelines.world.report.evidence import Evidence
from pipelines.world.report.marginal import Marginal

BANDS = (0.95, 0.99, 0.999)  # of the probability of a link, from the least that makes one


@dataclass(frozen=True)
class Band:
    """Links believed with about the same probability: how likely in the mean, how many right."""

    links: int
    believed: float
    right: float


@dataclass(frozen=True)
class LinkScore:
    """Accounts as believed at the end.

    A link is right if the business really consumes through the account. ``matchable`` are the
    accounts that bear the name of their user or its owner, in whatever spelling. ``bands`` hold
    the probabilities of the links against the share that is right, from the least likely on.
    """

    accounts: int
    linked: int
    right: int
    matchable: int
    matchable_right: int
    bands: list[Band]

    @property
    def precision(self) -> float:
        """Share of the links that are right."""
        return self.right / self.linked if self.linked else 0.0

    @property
    def recall(self) -> float:
        """Share of the matchable accounts that are rightly linked."""
        return self.matchable_right / self.matchable if self.matchable else 0.0


def score(links: pl.DataFrame, users: pl.DataFrame, rebirths: pl.DataFrame) -> LinkScore:
    """Hold ``links`` against the truth of who uses each meter.

    Either code of a reborn household is right. Accounts that are not in ``users`` are left out:
    those of shells that put their names on another's meter.
    """
    account = ["meter_id", "from_on"]
    believed = links.sort("known_on").unique(account, keep="last", maintain_order=True)
    found = pl.col("linked")
    is_user = (found == pl.col("business_id")) | (found == pl.col("reborn_as"))
    rows = (
        users.join(
            believed.select(*account, "link_probability", pl.col("business_id").alias("linked")),
            on=account,
        )
        .join(rebirths.select("business_id", "reborn_as"), on="business_id", how="left")
        .group_by(account)
        .agg(
            is_user.fill_null(value=False).any().alias("right"),
            found.is_not_null().first().alias("is_linked"),
            pl.col("matchable", "link_probability").first(),
        )
    )
    return LinkScore(
        accounts=rows.height,
        linked=int(rows["is_linked"].sum()),
        right=int(rows["right"].sum()),
        matchable=int(rows["matchable"].sum()),
        matchable_right=int(rows.filter("matchable")["right"].sum()),
        bands=_bands(rows.filter("is_linked")),
    )


def _bands(linked: pl.DataFrame) -> list[Band]:
    sure = pl.col("link_probability")
    band = pl.sum_horizontal(sure >= edge for edge in BANDS)
    of_band = linked.group_by(band.alias("band")).agg(pl.len(), sure.mean(), pl.col("right").mean())
    return [Band(*rest) for _, *rest in of_band.sort("band").iter_rows()]


def marginals(evidence: Evidence) -> Iterator[Marginal]:
    """How the linker does on this province's own accounts."""
    found = score(evidence.links, evidence.truth("links"), evidence.truth("rebirths"))
    for name, low, high, source, share, sample in (
        ("links that are right", 0.98, 1.0, "issue 3", found.precision, found.linked),
        ("matchable accounts rightly linked", 0.90, 1.0, "issue 3", found.recall, found.matchable),
        ("links to another business", 0.005, 0.015, "E2", 1 - found.precision, found.linked),
    ):
        yield Marginal("meters", name, low, high, source, share, sample, "%")
