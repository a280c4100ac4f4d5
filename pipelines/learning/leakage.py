"""The leakage audit of the store: do features see the future, does one alone tell too much?"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from features.audit import Build, future_bomb
from features.build import build
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


def audit(
    paths: Var, features: Sequence[Feature] = CATALOG, *, build: Build = build
) -> LeakageAudit:
    """Bomb the future of a sample of applications, and try each feature alone on matured loans.

    ``build`` is the build to audit, with whatever it prepares from the tables.

    Raises:
        MicroloanError: there is no store or feature table, or it holds too few matured loans.
    """
    applications, changed = changed_by_the_future(paths, features, build=build)
    learnt = study(paths, Plan(method="flag")).train
    assert learnt.names is not None
    rows = _built(Records.open(paths.store), learnt.names, features, build)
    alone = suspicious_columns(rows, learnt.outcomes)
    return LeakageAudit(applications, len(features), changed, dict(alone))


def changed_by_the_future(
    paths: Var, features: Sequence[Feature], *, build: Build = build
) -> tuple[int, list[str]]:
    """How many applications were audited, and the features that later records changed."""
    records = Records.open(paths.store)
    tables = records.bucket(0)
    newest = _newest(tables["applications"])
    audited = newest.sort("application_id").gather_every(1 + newest.height // AUDITED)
    known = pl.col("business_id").is_in(audited["business_id"].implode())
    own = {
        name: rows.filter(known) if "business_id" in rows.columns else rows
        for name, rows in tables.items()
    }
    return audited.height, future_bomb(audited, own, features, build=build)


def _built(
    records: Records, applications: pl.Series, features: Sequence[Feature], build: Build
) -> pl.DataFrame:
    """The features of these applications, in their order, as ``build`` makes them of the store."""
    wanted = pl.col("application_id").is_in(applications.implode())
    parts = []
    for bucket in range(records.buckets):
        tables = records.bucket(bucket)
        parts.append(build(_newest(tables["applications"].filter(wanted)), tables, features))
    order = pl.DataFrame({"application_id": applications})
    rows = order.join(pl.concat(parts), on="application_id", how="left", maintain_order="left")
    return rows.select(feature.name for feature in features)


def _newest(applications: pl.DataFrame) -> pl.DataFrame:
    return applications.sort("known_on").unique("application_id", keep="last")
