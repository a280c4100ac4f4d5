"""`policy check`: mistakes and failing cases name their line, changes are told one by one."""

from datetime import date
from pathlib import Path

import pytest

from pipelines.cli import main
from serving.decision.revision import Change, changes, check
from serving.policy.policy_file import BadPolicy
from tests.serving.test_policy import POLICIES, TEXT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The shipped policy, and a later one with three differences."""
    (tmp_path / "2026-11.yaml").write_text(TEXT, encoding="utf-8")
    later = TEXT.replace("valid_from: 2026-11-01", "valid_from: 2026-12-01")
    later = later.replace("oldest_days: 75", "oldest_days: 74")
    later = later.replace('op: "<", value: 0.5}', 'op: "<", value: 0.4}', 1)
    (tmp_path / "2026-12.yaml").write_text(later, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_a_shipped_policy_passes(path: Path) -> None:
    checked = check(path)
    assert checked.cases >= 10
    assert checked.products >= 4


def test_changes_are_those_against_the_policy_in_force_before(folder: Path) -> None:
    checked = check(folder / "2026-12.yaml")
    assert checked.previous == "2026-11.yaml"
    assert checked.changes == (
        Change("valid_from", "2026-11-01", "2026-12-01"),
        Change("sources.linked_bills.oldest_days", "75", "74"),
        Change(
            "rules.sales_halved.when",
            "declared_sales_growth_12m < 0.5, is_assessed_levy == 0.0",
            "declared_sales_growth_12m < 0.4, is_assessed_levy == 0.0",
        ),
    )


def test_the_first_policy_has_none_before_it(folder: Path) -> None:
    checked = check(folder / "2026-11.yaml")
    assert (checked.previous, checked.changes) == (None, ())


def test_what_appears_and_what_goes_is_told_so() -> None:
    before = {"rules": [{"id": "a", "cap": 1}], "limit": {"step": 5}}
    after = {"rules": [{"id": "b", "cap": 1}], "limit": {"step": 5}}
    told = list(changes(before, after))
    assert Change("rules.b.cap", None, "1") in told
    assert Change("rules.a.cap", "1", None) in told
    assert not [change for change in told if change.what == "limit.step"]


def test_order_of_named_items_is_no_change() -> None:
    first = [{"from_on": date(2024, 1, 1), "bp": 1}, {"from_on": date(2025, 1, 1), "bp": 2}]
    assert list(changes({"rates": first}, {"rates": first[::-1]})) == []


def test_a_case_that_comes_out_otherwise_names_its_line_and_what_differs(folder: Path) -> None:
    path = folder / "2026-11.yaml"
    spoilt = TEXT.replace("limit: 300000, product", "limit: 290000, product", 1)
    path.write_text(spoilt, encoding="utf-8")
    line = next(n for n, text in enumerate(spoilt.splitlines(), 1) if "A sound retailer" in text)
    with pytest.raises(BadPolicy, match=f"line {line}: A sound retailer.*should be 290000, is 300"):
        check(path)


def test_the_command_exits_with_1_and_the_line_of_a_mistake(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "2026-12.yaml"
    path.write_text(TEXT.replace("oldest_days: 75", "oldest_day: 75"), encoding="utf-8")
    with pytest.raises(SystemExit) as stopped:
        main(["policy", "check", str(path)])
    assert stopped.value.code == 1
    assert "2026-12.yaml, line" in " ".join(capsys.readouterr().err.split())


def test_the_command_shows_changes_and_figures(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["policy", "check", str(folder / "2026-12.yaml"), "--json"])
    assert stopped.value.code == 0
    told = capsys.readouterr()
    assert "sources.linked_bills.oldest_days" in told.err
    assert '"previous": "2026-11.yaml"' in told.out
