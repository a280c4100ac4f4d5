"""A bundle serves only if every byte, every feature and every golden row is as published."""

import logging
import os
import random
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from features.catalog import CATALOG
from models import Scorer
from models.gate_record import Override
from serving.bundles import bundle as bundles_module
from serving.bundles import canary
from serving.bundles.bundle import publish, read_bundle, read_champion
from serving.bundles.champion import Champion
from serving.bundles.release import (
    FILES,
    BadBundle,
    champion,
    point,
    read_release,
    sha256,
    write_release,
)
from serving.policy.policy_file import BadPolicy
from tests.serving.conftest import (
    FEATURES,
    GATE_KEYS,
    POLICY,
    applicants,
    publish_in,
    signed_gate,
)


@pytest.fixture
def published(bundles: Path, tmp_path: Path) -> Path:
    """A copy of the published folder that a test may spoil."""
    shutil.copytree(bundles, tmp_path / "bundles", symlinks=True)
    return tmp_path / "bundles"


def test_a_published_bundle_scores_as_its_scorer(bundles: Path, scorer: Scorer) -> None:
    served = read_champion(bundles, GATE_KEYS).scorer
    X = applicants(50, seed=9)
    assert served.decision_function(X).tolist() == scorer.decision_function(X).tolist()


def test_the_same_bundle_has_the_same_name(bundles: Path, scorer: Scorer, tmp_path: Path) -> None:
    assert publish_in(tmp_path, scorer).name == champion(bundles).name


@pytest.fixture
def no_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading a scorer is an error: refused files must not get that far."""

    def parse(*_: object) -> None:
        raise AssertionError("a byte reached the parser")

    monkeypatch.setattr(bundles_module, "_recompute", parse)
    monkeypatch.setattr(bundles_module, "_features", parse)


@pytest.mark.usefixtures("no_parser")
def test_a_file_cut_anywhere_is_refused_before_it_is_parsed(published: Path) -> None:
    release = champion(published)
    for name in (*FILES, "manifest.json"):
        whole = (release / name).read_bytes()
        for tenth in range(10):
            (release / name).write_bytes(whole[: len(whole) * tenth // 10])
            with pytest.raises(BadBundle, match="is not the published one"):
                read_bundle(release, GATE_KEYS)
        (release / name).write_bytes(whole)


@pytest.mark.usefixtures("no_parser")
def test_any_flipped_bit_is_refused_before_it_is_parsed(published: Path) -> None:
    release, chosen = champion(published), random.Random(0)
    for _ in range(200):
        path = release / chosen.choice((*FILES, "manifest.json"))
        whole = path.read_bytes()
        spoilt = bytearray(whole)
        spoilt[chosen.randrange(len(whole))] ^= 1 << chosen.randrange(8)
        path.write_bytes(spoilt)
        with pytest.raises(BadBundle, match="is not the published one"):
            read_bundle(release, GATE_KEYS)
        path.write_bytes(whole)


@pytest.mark.parametrize("name", [*FILES, "manifest.json"])
def test_a_missing_file_is_refused(published: Path, name: str) -> None:
    (champion(published) / name).unlink()
    with pytest.raises(BadBundle, match=name):
        read_champion(published, GATE_KEYS)


def forge(published: Path, **changed: bytes) -> Path:
    """A release with other files under right hashes, as a hostile publisher would make it."""
    manifest, files = read_release(champion(published))
    named = {name: getattr(manifest, name) for name in ("name", "version", "fingerprint", "about")}
    other = {name.replace("_", ".", 1): content for name, content in changed.items()}
    if "model.txt" in other:
        scorer = msgspec.json.decode(files["scorer.json"])
        other.setdefault("scorer.json", files["scorer.json"])
        for key, value in scorer.items():
            if value == sha256(files["model.txt"]):
                scorer[key] = sha256(other["model.txt"])
                other["scorer.json"] = msgspec.json.encode(scorer)
    made = {**files, **other}
    if "gate.json" not in other:
        made["gate.json"] = signed_gate(made)
    return write_release(published, made, **named)


def test_a_gate_that_did_not_pass_is_refused(published: Path) -> None:
    _, files = read_release(champion(published))
    with pytest.raises(BadBundle, match="gate did not pass"):
        read_bundle(forge(published, gate_json=signed_gate(files, passed=False)), GATE_KEYS)


def test_a_record_that_the_gate_did_not_sign_is_refused(published: Path) -> None:
    _, files = read_release(champion(published))
    own_key = signed_gate(files, key=b"k" * 32)
    told_otherwise = signed_gate(files, passed=False).replace(b"false", b"true")
    for gate in (b'{"passed": true}', b"{}", own_key, told_otherwise):
        with pytest.raises(BadBundle, match="gate's record"):
            read_bundle(forge(published, gate_json=gate), GATE_KEYS)


def test_the_record_of_another_model_or_of_other_features_is_refused(published: Path) -> None:
    _, files = read_release(champion(published))
    others = {"model_hash": "0" * 64, "fingerprint": "0" * 64}
    for name, value in others.items():
        with pytest.raises(BadBundle, match="gate record is of"):
            read_bundle(forge(published, gate_json=signed_gate(files, **{name: value})), GATE_KEYS)


def test_who_overrode_the_gate_is_told_by_the_model(published: Path) -> None:
    _, files = read_release(champion(published))
    override = Override("head of risk", "the old model is worse still")
    gate = signed_gate(files, passed=False, override=override)
    assert read_bundle(forge(published, gate_json=gate), GATE_KEYS).model.override == override


def _features_json(names: list[str]) -> bytes:
    return msgspec.json.encode({"names": names, "neutral": dict.fromkeys(names, 0.0)})


NAMES = [feature.name for feature in FEATURES]


@pytest.mark.parametrize(
    "names",
    [
        NAMES[:-1],
        [*NAMES, next(f.name for f in CATALOG if f.name not in NAMES)],
        [*NAMES[:-1], "turnover"],
        NAMES[::-1],
        [],
    ],
    ids=["dropped", "added", "renamed", "reordered", "none"],
)
def test_other_features_than_the_code_has_are_refused(published: Path, names: list[str]) -> None:
    with pytest.raises(BadBundle):
        read_bundle(forge(published, features_json=_features_json(names)), GATE_KEYS)


def test_a_golden_row_that_scores_otherwise_by_one_bit_is_refused(published: Path) -> None:
    golden = msgspec.json.decode(read_release(champion(published))[1]["golden.json"])
    golden[7]["log_odds"] *= 1 + 2**-52
    with pytest.raises(BadBundle, match="1 of 200 golden rows score otherwise"):
        read_bundle(forge(published, golden_json=msgspec.json.encode(golden)), GATE_KEYS)


def test_too_few_golden_rows_are_refused(published: Path) -> None:
    golden = msgspec.json.decode(read_release(champion(published))[1]["golden.json"])
    with pytest.raises(BadBundle, match="3 golden rows"):
        read_bundle(forge(published, golden_json=msgspec.json.encode(golden[:3])), GATE_KEYS)


def test_a_hostile_model_under_right_hashes_is_refused_or_scores_as_published(
    published: Path, scorer: Scorer
) -> None:
    X = applicants(50, seed=9)
    model = read_release(champion(published))[1]["model.txt"]
    hostile = [
        model[: len(model) // 3],
        model[: len(model) // 2] + b"\x00" * 100 + model[len(model) // 2 :],
        model.replace(b"leaf_value=", b"leaf_value=1e999 "),
        model.replace(b"num_leaves=", b"num_leaves=99999999"),
        model.replace(b"left_child=", b"left_child=0 "),
        b"",
        b"tree\n" * 1000,
    ]
    refused = 0
    for content in hostile:
        try:
            served = read_bundle(forge(published, model_txt=content), GATE_KEYS).scorer
        except BadBundle:
            refused += 1
        else:
            assert served.decision_function(X).tolist() == scorer.decision_function(X).tolist()
    assert refused >= 5


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _spin() -> None:
    while True:
        pass


def _hoard() -> None:
    bytearray(8 << 30)


@pytest.mark.parametrize("harm", [_die, _spin, _hoard])
def test_a_load_that_kills_hangs_or_hoards_costs_only_the_child(
    harm: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(canary.Limits, "seconds", 1)
    assert canary.survives(harm, start="fork") != ""


def test_a_load_that_returns_passes() -> None:
    assert canary.survives(bool, start="fork") == ""


def test_what_would_not_serve_is_not_published(scorer: Scorer, published: Path) -> None:
    before = champion(published)
    with pytest.raises(BadBundle, match="gate"):
        publish(
            published,
            scorer=scorer,
            features=FEATURES,
            policy=POLICY.read_bytes(),
            golden=applicants(200, seed=3),
            gate=signed_gate(scorer.to_bytes(), passed=False),
            gate_keys=GATE_KEYS,
            about={"name": "microloan", "version": "2"},
        )
    assert champion(published) == before


def test_a_policy_whose_worked_case_fails_is_not_published(scorer: Scorer, tmp_path: Path) -> None:
    expected, other = b"grade: A, limit: 300000,", b"grade: A, limit: 310000,"
    wrong = POLICY.read_bytes().replace(expected, other, 1)
    assert wrong != POLICY.read_bytes()
    with pytest.raises(BadPolicy, match="A sound retailer"):
        publish(
            tmp_path,
            scorer=scorer,
            features=FEATURES,
            policy=wrong,
            golden=applicants(200, seed=3),
            gate=signed_gate(scorer.to_bytes()),
            gate_keys=GATE_KEYS,
            about={"name": "microloan", "version": "2"},
        )
    assert not list(tmp_path.iterdir())


def test_a_newly_published_bundle_is_turned_to(published: Path, scorer: Scorer) -> None:
    serving = Champion(published, GATE_KEYS)
    old = serving.bundle
    assert serving.refresh() is False
    publish_in(published, scorer, version="2")
    assert serving.refresh() is True
    assert (old.model.version, serving.bundle.model.version) == ("1", "2")
    point(published, old.id)
    serving.refresh()
    assert serving.bundle.id == old.id


def test_a_spoilt_bundle_leaves_the_old_one_serving_and_is_logged_once(
    published: Path, caplog: pytest.LogCaptureFixture
) -> None:
    serving = Champion(published, GATE_KEYS)
    _, files = read_release(champion(published))
    spoilt = forge(published, gate_json=signed_gate(files, passed=False))
    point(published, spoilt.name)
    with caplog.at_level(logging.ERROR, logger="microloan.serving"):
        for _ in range(3):
            assert serving.refresh() is False
    assert serving.bundle.id != spoilt.name
    assert len(caplog.records) == 1
    assert "gate did not pass" in caplog.text


def test_a_release_that_does_not_exist_cannot_become_champion(published: Path) -> None:
    with pytest.raises(BadBundle, match="no release"):
        point(published, "0" * 64)


def test_no_champion_is_a_clear_mistake(tmp_path: Path) -> None:
    with pytest.raises(BadBundle, match="microloan promote"):
        Champion(tmp_path, GATE_KEYS)
