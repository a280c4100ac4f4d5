"""`microloan feature` lists, shows and begins features."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from features.catalog import CATALOG
from pipelines.learning.look import source_of
from tests.pipelines.test_cli import run

ROOT = Path(__file__).parents[2]
NAME = "electricity_peak_share_12m"
BEGIN = (
    "feature", "new", NAME, "--table", "linked_bills", "--unit", "share",
    "--risk", "rises", "--reason", "R42",
)  # fmt: skip
ASKED = f"tests/features/test_catalog.py::test_a_feature_is_specified_by_a_drawn_table[{NAME}]"
DRAWN = f"tests/features/test_utility.py::test_{NAME}_is_as_drawn"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The features and their tests, to be changed at will."""
    for folder in ("features", "tests/features"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copy(ROOT / "tests" / "__init__.py", tmp_path / "tests")
    return tmp_path


def pytest_in(project: Path, *tests: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)


def test_the_list_names_every_feature_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("feature", "list", "--json") == 0
    listed = json.loads(capsys.readouterr().out)["features"]
    assert sorted(row["feature"] for row in listed) == sorted(one.name for one in CATALOG)


def test_the_list_of_a_department_holds_its_features_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("feature", "list", "--department", "utility", "--json") == 0
    listed = json.loads(capsys.readouterr().out)["features"]
    expected = {one.name for one in CATALOG if one.department == "utility"}
    assert {row["feature"] for row in listed} == expected
    assert run("feature", "list", "--department", "utilities") == 1
    assert "did you mean one of utility" in " ".join(capsys.readouterr().err.split())


def test_a_feature_is_shown_as_declared_where_there_are_no_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("feature", "show", "tax_arrears", "--var", str(tmp_path), "--json") == 0
    told = capsys.readouterr()
    shown = json.loads(told.out)
    assert shown["reason_chinese"] == "目前存在欠税"
    assert shown["risk"] == "rises"
    assert "UNPAID.filter(IN_ARREARS)" in shown["definition"]
    assert "microloan features" in told.err
    assert run("feature", "show", "tax_arears") == 1


def test_every_declaration_is_found_as_it_is_written() -> None:
    for one in CATALOG:
        text = source_of(one)
        assert text.startswith("@feature(")
        assert f"def {one.name}() -> pl.Expr:" in text


@pytest.mark.slow
def test_a_new_feature_fails_by_its_drawn_table_alone_until_it_is_written(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*BEGIN, "--root", str(project)) == 0
    begun = pytest_in(project, ASKED, DRAWN)
    assert begun.returncode == 1, begun.stdout
    assert "1 failed, 1 passed" in begun.stdout
    assert f"AssertionError: {NAME} of shop" in begun.stdout
    ruff = [sys.executable, "-m", "ruff"]
    settings = ["--config", str(ROOT / "pyproject.toml"), str(project)]
    for check in (["format", "--check"], ["check", "--select", "E,F,I"]):
        command = [*ruff, *check, *settings]
        told = subprocess.run(command, capture_output=True, text=True, check=False)
        assert told.returncode == 0, told.stdout

    module = project / "features" / "utility.py"
    skeleton = "pl.lit(None, pl.Float64)  # what it computes; null is not known"
    used = 'over(12, pl.col("quantity"), of="electricity")'
    written = module.read_text(encoding="utf-8")
    assert skeleton in written
    module.write_text(written.replace(skeleton, f"ratio({used}.max(), {used}.sum())"))
    drawn = project / "tests" / "features" / "test_utility.py"
    table = drawn.read_text(encoding="utf-8")
    drawn.write_text(table.replace('"shop": 1.0, "stranger"', '"shop": None, "stranger"'))
    done = pytest_in(project, ASKED, DRAWN)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("table", sorted({one.source.name for one in CATALOG if one.source}))
def test_a_feature_may_begin_on_every_table(table: str, project: Path) -> None:
    begin = ("feature", "new", "a_new_one", "--table", table, "--unit", "count")
    assert (
        run(*begin, "--undirected", 'it is "new"', "--reason", "R38", "--root", str(project)) == 0
    )
    [file] = [f for f in (project / "features").glob("*.py") if "def a_new_one" in f.read_text()]
    compile(file.read_text(encoding="utf-8"), str(file), "exec")
    assert run(*begin, "--risk", "rises", "--reason", "R38", "--root", str(project)) == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"--table": "linked_bils"}, "did you mean one of linked_bills"),
        ({"--reason": "R99"}, "There is no reason 'R99'"),
        ({"--root": "nowhere"}, "Run this in the project's folder"),
        ({"--risk": None}, "give --risk or --undirected"),
    ],
)
def test_what_cannot_begin_is_told_with_the_next_step(
    change: dict[str, str | None], told: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {**dict(zip(BEGIN[3::2], BEGIN[4::2], strict=True)), "--root": str(project), **change}
    given = [word for option, value in options.items() if value for word in (option, value)]
    assert run("feature", "new", NAME, *given) == 1
    assert told in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("name", ["tax_arrears", "Tax", "2x", "a b"])
def test_a_name_that_is_taken_or_none_is_refused(name: str, project: Path) -> None:
    assert run("feature", "new", name, *BEGIN[3:], "--root", str(project)) == 1
