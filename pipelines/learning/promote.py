"""Hold a registered scorer against the gate, and publish it for serving if it passes."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from features.build import BUSINESS_ZONE
from features.catalog import CATALOG, fingerprint, select
from features.definition import Feature
from features.errors import MicroloanError
from models.gate import judge
from models.gate_record import GateRecord, Limits, Override, public_half, sign
from models.registry import MODEL, LoadedModel, ModelVersion, Registry
from models.validation.doubt import Doubt
from models.validation.metrics import PairedTest, delong_test
from pipelines.learning.leakage import changed_by_the_future
from pipelines.learning.learn import DOUBT
from pipelines.learning.paired import on_the_same_rows, tested_rows
from pipelines.learning.policies import demand_in_force, newest_policy
from pipelines.settings import Var
from pipelines.tabulate import read_features
from serving.bundles.bundle import publish
from serving.bundles.champions import crown

GOLDEN_ROWS = 500


@dataclass(frozen=True)
class Promoted:
    """The new champion, the checks it passed, and the bundle that serves it."""

    version: int
    replaced: int | None
    policy: str
    bundle: str
    override: str | None
    checks: list[dict[str, Any]]


def promote(
    paths: Var,
    *,
    version: int | None = None,
    policy: Path | None = None,
    limits: Limits | None = None,
    override: Override | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Promoted:
    """Make a version the champion: judge it, publish its bundle, then move the alias.

    ``version`` defaults to the newest, ``policy`` to the project's own that is in force today,
    ``limits`` to the gate's own. The gate's record is signed and kept with the model whether it
    passed or not; ``override`` lets a model serve that did not, and is told in every answer.

    Raises:
        GateClosed: a check failed; the champion stays.
        MicroloanError: there is no such model, feature table or policy, or its day has not come.
    """
    today = now().astimezone(ZoneInfo(BUSINESS_ZONE)).date()
    policy_file = policy or newest_policy(today)
    demand_in_force(policy_file, today)
    registry = Registry(paths.mlflow)
    challenger = _load(registry, version)
    features = select(challenger.scorer.names_)
    champion = registry.champion(MODEL)
    rival = champion if champion and champion.version != challenger.version.version else None
    rows, _ = read_features(paths.features, CATALOG)
    record = judge(
        challenger.validation,
        model=f"{MODEL} {challenger.version.version}",
        model_hash=challenger.version.model_hash,
        fingerprint=challenger.fingerprint,
        judged_at=now().isoformat(timespec="seconds"),
        audits=_audits(paths, registry, challenger, features),
        champion=f"{MODEL} {rival.version}" if rival else None,
        against_champion=_paired(registry, challenger, rival, rows) if rival else None,
        limits=limits,
        override=override,
    )
    key = _key(paths)
    signed = sign(record, key)
    registry.attach(challenger.version, {"gate.json": signed})
    registry.tag(challenger.version, {"gate": _verdict(record)})
    record.demand()
    release = publish(
        paths.bundles,
        scorer=challenger.scorer,
        doubt=Doubt.from_json(challenger.files[DOUBT]),
        features=features,
        policy=_content(policy_file),
        golden=_golden(registry, challenger.version, rows),
        gate=signed,
        gate_keys=(public_half(key),),
        about={"name": MODEL, "version": str(challenger.version.version)},
    )
    crown(paths.bundles, release.name, now())
    registry.set_alias(challenger.version, "champion")
    return Promoted(
        version=challenger.version.version,
        replaced=champion.version if champion else None,
        policy=policy_file.stem,
        bundle=release.name,
        override=f"{override.by}: {override.reason}" if override else None,
        checks=checks(record),
    )


def checks(record: GateRecord) -> list[dict[str, Any]]:
    """The checks of a gate, as rows of a table."""
    return [
        {"check": one.name, "asked": one.asked, "figure": one.figure, "passed": one.passed}
        for one in record.checks
    ]


def _verdict(record: GateRecord) -> str:
    return "passed" if record.passed else "overridden" if record.override else "failed"


def _load(registry: Registry, version: int | None) -> LoadedModel:
    if version is None:
        versions = registry.list_versions(MODEL)
        if not versions:
            raise MicroloanError("No scorer is registered. Run `microloan train` first.")
        version = versions[-1].version
    return registry.load(MODEL, version)


def _audits(
    paths: Var, registry: Registry, challenger: LoadedModel, features: tuple[Feature, ...]
) -> dict[str, int]:
    """What must not be found, counted."""
    names = {feature.name for feature in features}
    _, leaking = changed_by_the_future(paths, CATALOG)  # whole: a feature may read another
    computed_otherwise = challenger.fingerprint != fingerprint(features)
    return {
        "features that the code computes otherwise": int(computed_otherwise),
        "features that later records change": len(names.intersection(leaking)),
        "files of the report lost or changed": len(registry.changed(challenger.version)),
    }


def _paired(
    registry: Registry, challenger: LoadedModel, champion: ModelVersion, rows: pl.DataFrame
) -> PairedTest | None:
    """The challenger's AUC against the champion's; None fails the gate: no rows judge both."""
    pair = on_the_same_rows(registry, challenger.version, champion, rows)
    return None if pair is None else delong_test(pair.bad, pair.first, pair.second)


def _golden(registry: Registry, version: ModelVersion, rows: pl.DataFrame) -> pl.DataFrame:
    """The newest applications of the test."""
    names = tested_rows(registry, version).select("application_id")
    tested = names.join(rows, on="application_id")
    return tested.sort("applied_on", "application_id").tail(GOLDEN_ROWS)


def _content(policy: Path) -> bytes:
    try:
        return policy.read_bytes()
    except OSError as error:
        raise MicroloanError(
            f"No policy at {policy} ({error.strerror}). Name one with --policy."
        ) from error


def _key(paths: Var) -> bytes:
    """Private key that signs gate records; made once, its public half beside it for the service."""
    file = paths.gate_key
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(secrets.token_hex(32) + "\n")
        with paths.gate_keys.open("a") as known:
            known.write(public_half(bytes.fromhex(file.read_text())).hex() + "\n")
    return bytes.fromhex(file.read_text())
