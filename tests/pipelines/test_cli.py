"""The command line: help with an example, JSON on stdout alone, and exit codes by kind."""

import json
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import polars as pl
import pytest
from cyclopts import App

from pipelines.cli import app, main

README = Path(__file__).parents[2] / "README.md"


def commands(of: App, *before: str) -> Iterator[tuple[str, ...]]:
    """Each command by its words: `train`, `journal verify`."""
    for name in of:
        if not name.startswith("-"):
            below = of[name]
            inner = list(commands(below, *before, name)) if below.default_command is None else []
            yield from inner or [(*before, name)]


COMMANDS = tuple(commands(app))


def run(*arguments: str) -> int:
    """Exit code of the command line."""
    try:
        main(arguments)
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_one_line_of_description_and_an_example(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*command, "--help") == 0
    shown = capsys.readouterr().out
    assert f"Example: microloan {' '.join(command)}" in shown
    described = shown.split("Usage:")[1].split("\n\n")[1]
    assert described.strip()


def test_the_readme_names_only_commands_that_exist() -> None:
    named = set(
        re.findall(r"^microloan ([a-z]+)", README.read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert named
    assert named <= {command[0] for command in COMMANDS}


@pytest.mark.parametrize("arguments", [("nonsense",), ("world", "--nonsense", "1"), ("fit",)])
def test_wrong_usage_exits_with_2(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 2
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("arguments", "next_step"),
    [
        (("features",), "microloan ingest"),
        (("train",), "microloan features"),
        (("score",), "microloan promote"),
        (("fit", "nowhere.parquet", "--target", "y"), "Name a Parquet, CSV, Excel or JSON file"),
    ],
)
def test_a_mistake_exits_with_1_and_names_the_next_step_without_a_traceback(
    arguments: tuple[str, ...], next_step: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments, "--var", str(tmp_path)) == 1
    told = capsys.readouterr()
    assert " ".join(next_step.split()) in " ".join(told.err.split())
    assert "Traceback" not in told.err
    assert told.out == ""


def test_json_is_one_object_on_stdout_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("world", "--businesses", "60", "--months", "24", "--var", str(tmp_path), "--json")
    assert run(*arguments) == 0
    assert json.loads(capsys.readouterr().out)["businesses"] == 60


def test_an_unknown_target_column_is_told_with_the_nearest_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "loans.csv"
    pl.DataFrame({"status": ["PAID", "BAD"], "amount": [1, 2]}).write_csv(table)
    assert run("fit", str(table), "--target", "statsu", "--var", str(tmp_path)) == 1
    assert "did you mean one of status" in " ".join(capsys.readouterr().err.split())


def test_a_target_of_words_asks_which_of_them_means_default(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "loans.csv"
    pl.DataFrame({"status": ["PAID", "BAD"], "amount": [1, 2]}).write_csv(table)
    assert run("fit", str(table), "--target", "status", "--var", str(tmp_path)) == 1
    assert "--bad=BAD" in " ".join(capsys.readouterr().err.split())


def test_every_command_is_listed_under_what_it_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    panels = re.split(r"^╭─ (.+?) ─+╮$", capsys.readouterr().out, flags=re.MULTILINE)[1:]
    listed = {
        title: re.findall(r"^│ ([a-z]+) ", text, re.MULTILINE)
        for title, text in zip(panels[::2], panels[1::2], strict=True)
    }
    assert not listed.pop("Commands")  # beside --help and --version
    assert sorted(chain(*listed.values())) == sorted({command[0] for command in COMMANDS})
