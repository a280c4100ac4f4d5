"""What the service promises, it promises with a journal on a PostgreSQL server too."""

from pathlib import Path

import pytest

from serving.journal.database import At, Server, located
from tests.pipelines.test_cli_audit import figures
from tests.postgres import Cluster
from tests.serving import test_idempotency, test_overrides
from tests.serving.conftest import GATE_KEYS, Desk, post, request_of
from tests.serving.test_audit import (  # noqa: F401  # the fixture and the test run here again
    recorded,
    test_recorded_decisions_come_out_byte_for_byte,
)

pytestmark = pytest.mark.anyio

IN_FILES = "in_the_clear"  # rules about the bytes of files; the rule below is about rows
globals().update(
    {
        name: rule
        for module in (test_overrides, test_idempotency)
        for name, rule in vars(module).items()
        if name.startswith("test_") and IN_FILES not in name
    }
)


@pytest.fixture
def journal_at(cluster: Cluster, tmp_path: Path) -> At:
    """A new schema of the server."""
    server = cluster.server(tmp_path / "journal")
    return located(server.url, tmp_path / "journal")


async def test_no_business_and_no_key_stands_in_a_row_in_the_clear(desk: Desk) -> None:
    async with desk.client() as client:
        await post(client, request_of(0), key="a-very-secret-key-1")
    tables = ("journal", "entry", "subtree", "seal")
    rows = [row for table in tables for row in desk.service.journal.rows(f"SELECT * FROM {table}")]
    written = b"".join(
        value if isinstance(value, bytes) else str(value).encode() for row in rows for value in row
    )
    assert b"A-000000" in written
    assert b"a-very-secret-key-1" not in written
    assert str(request_of(0)["business_id"]).encode() not in written


async def test_the_auditors_commands_read_a_journal_on_a_server(
    desk: Desk, bundles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with desk.client() as client:
        made = (await post(client, request_of(0))).json()["decision_id"]
        await post(client, request_of(1), key="key-of-another-one")
    desk.service.close()
    assert isinstance(desk.journal_at, Server)
    (tmp_path / "bundles").symlink_to(bundles)
    (tmp_path / "gate.pub").write_text("\n".join(key.hex() for key in GATE_KEYS))
    at = ("--journal", desk.journal_at.url, "--var", str(tmp_path))
    kept = str(tmp_path / "kept.checkpoint")
    code, told, said = figures(capsys, "journal", "checkpoint", kept, *at)
    assert (code, told["entries"]) == (0, 2)
    assert "bank@" not in said
    checks = ("--checkpoint", kept, "--key", told["key"])
    assert figures(capsys, "journal", "verify", *checks, *at)[0] == 0
    assert figures(capsys, "replay", "--all", *at)[1]["same"] == 2
    assert figures(capsys, "journal", "show", made, *at)[1]["sequence"] == 1
    desk.journal_at.files.with_name("postgres.key").unlink()
    code, _, said = figures(capsys, "replay", "--all", *at)
    assert (code, "postgres.key is gone" in said) == (1, True)
