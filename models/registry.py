"""The register of fitted scorers: MLflow over a SQLite file, kept in one folder, with no server.

A version holds the scorer as native text and JSON, the hashes of both, the fingerprint of the
features it was fitted on, and everything that its run was made from. Nothing of it is pickled, and
loading runs no code that came with it.
"""

import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.errors import MicroloanError
from models.moved import follow
from models.scoring.files import content_hash
from models.scoring.scorer import Scorer
from models.validation.validation import Validation

if TYPE_CHECKING:
    from mlflow import MlflowClient

MODEL = "microloan"
_FILES = "files"  # tag: names of the files that a version serves with
_EVIDENCE = "evidence"  # tag: hashes of the files that a version was registered with
_LONGEST_PARAMETER = 6000
_MOST_PARAMETERS = 100


class NoSuchModel(MicroloanError):
    """A model, version or alias that the register does not hold."""


class WrongFingerprint(MicroloanError):
    """A scorer fitted on features other than those it is now to be used with."""


class CorruptModel(MicroloanError):
    """Files of a version that are not those it was registered with."""


@dataclass(frozen=True)
class ModelVersion:
    """One registered scorer: ``fingerprint`` is of its features, ``model_hash`` of its files."""

    name: str
    version: int
    run_id: str
    fingerprint: str
    model_hash: str
    aliases: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LoadedModel:
    """A scorer out of the register, verified, with its files and the validation it came with."""

    scorer: Scorer
    version: ModelVersion
    validation: Validation
    files: Mapping[str, bytes]

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the features it was fitted on."""
        return self.version.fingerprint


class Registry:
    """Versions of scorers in one folder: ``mlflow.db`` (SQLite) and ``artifacts/``.

    The folder may be moved as a whole. ``mlflow ui --backend-store-uri sqlite:///<folder>/mlflow.db``
    shows what it holds.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._database = self.folder / "mlflow.db"
        self._files = (self.folder / "artifacts").as_uri()
        self._client = _client(f"sqlite:///{self._database}")

    def register(
        self,
        scorer: Scorer,
        validation: Validation,
        *,
        fingerprint: str,
        name: str = MODEL,
        run_name: str | None = None,
        parameters: Mapping[str, object] | None = None,
        fingerprints: Mapping[str, str] | None = None,
        belongings: Mapping[str, bytes] | None = None,
        artifacts: Mapping[str, bytes] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> ModelVersion:
        """Log a run with the scorer and all that it was made from, and make it a new version.

        ``fingerprint`` is that of the features; ``fingerprints`` are further hashes (data, code,
        lock); ``belongings`` are files that the scorer serves with and is hashed with, such as
        ``doubt.json``; ``artifacts`` are files by path within the run, such as
        ``plots/summary.png``.
        """
        files = {**scorer.to_bytes(), **(belongings or {})}
        hashes = {"fingerprint": fingerprint, "model_hash": content_hash(files)}
        logged = scorer.get_params() | dict(parameters or {})
        run = self._client.create_run(self._experiment(name), run_name=run_name)
        run_id = run.info.run_id
        self._log(run_id, validation.metrics(), logged, {**hashes, **(fingerprints or {})})
        self._write(run_id, {f"scorer/{file}": content for file, content in files.items()})
        evidence = {"validation.json": validation.to_json(), **(artifacts or {})}
        self._write(run_id, evidence)
        self._client.set_terminated(run_id)
        self._make_model(name)
        version = self._client.create_model_version(
            name,
            source=f"runs:/{run_id}/scorer",
            run_id=run_id,
            tags={
                **hashes,
                _FILES: json.dumps(sorted(files)),
                _EVIDENCE: _hashes(evidence),
                **(tags or {}),
            },
        )
        return self.version(name, int(version.version))

    def load(
        self, name: str = MODEL, which: int | str = "champion", *, fingerprint: str | None = None
    ) -> LoadedModel:
        """The scorer of a version number or alias, its files held against their hash first.

        Raises NoSuchModel, CorruptModel, and WrongFingerprint where ``fingerprint`` is given and
        the scorer was fitted on other features.
        """
        version = self.version(name, which)
        if fingerprint is not None and fingerprint != version.fingerprint:
            raise WrongFingerprint(
                f"Model {name} {version.version} was fitted on features "
                f"{version.fingerprint[:12]}, and those of this code are {fingerprint[:12]}. "
                "Hint: train it again, or use the code it was trained with."
            )
        names = json.loads(version.tags[_FILES])
        files = {file: self.read(version, f"scorer/{file}") for file in names}
        if content_hash(files) != version.model_hash:
            raise CorruptModel(
                f"The files of model {name} {version.version} have hash "
                f"{content_hash(files)[:12]}, not {version.model_hash[:12]} as registered. "
                "Hint: restore them, or train again."
            )
        validation = Validation.from_json(self.read(version, "validation.json"))
        return LoadedModel(Scorer.from_bytes(files), version, validation, files)

    def version(self, name: str = MODEL, which: int | str = "champion") -> ModelVersion:
        """The version of that number or alias; raises NoSuchModel."""
        from mlflow.exceptions import MlflowException

        try:
            if str(which).isdecimal():
                found = self._client.get_model_version(name, str(which))
            else:
                found = self._client.get_model_version_by_alias(name, str(which))
        except MlflowException as error:
            known = [f"{name} {version.version}" for version in self.list_versions(name)]
            raise NoSuchModel(
                f"The register has no model {name} {which!r}; it holds "
                f"{', '.join(known) or 'none of that name'}. Hint: train one, or name another."
            ) from error
        return _model_version(found)

    def list_versions(self, name: str = MODEL) -> list[ModelVersion]:
        """All versions of a model, oldest first."""
        found = self._client.search_model_versions(f"name = '{name}'", max_results=10_000)
        # the search leaves aliases out; the model has them
        aliases: dict[int, list[str]] = {}
        for model in self._client.search_registered_models(f"name = '{name}'"):
            for alias, number in model.aliases.items():
                aliases.setdefault(int(number), []).append(alias)
        versions = [_model_version(one, aliases.get(int(one.version), ())) for one in found]
        return sorted(versions, key=lambda version: version.version)

    def champion(self, name: str = MODEL) -> ModelVersion | None:
        """The version that serves, or None while there is none."""
        named = (one for one in self.list_versions(name) if "champion" in one.aliases)
        return next(named, None)

    def set_alias(self, version: ModelVersion, alias: str) -> None:
        """Point ``alias`` (champion, challenger) at a version; the one it pointed at loses it."""
        self._client.set_registered_model_alias(version.name, alias, str(version.version))

    def tag(self, version: ModelVersion, tags: Mapping[str, str]) -> None:
        """Add tags to a version, such as the outcome of its gate."""
        for key, value in tags.items():
            self._client.set_model_version_tag(version.name, str(version.version), key, value)

    def metrics(self, version: ModelVersion) -> dict[str, float]:
        """The figures logged with a version's run."""
        return dict(self._client.get_run(version.run_id).data.metrics)

    def parameters(self, version: ModelVersion) -> dict[str, str]:
        """The parameters and hashes logged with a version's run."""
        return dict(self._client.get_run(version.run_id).data.params)

    def attach(self, version: ModelVersion, artifacts: Mapping[str, bytes]) -> None:
        """Add files to a version's run, such as its gate record."""
        self._write(version.run_id, artifacts)

    def changed(self, version: ModelVersion) -> list[str]:
        """Files registered with a version, its report among them, that are gone or others now."""
        known: dict[str, str] = json.loads(version.tags[_EVIDENCE])
        return [path for path, digest in known.items() if self._digest(version, path) != digest]

    def _digest(self, version: ModelVersion, path: str) -> str:
        try:
            return sha256(self.read(version, path)).hexdigest()
        except CorruptModel:
            return ""

    def read(self, version: ModelVersion, path: str) -> bytes:
        """One file of a version's run; raises CorruptModel where it is gone."""
        try:
            return self._file(version.run_id, path).read_bytes()
        except FileNotFoundError as error:
            raise CorruptModel(
                f"Model {version.name} {version.version} has lost its file {path}. "
                "Hint: restore the artifacts folder, or train again."
            ) from error

    def log_run(
        self,
        version: ModelVersion,
        run_name: str,
        metrics: Mapping[str, float],
        parameters: Mapping[str, object],
        artifacts: Mapping[str, bytes],
    ) -> str:
        """Log a run about a version, beside the one that made it; returns the run's id."""
        run = self._client.create_run(
            self._experiment(version.name),
            run_name=run_name,
            tags={"about_version": str(version.version)},
        )
        run_id = str(run.info.run_id)
        self._log(run_id, metrics, parameters, {"model_hash": version.model_hash})
        self._write(run_id, artifacts)
        self._client.set_terminated(run_id)
        return run_id

    def _experiment(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        return str(self._client.create_experiment(name, artifact_location=self._files))

    def _make_model(self, name: str) -> None:
        if not self._client.search_registered_models(f"name = '{name}'"):
            self._client.create_registered_model(name)

    def _log(
        self,
        run_id: str,
        metrics: Mapping[str, float],
        parameters: Mapping[str, object],
        hashes: Mapping[str, str],
    ) -> None:
        from mlflow.entities import Metric, Param

        told = {**parameters, **hashes}.items()
        params = [Param(key, str(value)[:_LONGEST_PARAMETER]) for key, value in told]
        figures = [Metric(key, figure, timestamp=0, step=0) for key, figure in metrics.items()]
        for start in range(0, len(params), _MOST_PARAMETERS):
            self._client.log_batch(run_id, params=params[start : start + _MOST_PARAMETERS])
        self._client.log_batch(run_id, metrics=figures)

    def _write(self, run_id: str, artifacts: Mapping[str, bytes]) -> None:
        """Put files where MLflow looks for those of the run, wherever the folder is now."""
        named = self._client.get_run(run_id).info.artifact_uri.removesuffix(f"/{run_id}/artifacts")
        if named != self._files:
            follow(self._database, named, self._files)
        for path, content in artifacts.items():
            file = self._file(run_id, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)

    def _file(self, run_id: str, path: str) -> Path:
        return self.folder / "artifacts" / run_id / "artifacts" / path


def _hashes(files: Mapping[str, bytes]) -> str:
    return json.dumps({path: sha256(content).hexdigest() for path, content in files.items()})


def _model_version(found: Any, aliases: Sequence[str] | None = None) -> ModelVersion:
    return ModelVersion(
        name=found.name,
        version=int(found.version),
        run_id=found.run_id,
        fingerprint=found.tags["fingerprint"],
        model_hash=found.tags["model_hash"],
        aliases=tuple(sorted(found.aliases if aliases is None else aliases)),
        tags=dict(found.tags),
    )


def _client(uri: str) -> "MlflowClient":
    """MLflow's client without its telemetry and chatter; importing it takes five seconds."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read once, when it is imported
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    from mlflow import MlflowClient

    for chatter in ("mlflow", "alembic"):
        logging.getLogger(chatter).setLevel(logging.ERROR)
    return MlflowClient(tracking_uri=uri, registry_uri=uri)
