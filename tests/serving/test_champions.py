"""Who was champion when, and the way back."""

from datetime import timedelta
from pathlib import Path

import pytest

from models import Scorer
from serving.bundles.champions import crown, predecessor, reigns
from serving.bundles.release import BadBundle, champion
from tests.serving.conftest import NOW, publish_in


@pytest.fixture
def two(scorer: Scorer, tmp_path: Path) -> tuple[Path, str, str]:
    """A folder where version 2 replaced version 1."""
    first = publish_in(tmp_path, scorer, version="1").name
    return tmp_path, first, publish_in(tmp_path, scorer, version="2").name


def test_every_champion_is_remembered_in_order(two: tuple[Path, str, str]) -> None:
    folder, first, second = two
    assert [reign.release for reign in reigns(folder)] == [first, second]


def test_the_predecessor_is_the_champion_before_this_one(two: tuple[Path, str, str]) -> None:
    folder, first, second = two
    assert predecessor(folder) == first
    crown(folder, first, NOW + timedelta(days=1))
    assert champion(folder).name == first
    assert predecessor(folder) == second


def test_promoting_the_champion_again_leaves_its_predecessor(two: tuple[Path, str, str]) -> None:
    folder, first, second = two
    crown(folder, second, NOW + timedelta(days=1))
    assert predecessor(folder) == first


def test_the_first_champion_has_no_predecessor(scorer: Scorer, tmp_path: Path) -> None:
    publish_in(tmp_path, scorer)
    with pytest.raises(BadBundle, match="Nothing was champion before"):
        predecessor(tmp_path)


def test_a_release_that_is_not_there_does_not_become_champion(two: tuple[Path, str, str]) -> None:
    folder, _, second = two
    with pytest.raises(BadBundle, match="no release"):
        crown(folder, "0" * 64, NOW)
    assert champion(folder).name == second
    assert len(reigns(folder)) == 2
