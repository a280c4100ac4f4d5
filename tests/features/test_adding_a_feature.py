"""`docs/adding-a-feature.md` works as it stands: its steps are done here, on a copy."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "adding-a-feature.md").read_text(encoding="utf-8")
NAME = "electricity_peak_share_12m"
PLAIN = (
    "tests/features/test_build.py::test_every_feature_of_unbroken_months_equals_the_plain_reckoning"
)
DRAWN = "tests/features/test_utility.py::test_the_highest_bill_is_held_against_the_year"
ASKED = f"tests/features/test_catalog.py::test_a_feature_is_specified_by_a_drawn_table[{NAME}]"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The features and their tests, to be changed at will."""
    for folder in ("features", "tests/features"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copy(ROOT / "tests" / "__init__.py", tmp_path / "tests")
    return tmp_path


def insert(file: Path, anchor: str, text: str) -> None:
    """Put ``text`` after the first line that contains ``anchor``."""
    lines = file.read_text(encoding="utf-8").splitlines()
    [at] = [i for i, line in enumerate(lines) if anchor in line][:1]
    file.write_text("\n".join([*lines[: at + 1], *text.splitlines(), *lines[at + 1 :], ""]))


def append(file: Path, block: str) -> None:
    file.write_text(file.read_text(encoding="utf-8") + "\n\n" + block, encoding="utf-8")


def pytest_on(copy: Path, *tests: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    return subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)


def test_the_steps_of_the_guide_add_a_feature(copy: Path) -> None:
    declared, drawn, reckoned = re.findall(r"```python\n(.*?)```", GUIDE, flags=re.DOTALL)
    append(copy / "features/utility.py", declared)
    append(copy / "tests/features/test_utility.py", drawn)
    insert(
        copy / "tests/features/test_utility.py", "from features.utility import (", f"    {NAME},"
    )
    insert(copy / "tests/features/oracle.py", '"electricity_monthly_12m": _mean(kwh)', reckoned)
    done = pytest_on(copy, ASKED, DRAWN, PLAIN)
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout
