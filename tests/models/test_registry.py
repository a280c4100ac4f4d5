"""The register of scorers: what comes out is what went in, or nothing comes out."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from models.registry import CorruptModel, ModelVersion, NoSuchModel, Registry, WrongFingerprint
from tests.models.portfolio import FEATURES, fitted, validated

FINGERPRINT = "f" * 64


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> tuple[Registry, ModelVersion]:
    """A register with one version in it."""
    registry = Registry(tmp_path_factory.mktemp("register"))
    scorer, _, _, validation = validated()
    version = registry.register(
        scorer,
        validation,
        fingerprint=FINGERPRINT,
        run_name="first",
        parameters={"as_of": "2026-01-01"},
        fingerprints={"data.applications": "d" * 64},
        artifacts={"plots/summary.png": b"\x89PNG"},
        tags={"trained_by": "a test"},
    )
    return registry, version


def test_a_loaded_scorer_says_the_same_to_the_last_bit(
    shelf: tuple[Registry, ModelVersion],
) -> None:
    registry, version = shelf
    loaded = registry.load(which=version.version, fingerprint=FINGERPRINT)
    scorer, _, later = fitted()
    rows = later.select(FEATURES)
    assert np.array_equal(loaded.scorer.predict_proba(rows), scorer.predict_proba(rows))
    assert loaded.validation == validated()[3]
    assert (loaded.fingerprint, version.tags["trained_by"]) == (FINGERPRINT, "a test")


def test_a_wrong_feature_fingerprint_is_refused(shelf: tuple[Registry, ModelVersion]) -> None:
    registry, version = shelf
    with pytest.raises(WrongFingerprint, match=r"fitted on features f{12}, .* are 0{12}\. Hint"):
        registry.load(which=version.version, fingerprint="0" * 64)


def test_a_model_with_one_byte_changed_is_refused(shelf: tuple[Registry, ModelVersion]) -> None:
    registry, _ = shelf
    scorer, _, _, validation = validated()
    version = registry.register(scorer, validation, fingerprint=FINGERPRINT, name="spoilt")
    (file,) = registry.folder.glob(f"artifacts/{version.run_id}/**/model.txt")
    content = file.read_bytes()
    file.write_bytes(content[:-1] + b"x")
    with pytest.raises(CorruptModel, match="as registered"):
        registry.load("spoilt", version.version)
    file.unlink()
    with pytest.raises(CorruptModel, match=r"lost its file scorer/model\.txt"):
        registry.load("spoilt", version.version)


def test_nothing_is_pickled_and_no_code_is_kept(shelf: tuple[Registry, ModelVersion]) -> None:
    registry, version = shelf
    kept = {
        str(file.relative_to(registry.folder / "artifacts" / version.run_id / "artifacts"))
        for file in registry.folder.glob(f"artifacts/{version.run_id}/artifacts/**/*")
        if file.is_file()
    }
    assert kept == {
        "scorer/model.txt",
        "scorer/scorer.json",
        "validation.json",
        "plots/summary.png",
    }


def test_an_alias_moves_from_version_to_version(shelf: tuple[Registry, ModelVersion]) -> None:
    registry, _ = shelf
    scorer, _, _, validation = validated()
    first, second = (
        registry.register(scorer, validation, fingerprint=FINGERPRINT, name="alias")
        for _ in range(2)
    )
    assert registry.champion("alias") is None
    for version in (first, second, first):
        registry.set_alias(version, "champion")
        champion = registry.champion("alias")
        assert champion is not None
        assert champion.version == version.version
        assert registry.load("alias", "champion").version.version == version.version
    listed = registry.list_versions("alias")
    assert [(one.version, one.aliases) for one in listed] == [(1, ("champion",)), (2, ())]


def test_an_unknown_version_is_told_with_the_known_ones(
    shelf: tuple[Registry, ModelVersion],
) -> None:
    registry, _ = shelf
    with pytest.raises(NoSuchModel, match=r"no model microloan 99; it holds microloan 1"):
        registry.load(which=99)
    with pytest.raises(NoSuchModel, match=r"no model microloan 'challenger'"):
        registry.load(which="challenger")


def test_figures_parameters_and_hashes_are_logged(shelf: tuple[Registry, ModelVersion]) -> None:
    registry, version = shelf
    figures = registry.metrics(version)
    assert figures == pytest.approx(validated()[3].metrics())
    parameters = registry.parameters(version)
    assert parameters["as_of"] == "2026-01-01"
    assert parameters["data.applications"] == "d" * 64
    assert parameters["fingerprint"] == FINGERPRINT


def test_a_moved_folder_still_loads(shelf: tuple[Registry, ModelVersion], tmp_path: Path) -> None:
    registry, version = shelf
    moved = shutil.copytree(registry.folder, tmp_path / "moved")
    assert Registry(moved).load(which=version.version).version.run_id == version.run_id


def test_what_is_added_to_a_moved_folder_is_there_and_nothing_where_it_was(
    shelf: tuple[Registry, ModelVersion], tmp_path: Path
) -> None:
    registry, version = shelf
    kept = sorted(registry.folder.rglob("*"))
    moved = Registry(Path(shutil.copytree(registry.folder, tmp_path / "100%_moved!")))
    moved.attach(version, {"gate.json": b"{}"})
    run_id = moved.log_run(version, "later", {}, {}, {"page.html": b"<p>"})

    assert moved.read(version, "gate.json") == b"{}"
    assert (moved.folder / "artifacts" / run_id / "artifacts" / "page.html").exists()
    assert sorted(registry.folder.rglob("*")) == kept


def test_files_of_the_report_that_were_changed_or_lost_are_named(
    shelf: tuple[Registry, ModelVersion],
) -> None:
    registry, _ = shelf
    scorer, _, _, validation = validated()
    given = {"report.html": b"<p>fair</p>", "plots/summary.png": b"\x89PNG"}
    version = registry.register(
        scorer, validation, fingerprint=FINGERPRINT, name="judged", artifacts=given
    )
    assert registry.changed(version) == []
    (page,) = registry.folder.glob(f"artifacts/{version.run_id}/**/report.html")
    page.write_bytes(b"<p>fairer</p>")
    (page.parent / "plots" / "summary.png").unlink()
    assert sorted(registry.changed(version)) == ["plots/summary.png", "report.html"]
