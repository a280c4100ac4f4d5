"""A delivery is taken once, when it is whole."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from features.errors import MicroloanError
from pipelines.intake.inbox import WHOLE, Inbox

NOW = datetime(2026, 11, 2, 5, 30, tzinfo=UTC)


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    """An inbox with three deliveries, of which the second is still being written."""
    for name in ("2026-03", "2026-02", "2026-01"):
        (tmp_path / "inbox" / name).mkdir(parents=True)
    for name in ("2026-03", "2026-01"):
        (tmp_path / "inbox" / name / WHOLE).touch()
    return Inbox(tmp_path / "inbox", tmp_path / "deliveries.jsonl")


def names(folders: list[Path]) -> list[str]:
    """Names of folders, in their order."""
    return [folder.name for folder in folders]


def test_whole_deliveries_come_by_name_and_others_wait(inbox: Inbox) -> None:
    assert names(inbox.whole()) == ["2026-01", "2026-03"]
    assert names(inbox.incomplete()) == ["2026-02"]


def test_what_was_noted_is_never_taken_again_and_the_rest_is(inbox: Inbox) -> None:
    inbox.note(inbox.folder / "2026-01", "abc", NOW)
    assert names(inbox.whole()) == ["2026-03"]
    inbox.note(inbox.folder / "2026-03", "def", NOW)
    (inbox.folder / "2026-02" / WHOLE).touch()

    again = Inbox(inbox.folder, inbox.notes)
    assert names(again.whole()) == ["2026-02"]
    assert [(one.delivery, one.snapshot) for one in again.taken()] == [
        ("2026-01", "abc"),
        ("2026-03", "def"),
    ]


def test_files_and_hidden_folders_are_no_deliveries(inbox: Inbox) -> None:
    (inbox.folder / "readme.txt").touch()
    (inbox.folder / ".upload").mkdir()
    (inbox.folder / ".upload" / WHOLE).touch()
    assert names(inbox.whole()) == ["2026-01", "2026-03"]


def test_a_missing_inbox_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(MicroloanError, match=r"no inbox .* make the folder"):
        Inbox(tmp_path / "nowhere", tmp_path / "deliveries.jsonl").whole()
