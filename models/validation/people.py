"""What people made of the scorer's decisions: how often they decided otherwise, and why."""

import msgspec
import polars as pl

from models.validation.bands import Light
from models.validation.population import Count, counts

OVERTURNED = (0.05, 0.10)  # share of clear decisions turned over: amber, red


class People(msgspec.Struct, frozen=True):
    """Overrides of ``decisions`` decisions.

    ``overridden`` decisions have an override in force; of ``clear`` ones (approve or decline)
    ``overturned`` were turned over. A referred one waits for a person, so its override is no
    dissent. ``directions`` and ``reasons`` count every override that was not refused.
    """

    decisions: int
    overridden: int
    clear: int
    overturned: int
    awaiting_approval: int
    refused: int
    directions: tuple[Count, ...]
    reasons: tuple[Count, ...]
    light: Light

    @property
    def overturned_share(self) -> float:
        """Of the clear decisions."""
        return self.overturned / self.clear if self.clear else 0.0


def people(made: pl.DataFrame, overrides: pl.DataFrame) -> People:
    """Count the ``overrides`` (as `Decided` holds them) of the decisions ``made``."""
    in_force = overrides.filter("in_force", pl.col("outcome") != pl.col("decided"))
    overturned = in_force.filter(pl.col("decided") != "refer").height
    clear = int((made["outcome"] != "refer").sum())
    standing = overrides.filter(pl.col("status") != "refused")
    direction = standing.select(pl.format("{} → {}", "decided", "outcome").alias("direction"))
    return People(
        decisions=made.height,
        overridden=int(overrides["in_force"].sum()),
        clear=clear,
        overturned=overturned,
        awaiting_approval=int((overrides["status"] == "awaiting_approval").sum()),
        refused=int((overrides["status"] == "refused").sum()),
        directions=counts(direction["direction"], made.height),
        reasons=counts(standing["reason_code"], made.height),
        light=_light(overturned / clear if clear else 0.0),
    )


def _light(share: float) -> Light:
    amber, red = OVERTURNED
    return "red" if share > red else "amber" if share > amber else "green"
