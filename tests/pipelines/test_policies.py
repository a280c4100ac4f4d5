"""A policy decides from its day on, and not before."""

from datetime import date
from pathlib import Path

import pytest

from features.errors import MicroloanError
from pipelines.learning.policies import POLICIES, demand_in_force, newest_policy

SHIPPED = (POLICIES / "2026-11.yaml").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The shipped policy and two that differ from it in their first day; names tell nothing."""
    for name, day in (("b", "2026-11-01"), ("a", "2027-03-01"), ("c", "2026-12-24")):
        text = SHIPPED.replace("valid_from: 2026-11-01", f"valid_from: {day}")
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("on", "name"),
    [
        (date(2026, 11, 1), "b"),
        (date(2026, 12, 23), "b"),
        (date(2026, 12, 24), "c"),
        (date(2030, 1, 1), "a"),
    ],
)
def test_the_policy_of_the_day_is_taken(folder: Path, on: date, name: str) -> None:
    assert newest_policy(on, folder).stem == name


def test_before_the_first_policy_there_is_none(folder: Path) -> None:
    with pytest.raises(MicroloanError, match="2026-10-31"):
        newest_policy(date(2026, 10, 31), folder)


def test_a_policy_is_refused_before_its_day(folder: Path) -> None:
    with pytest.raises(MicroloanError, match="valid from 2027-03-01"):
        demand_in_force(folder / "a.yaml", date(2027, 2, 28))
    demand_in_force(folder / "a.yaml", date(2027, 3, 1))
