"""The leakage audit of the store: do features see the future, does one alone tell too much?"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from features.audit import future_bomb
from features.catalog import CATALOG
from features.definition import Feature
from models.validation.leaks import suspicious_columns
from pipelines.learning.plan import Plan
from pipelines.learning.study import study
from pipelines.settings import Var
from serving.records import Records

AUDITED = 300  # applications at most: a feature that reads the future does so in nearly every one


@dataclass(frozen=True)
class LeakageAudit:
    """What was audited and found: features that the future changes, or that foretell alone."""

    applications: int
    features: int
    changed_by_the_future: list[str]
    foretelling_alone: dict[str, float]

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found."""
        return not self.changed_by_the_future and not self.foretelling_alone


def audit(paths: Var, features: Sequence[Feature] = CATALOG) -> LeakageAudit:
    """Bomb the future of a sample of applications, and try each feature alone on matured loans.

    Raises:
        MicroloanError: there is no store or feature table, or it holds too few matured loans.
    """
    applications, changed = changed_by_the_future(paths, features)
    learnt = study(paths, Plan(method="flag")).train
    alone = suspicious_columns(learnt.features, learnt.outcomes, None)
    return LeakageAudit(applications, len(features), changed, dict(alone))


def changed_by_the_future(paths: Var, features: Sequence[Feature]) -> tuple[int, list[str]]:
    """How many applications were audited, and the features that later records changed."""
    records = Records.open(paths.store)
    tables = records.bucket(0)
    newest = tables["applications"].sort("known_on").unique("application_id", keep="last")
    audited = newest.sort("application_id").gather_every(1 + newest.height // AUDITED)
    known = pl.col("business_id").is_in(audited["business_id"].implode())
    own = {
        name: rows.filter(known) if "business_id" in rows.columns else rows
        for name, rows in tables.items()
    }
    return audited.height, future_bomb(audited, own, features)
