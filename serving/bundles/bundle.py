"""What promotion publishes and serving reads: a scorer, its features, a policy, and their proof."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl

from features.catalog import fingerprint, select
from features.definition import Feature
from features.errors import MicroloanError, UnknownName
from models import Scorer
from models.gate_record import GateRecord, verify
from models.scoring.files import content_hash
from models.validation.doubt import Doubt
from serving.bundles import canary
from serving.bundles.release import BadBundle, Manifest, champion, read_release, write_release
from serving.decision.decide import Model, PolicyVersion
from serving.decision.rows import clean
from serving.decision.verdict import failing_cases
from serving.policy.policy import Policy
from serving.policy.policy_file import BadPolicy, digest, parse
from serving.policy.values import Row

SCORER_FILES = ("model.txt", "scorer.json", "doubt.json")
FEWEST_GOLDEN = 20
NEUTRAL = 100  # applicants just within the cut-off whose mean is the neutral applicant


class _Features(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names in the scorer's order, and the neutral applicant's contributions."""

    names: tuple[str, ...]
    neutral: dict[str, float]


class _Golden(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row, and the log-odds served for it when it was published, to the last bit."""

    values: dict[str, float | str | None]
    log_odds: float


@dataclass(frozen=True)
class Bundle:
    """A verified bundle, ready to decide. ``id`` is the hash of its manifest."""

    id: str
    scorer: Scorer
    doubt: Doubt | None
    features: tuple[Feature, ...]
    neutral: Mapping[str, float]
    policy: Policy
    policy_version: PolicyVersion
    model: Model
    manifest: Manifest


def publish(
    folder: Path,
    *,
    scorer: Scorer,
    features: Sequence[Feature],
    policy: bytes,
    golden: pl.DataFrame,
    gate: bytes,
    gate_keys: Sequence[bytes],
    about: Mapping[str, Any],
    doubt: Doubt | None = None,
) -> Path:
    """Write a release and verify it as serving will; returns it.

    Args:
        folder: holds ``releases/`` and the link ``champion``.
        scorer: fitted on ``features``, in their order.
        features: of the catalogue.
        policy: content of a policy file.
        golden: feature rows, at least 20; some hundreds of recent applications are better, as the
            neutral applicant of the reasons is found among those just within the cut-off.
        gate: the gate's signed record of this very scorer.
        gate_keys: public keys of which one verifies it, as serving will.
        about: ``name`` and ``version`` of the registered model, and whatever else to keep.
        doubt: how unsure the scorer is, where it can be told.

    Raises:
        BadBundle: the release would not be served.
        BadPolicy: the policy is not valid, or a worked case of it does not hold.
    """
    parsed = parse(policy)
    if failing := failing_cases(parsed):
        raise BadPolicy(f"A worked case of the policy does not hold. {failing[0]}.")
    names = tuple(feature.name for feature in features)
    rows = [clean(row) for row in golden.select(names).to_dicts()]
    served = [_Golden(dict(row), _log_odds(scorer, row)) for row in rows]
    files = {
        **scorer.to_bytes(),
        "doubt.json": b"null" if doubt is None else doubt.to_json(),
        "features.json": _json(_Features(names, _neutral(scorer, parsed, rows))),
        "policy.yaml": policy,
        "golden.json": _json(served),
        "gate.json": gate,
    }
    release = write_release(
        folder,
        files,
        name=str(about["name"]),
        version=str(about["version"]),
        fingerprint=fingerprint(features),
        about=dict(about),
    )
    read_bundle(release, gate_keys)
    return release


def read_champion(
    folder: Path, gate_keys: Sequence[bytes], start: canary.Start = "forkserver"
) -> Bundle:
    """The bundle that ``champion`` points to. Raises ``BadBundle``."""
    return read_bundle(champion(folder), gate_keys, start)


def read_bundle(
    release: Path, gate_keys: Sequence[bytes], start: canary.Start = "forkserver"
) -> Bundle:
    """Verify a release and load it; nothing of it reaches this process before all hashes hold.

    One of ``gate_keys`` verifies that the gate let this scorer pass, or who overrode it.

    Raises:
        BadBundle: it must not serve; the message says why.
    """
    manifest, files = read_release(release)
    try:
        record = _gate(manifest, files, gate_keys)
        features = _features(manifest, files)
        if wrong := canary.survives(_recompute, files, start=start):
            raise BadBundle(f"the model was refused in a child process: {wrong}")
        scorer = _recompute(files)
        doubt = Doubt.from_json(files["doubt.json"])
        policy = parse(files["policy.yaml"])
    except (MicroloanError, msgspec.DecodeError) as error:
        raise BadBundle(f"{release.name}: {error}") from None
    version = PolicyVersion(policy.version, digest(files["policy.yaml"]))
    model = Model(
        manifest.name, manifest.version, manifest.fingerprint, release.name, record.override
    )
    neutral = msgspec.json.decode(files["features.json"], type=_Features).neutral
    return Bundle(release.name, scorer, doubt, features, neutral, policy, version, model, manifest)


def _gate(manifest: Manifest, files: Mapping[str, bytes], gate_keys: Sequence[bytes]) -> GateRecord:
    """The gate's record, if it is signed, of this scorer and these features, and lets it pass."""
    record = verify(files["gate.json"], gate_keys)
    if record.model_hash != content_hash({name: files[name] for name in SCORER_FILES}):
        raise BadBundle("its gate record is of another model. Hint: promote this one")
    if record.fingerprint != manifest.fingerprint:
        raise BadBundle("its gate record is of other features. Hint: promote it again")
    if not record.may_serve:
        raise BadBundle("its gate did not pass. Hint: promote a model that does")
    return record


def _features(manifest: Manifest, files: Mapping[str, bytes]) -> tuple[Feature, ...]:
    """The features the bundle was made for, if they still compute the same."""
    listed = msgspec.json.decode(files["features.json"], type=_Features)
    try:
        features = select(listed.names)
    except UnknownName as error:
        raise BadBundle(f"made for other features than this code has. {error}") from None
    is_same = tuple(feature.name for feature in features) == listed.names
    if not is_same or fingerprint(features) != manifest.fingerprint:
        raise BadBundle("made for other features than this code has. Hint: train it again")
    if set(listed.neutral) != set(listed.names):
        raise BadBundle("features.json has no neutral applicant. Hint: publish it again")
    return features


def _recompute(files: Mapping[str, bytes]) -> Scorer:
    """Load the scorer and serve its golden rows; any other bit than the published is refused."""
    scorer = Scorer.from_bytes({name: files[name] for name in SCORER_FILES})
    names = msgspec.json.decode(files["features.json"], type=_Features).names
    if scorer.names_ != names:
        raise BadBundle("the model takes other features than features.json lists")
    golden = msgspec.json.decode(files["golden.json"], type=list[_Golden])
    if len(golden) < FEWEST_GOLDEN:
        raise BadBundle(f"it has {len(golden)} golden rows; {FEWEST_GOLDEN} are needed")
    wrong = sum(_log_odds(scorer, row.values) != row.log_odds for row in golden)
    if wrong:
        raise BadBundle(f"{wrong} of {len(golden)} golden rows score otherwise than published")
    return scorer


def _log_odds(scorer: Scorer, row: Row) -> float:
    return float(scorer.base_ + scorer.explain_row(scorer.encode_row(row)).sum())


def _neutral(scorer: Scorer, policy: Policy, rows: Sequence[Row]) -> dict[str, float]:
    """Mean contributions of the applicants just within the cut-off, the best if none is.

    Their mean log-odds lie below the cut-off, so whoever is above it has harm to be told.
    """
    added = np.array([scorer.explain_row(scorer.encode_row(row)) for row in rows])
    log_odds = scorer.base_ + added.sum(axis=1)
    cut_off = np.log(policy.cut_off) - np.log1p(-policy.cut_off) if policy.cut_off else -np.inf
    order = np.argsort(-log_odds, kind="stable")
    within = order[log_odds[order] < cut_off][:NEUTRAL]
    chosen = within if len(within) else order[-1:]
    return dict(zip(scorer.names_, added[chosen].mean(axis=0).tolist(), strict=True))


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value, order="deterministic")
