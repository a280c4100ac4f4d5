"""Train a registered scorer again from what its run kept, and compare it byte for byte."""

from dataclasses import dataclass

import msgspec

from features.errors import MicroloanError
from models.registry import MODEL, ModelVersion, Registry
from models.scoring.files import content_hash
from pipelines.learning.learn import data_hash
from pipelines.learning.plan import Plan
from pipelines.learning.provenance import made_by
from pipelines.learning.study import study
from pipelines.learning.train import PLAN, fit
from pipelines.settings import Var


class Irreproducible(MicroloanError):
    """A scorer that did not come out of its plan and data again."""


@dataclass(frozen=True)
class Reproduced:
    """A version, the hash of its files made anew, and what of its making has changed since."""

    version: int
    run_id: str
    model_hash: str
    identical: bool
    changed: str


def reproduce(paths: Var, which: int | str) -> Reproduced:
    """Fit the scorer of a version, alias or run anew.

    Raises:
        Irreproducible: the data are others now, or another scorer came out; says what changed.
    """
    registry = Registry(paths.mlflow)
    version = _version(registry, which)
    plan = msgspec.json.decode(registry.read(version, PLAN), type=Plan)
    if plan.engine != "local":
        raise Irreproducible(
            f"Version {version.version} was grown by {plan.engine}: another cluster adds up in "
            "another order, so its bytes cannot come out again. Hint: compare it with a version "
            "grown without --engine."
        )
    kept = registry.parameters(version)
    rows = study(paths, plan)
    changed = ", ".join(_changed(kept, rows.table.store_snapshot)) or "nothing"
    if data_hash(rows.train, rows.test) != kept["data_sha256"]:
        raise Irreproducible(
            f"Version {version.version} learnt from other rows than the store and the feature "
            f"table give now. Changed since: {changed}. Hint: restore the store of "
            f"{kept['store'][:12]} and run `microloan features` with the code of that run."
        )
    fitted = fit(rows)(rows.train)
    made = content_hash({**fitted.scorer.to_bytes(), **fitted.belongings})
    if made != version.model_hash:
        raise Irreproducible(
            f"Version {version.version} came out otherwise: {made[:12]}, registered "
            f"{version.model_hash[:12]}. Changed since: {changed}. "
            "Hint: use the code and the lock it was made with."
        )
    return Reproduced(version.version, version.run_id, made, identical=True, changed=changed)


def _version(registry: Registry, which: int | str) -> ModelVersion:
    runs = [one for one in registry.list_versions(MODEL) if one.run_id.startswith(str(which))]
    is_run = len(str(which)) >= 8 and len(runs) == 1  # shorter ones are numbers of versions
    return runs[0] if is_run else registry.version(MODEL, which)


def _changed(kept: dict[str, str], snapshot: str) -> list[str]:
    return [name for name, value in made_by(snapshot).items() if kept.get(name) != value]
