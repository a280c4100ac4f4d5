"""Keys are shown once, kept as hashes, and die when they should."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from features.errors import UnknownName
from serving.web.keys import BadKeys, Keys, create_key, list_keys, revoke_key

NOW = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def test_a_key_proves_itself_and_tells_its_scopes(path: Path) -> None:
    key = create_key(path, "branch 1", ["officer"], now=NOW)
    found = Keys(path).authenticate(f"Bearer {key}", NOW)
    assert found is not None
    assert (found.name, found.scopes) == ("branch 1", ("officer",))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda key: key,
        lambda key: f"Basic {key}",
        lambda key: f"Bearer {key[:-1]}",
        lambda key: f"Bearer {key}x",
        lambda key: f"Bearer  {key}",
        lambda key: f"Bearer mlk_{'a' * 8}_{key.split('_', 2)[2]}",
        lambda key: "Bearer " + key[:13] + key[13:].swapcase(),
        lambda key: "Bearer",
        lambda key: "",
        lambda key: "Bearer " + "x" * 10_000,
    ],
)
def test_anything_but_the_key_is_refused(path: Path, spoil: object) -> None:
    key = create_key(path, "one", ["officer"], now=NOW)
    assert Keys(path).authenticate(spoil(key), NOW) is None  # type: ignore[operator]


def test_a_secret_is_not_in_the_file_and_the_file_is_private(path: Path) -> None:
    key = create_key(path, "one", ["officer"], now=NOW)
    assert key.split("_", 2)[2] not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600


def test_keys_rotate_without_a_restart(path: Path) -> None:
    old = create_key(path, "old", ["officer"], now=NOW)
    keys = Keys(path)
    new = create_key(path, "new", ["officer"], now=NOW)
    assert keys.authenticate(f"Bearer {old}", NOW)
    assert keys.authenticate(f"Bearer {new}", NOW)
    revoke_key(path, old.split("_")[1])
    assert keys.authenticate(f"Bearer {old}", NOW) is None
    assert [key.name for key in list_keys(path)] == ["new"]


def test_a_key_ends_at_its_moment(path: Path) -> None:
    key = create_key(path, "one", ["officer"], now=NOW, lifetime=timedelta(days=1))
    keys = Keys(path)
    assert keys.authenticate(f"Bearer {key}", NOW + timedelta(hours=23))
    assert keys.authenticate(f"Bearer {key}", NOW + timedelta(days=1)) is None


def test_no_key_outlives_a_year(path: Path) -> None:
    with pytest.raises(BadKeys, match="365 days at most"):
        create_key(path, "one", ["officer"], now=NOW, lifetime=timedelta(days=366))


def test_an_unknown_scope_or_key_is_named(path: Path) -> None:
    with pytest.raises(UnknownName, match="officer"):
        create_key(path, "one", ["oficer"], now=NOW)
    create_key(path, "one", ["officer"], now=NOW)
    with pytest.raises(UnknownName, match="no key 'x'"):
        revoke_key(path, "x")


def test_a_file_that_others_can_read_is_refused(path: Path) -> None:
    create_key(path, "one", ["officer"], now=NOW)
    path.chmod(0o644)
    with pytest.raises(BadKeys, match="chmod 600"):
        Keys(path)


def test_no_keys_is_a_clear_mistake(path: Path) -> None:
    with pytest.raises(BadKeys, match="microloan keys create"):
        Keys(path)


def test_one_holder_has_two_live_keys_at_most(path: Path) -> None:
    old = create_key(path, "one", ["officer"], now=NOW, lifetime=timedelta(days=30))
    create_key(path, "one", ["officer"], now=NOW)
    with pytest.raises(BadKeys, match=old.split("_")[1]):
        create_key(path, "one", ["officer"], now=NOW)
    create_key(path, "one", ["officer"], now=NOW, organisation="other bank")
    create_key(path, "one", ["officer"], now=NOW + timedelta(days=30))
