"""What the register holds: versions, their reports, and the champion's way back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from features.errors import MicroloanError
from models.registry import MODEL, ModelVersion, Registry
from models.scoring.scorecard import markdown
from pipelines.settings import Var
from serving.bundles.bundle import read_bundle
from serving.bundles.champions import crown, predecessor, reigns
from serving.bundles.release import champion, read_gate_keys, read_release


@dataclass(frozen=True)
class Restored:
    """The champion after a rollback, and the one before it."""

    version: str
    replaced: str
    bundle: str


def versions(paths: Var, name: str = MODEL) -> list[dict[str, Any]]:
    """A row for each version, oldest first.

    Raises:
        MicroloanError: there is none of that name.
    """
    registry = Registry(paths.mlflow)
    found = registry.list_versions(name)
    if not found:
        raise MicroloanError(f"No version of {name!r} is registered. Run `microloan train` first.")
    return [_row(registry, version) for version in found]


def report(paths: Var, which: int | str, name: str = MODEL) -> Path:
    """Take a version's validation report out of the register; returns the file.

    Raises:
        MicroloanError: there is no such version, or its report is lost.
    """
    registry = Registry(paths.mlflow)
    version = registry.version(name, which)
    file = paths.plots / f"report-{version.name}-{version.version}.html"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(registry.read(version, "report.html"))
    return file


def scorecard(paths: Var, which: int | str, name: str = MODEL) -> str:
    """A version's points by feature and bin, as Markdown.

    Raises:
        MicroloanError: there is no such version, or its form of trees has no tables.
    """
    scorer = Registry(paths.mlflow).load(name, which).scorer
    return markdown(scorer.scorecard())


def sql(
    paths: Var, which: int | str, *, table: str, keys: Sequence[str], dialect: str, name: str
) -> str:
    """A version's score as one SELECT over ``table``.

    Raises:
        MicroloanError: there is no such version or dialect, or its form of trees has no tables.
    """
    scorer = Registry(paths.mlflow).load(name, which).scorer
    return scorer.to_sql(table, keys=keys, dialect=dialect)


def rollback(
    paths: Var,
    version: int | None = None,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Restored:
    """Let the release serve again that was champion before, or the one of ``version``.

    The release is verified before the service is pointed at it; MLflow's alias follows.

    Raises:
        MicroloanError: nothing was champion before, or its files are not what was published.
    """
    before, _ = read_release(champion(paths.bundles))
    wanted = predecessor(paths.bundles) if version is None else release_of(paths.bundles, version)
    bundle = read_bundle(paths.bundles / "releases" / wanted, read_gate_keys(paths.gate_keys))
    crown(paths.bundles, wanted, now())
    registry = Registry(paths.mlflow)
    registry.set_alias(registry.version(MODEL, bundle.model.version), "champion")
    return Restored(bundle.model.version, before.version, wanted)


def release_of(bundles: Path, version: int) -> str:
    """The release of a version that was champion last.

    Raises:
        MicroloanError: it never was.
    """
    for reign in reversed(reigns(bundles)):
        manifest, _ = read_release(bundles / "releases" / reign.release)
        if manifest.version == str(version):
            return reign.release
    raise MicroloanError(
        f"Version {version} was never champion. Hint: `microloan promote {version}` holds it "
        "against the gate."
    )


def _row(registry: Registry, version: ModelVersion) -> dict[str, Any]:
    figures = registry.metrics(version)
    plan = registry.parameters(version)
    return {
        "version": version.version,
        "aliases": ", ".join(version.aliases) or "–",
        "gate": version.tags.get("gate", "not judged"),
        "method": plan.get("method", "flag"),
        "form": plan.get("form", "–"),
        "AUC out of time": figures.get("out_of_time.auc"),
        "log loss": figures.get("out_of_time.log_loss"),
        "observed/expected": figures.get("out_of_time.observed_over_expected"),
        "bads": int(figures.get("out_of_time.bads", 0)),
        "fingerprint": version.fingerprint[:8],
        "run": version.run_id[:8],
    }
