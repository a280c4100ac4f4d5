"""What the auditor's commands find: a journal that is whole, or the first entry that is not."""

import json
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from serving.bundles.release import champion as champion_of
from serving.web.keys import Keys
from tests.pipelines.test_cli import run
from tests.serving.conftest import (
    GATE_KEYS,
    Desk,
    bundles,
    champion,
    journal_at,
    open_desk,
    post,
    request_of,
    scorer,
    store,
)

__all__ = ["bundles", "champion", "journal_at", "open_desk", "scorer", "store"]  # fixtures
DECISIONS = 6


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def var(open_desk: Callable[..., Desk], bundles: Path, tmp_path: Path) -> Path:
    """The folder of an installation that decided six applications."""
    desk = open_desk()
    async with desk.client() as client:
        for number in range(DECISIONS):
            made = await post(client, request_of(number), key=f"key-{number:016d}")
            assert made.status_code == 201
    desk.service.close()
    (tmp_path / "journal").mkdir()
    for name in ("journal.db", "journal.db.key", "journal.db.checkpoint"):
        (tmp_path / name).rename(tmp_path / "journal" / name)
    (tmp_path / "bundles").symlink_to(bundles)
    (tmp_path / "gate.pub").write_text("\n".join(key.hex() for key in GATE_KEYS))
    return tmp_path


def figures(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, JSON and what people were told."""
    capsys.readouterr()
    code = run(*arguments, "--json")
    told = capsys.readouterr()
    return code, json.loads(told.out or "{}"), " ".join(told.err.split())


def tamper(var: Path, statement: str) -> None:
    stranger = sqlite3.connect(var / "journal" / "journal.db")
    stranger.executescript(f"DROP TRIGGER entries_never_change; {statement};")
    stranger.close()


@pytest.mark.anyio
async def test_a_whole_journal_is_verified_shown_and_recomputed(
    var: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = ("--var", str(var))
    code, told, _ = figures(capsys, "journal", "verify", *at)
    assert (code, told["entries"]) == (0, DECISIONS)
    code, told, _ = figures(capsys, "replay", "--all", *at)
    assert (code, told["decisions"], told["same"]) == (0, DECISIONS, DECISIONS)
    connection = sqlite3.connect(var / "journal" / "journal.db")
    ((decision,),) = connection.execute("SELECT decision_id FROM entry WHERE sequence = 4")
    connection.close()
    code, told, said = figures(capsys, "journal", "show", decision, *at)
    assert (code, told["sequence"]) == (0, 4)
    assert told["record"]["application"]["application_id"] == "A-000003"
    assert decision in said
    code, told, _ = figures(capsys, "replay", decision, *at)
    assert (code, told["decisions"], told["same"]) == (0, 1, 1)


@pytest.mark.anyio
async def test_the_first_entry_that_was_changed_is_named(
    var: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tamper(var, "UPDATE entry SET response = x'7b7d' WHERE sequence IN (3, 5)")
    code, told, said = figures(capsys, "journal", "verify", "--var", str(var))
    assert (code, told) == (1, {})
    assert "Entry 3 of the journal" in said


@pytest.mark.anyio
async def test_a_cut_tail_is_found_by_a_checkpoint_that_was_kept(
    var: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at, kept = ("--var", str(var)), str(var / "kept.checkpoint")
    code, told, _ = figures(capsys, "journal", "checkpoint", kept, *at)
    assert (code, told["entries"]) == (0, DECISIONS)
    key = ("--key", told["key"])
    assert figures(capsys, "journal", "verify", "--checkpoint", kept, *key, *at)[0] == 0
    (var / "journal" / "journal.db.checkpoint").unlink()
    tamper(
        var,
        "DROP TRIGGER entries_are_never_deleted; DELETE FROM entry WHERE sequence = 6;"
        "DELETE FROM subtree WHERE (level, number) IN ((0, 5), (1, 2))",
    )
    assert figures(capsys, "journal", "verify", *at)[0] == 0
    code, _, said = figures(capsys, "journal", "verify", "--checkpoint", kept, *key, *at)
    assert (code, "first entry that is missing is 6" in said) == (1, True)


@pytest.mark.anyio
async def test_a_bundle_that_is_gone_is_told_and_an_older_one_still_replays(
    var: Path, bundles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (var / "bundles").unlink()
    (var / "bundles" / "releases").mkdir(parents=True)
    code, told, said = figures(capsys, "replay", "--all", "--var", str(var))
    assert (code, told["same"]) == (1, 0)
    assert "cannot be read" in said
    release = champion_of(bundles)  # no link "champion" is needed, only the release itself
    (var / "bundles" / "releases" / release.name).symlink_to(release)
    assert figures(capsys, "replay", "--all", "--var", str(var))[0] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("journal", "verify"), "There is no journal"),
        (("journal", "show", "dec_1"), "There is no journal"),
        (("replay",), "say --all"),
        (("replay", "dec_1", "--all"), "say --all"),
        (("keys", "list"), "microloan keys create"),
        (("keys", "create", "li", "--scope", "oficer"), "did you mean one of officer"),
        (("keys", "create", "li", "--days", "400"), "365 days at most"),
    ],
)
def test_a_mistake_is_told_with_the_next_step(
    arguments: tuple[str, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, told, heard = figures(capsys, *arguments, "--var", str(tmp_path))
    assert (code, told) == (1, {})
    assert said in heard


def test_a_key_is_made_shown_once_listed_without_its_secret_and_revoked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = ("--var", str(tmp_path))
    _, made, _ = figures(capsys, "keys", "create", "wang", "--scope", "officer", "--scope",
                         "supervisor", "--branch", "huzhou", "--days", "30", *at)  # fmt: skip
    keys, now = Keys(tmp_path / "keys.json"), datetime.now(UTC)
    found = keys.authenticate(f"Bearer {made['key']}", now)
    assert found is not None
    assert (found.scopes, found.branch) == (("officer", "supervisor"), "huzhou")
    assert found.expires_at - now <= timedelta(days=30)
    _, listed, said = figures(capsys, "keys", "list", *at)
    assert [(row["name"], row["branch"]) for row in listed["keys"]] == [("wang", "huzhou")]
    assert made["key"].split("_", 2)[2] not in said + json.dumps(listed)
    assert figures(capsys, "keys", "revoke", found.id, *at)[0] == 0
    assert keys.authenticate(f"Bearer {made['key']}", now) is None
