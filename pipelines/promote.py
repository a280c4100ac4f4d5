"""Hold a registered scorer against the gate, and publish it for serving if it passes."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from features.catalog import CATALOG, fingerprint
from features.errors import MicroloanError
from models.gate import GateRecord, Limits, judge, sign
from models.metrics import PairedTest, delong_test
from models.registry import LoadedModel, ModelVersion, Registry
from pipelines.learn import TESTED
from pipelines.settings import Var
from pipelines.tabulate import read_features
from pipelines.train import MODEL
from serving.bundle import publish

POLICIES = Path(__file__).resolve().parent.parent / "policies"
GOLDEN_ROWS = 500


@dataclass(frozen=True)
class Promoted:
    """The new champion, the checks it passed, and the bundle that serves it."""

    version: int
    replaced: int | None
    policy: str
    bundle: str
    checks: list[dict[str, Any]]


def promote(
    paths: Var,
    *,
    version: int | None = None,
    policy: Path | None = None,
    limits: Limits | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Promoted:
    """Make a version the champion: judge it, publish its bundle, then move the alias.

    ``version`` defaults to the newest, ``policy`` to the newest file of the project, ``limits`` to
    the gate's own. The gate's record is signed and kept with the model whether it passed or not.

    Raises:
        GateClosed: a check failed; the champion stays.
        MicroloanError: there is no such model, feature table or policy.
    """
    registry = Registry(paths.mlflow)
    challenger = _load(registry, version)
    champion = registry.champion(MODEL)
    rows, _ = read_features(paths.features, CATALOG)
    record = _judge(registry, challenger, champion, rows, limits, now())
    registry.attach(challenger.version, {"gate.json": sign(record, _key(paths))})
    registry.tag(challenger.version, {"gate": "passed" if record.passed else "failed"})
    record.demand()
    policy_file = policy or newest_policy()
    release = publish(
        paths.bundles,
        scorer=challenger.scorer,
        features=CATALOG,
        policy=_content(policy_file),
        golden=_golden(registry, challenger.version, rows),
        gate=record.to_dict(),
        about={"name": MODEL, "version": str(challenger.version.version)},
    )
    registry.set_alias(challenger.version, "champion")
    return Promoted(
        version=challenger.version.version,
        replaced=champion.version if champion else None,
        policy=policy_file.stem,
        bundle=release.name,
        checks=_rows(record),
    )


def newest_policy() -> Path:
    """The project's policy file that is in force last.

    Raises:
        MicroloanError: there is none.
    """
    files = sorted(POLICIES.glob("*.yaml"))
    if not files:
        raise MicroloanError(f"No policy in {POLICIES}. Name one with --policy.")
    return files[-1]


def _load(registry: Registry, version: int | None) -> LoadedModel:
    if version is None:
        versions = registry.list_versions(MODEL)
        if not versions:
            raise MicroloanError("No scorer is registered. Run `microloan train` first.")
        version = versions[-1].version
    return registry.load(MODEL, version, fingerprint=fingerprint(CATALOG))


def _judge(
    registry: Registry,
    challenger: LoadedModel,
    champion: ModelVersion | None,
    rows: pl.DataFrame,
    limits: Limits | None,
    now: datetime,
) -> GateRecord:
    rival = champion if champion and champion.version != challenger.version.version else None
    return judge(
        challenger.validation,
        model=f"{MODEL} {challenger.version.version}",
        model_hash=challenger.version.model_hash,
        fingerprint=challenger.fingerprint,
        code_fingerprint=fingerprint(CATALOG),
        judged_at=now.isoformat(timespec="seconds"),
        champion=f"{MODEL} {rival.version}" if rival else None,
        against_champion=_paired(registry, challenger, rival, rows) if rival else None,
        limits=limits,
    )


def _paired(
    registry: Registry, challenger: LoadedModel, champion: ModelVersion, rows: pl.DataFrame
) -> PairedTest | None:
    """Both scorers on rows of the challenger's test; None, which fails the gate, without any.

    A champion of the same features scores all of them now; one of other features cannot, and is
    compared on the rows of its own test that the challenger was tested on too.
    """
    tested = _tested(registry, challenger.version)
    if champion.fingerprint == challenger.fingerprint:
        both = tested.join(rows, on="application_id", maintain_order="left")
        features = both.select(feature.name for feature in CATALOG)
        rival = registry.load(MODEL, champion.version).scorer.decision_function(features)
        both = both.with_columns(log_odds_right=pl.Series(rival))
    else:
        both = tested.join(_tested(registry, champion), on="application_id")
    if both["bad"].n_unique() < 2:
        return None
    return delong_test(*(both[name].to_numpy() for name in ("bad", "log_odds", "log_odds_right")))


def _golden(registry: Registry, version: ModelVersion, rows: pl.DataFrame) -> pl.DataFrame:
    """The newest applications of the test."""
    tested = _tested(registry, version).select("application_id").join(rows, on="application_id")
    return tested.sort("applied_on", "application_id").tail(GOLDEN_ROWS)


def _tested(registry: Registry, version: ModelVersion) -> pl.DataFrame:
    return pl.read_parquet(registry.read(version, TESTED))


def _content(policy: Path) -> bytes:
    try:
        return policy.read_bytes()
    except OSError as error:
        raise MicroloanError(
            f"No policy at {policy} ({error.strerror}). Name one with --policy."
        ) from error


def _key(paths: Var) -> bytes:
    """Key that signs gate records; made once, readable by its owner alone."""
    file = paths.root / "gate.key"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_bytes(secrets.token_bytes(32))
    return file.read_bytes()


def _rows(record: GateRecord) -> list[dict[str, Any]]:
    return [
        {"check": one.name, "asked": one.asked, "figure": one.figure, "passed": one.passed}
        for one in record.checks
    ]
