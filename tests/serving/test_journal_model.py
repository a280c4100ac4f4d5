"""In whatever order the journal is used, crashed, reopened and erased from, its promises hold."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from serving.journal.entries import Stored
from serving.journal.journal import Journal
from serving.journal.reading import entries, verify
from serving.journal.refusals import AlreadyDecided
from tests.serving.test_checkpoints import erasure
from tests.serving.test_journal import entry, wait

numbers = st.integers(0, 5)
FILES = ("journal.db", "journal.db-wal", "journal.db.key", "journal.db.checkpoint")


class JournalModel(RuleBasedStateMachine):
    """The journal beside a list of what it answered."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.crashes = 0
        self.answered: list[Stored] = []
        self.erased: set[str] = set()

    @initialize()
    def open(self) -> None:
        self.journal = Journal(self.at)

    @property
    def at(self) -> Path:
        return self.folder / str(self.crashes) / "journal.db"

    @rule(number=numbers, key=numbers, year=st.sampled_from(["1970", "2026", "9999"]))
    def decide(self, number: int, key: int, year: str) -> None:
        """Under any key, at any hour: the order is that of arrival."""
        asked = entry(number, key_hash=f"key {key}".encode(), at=f"{year}-01-01T00:00:00")
        same = [stored for stored in self.answered if stored.key_hash == asked.key_hash]
        same += [stored for stored in self.answered if stored.entry_id == asked.entry_id]
        future = self.journal.append(asked)
        if not same:
            self.answered.append(wait(future))
            return
        with pytest.raises(AlreadyDecided) as known:
            wait(future)
        assert known.value.stored.sequence == same[0].sequence

    @rule(number=numbers)
    def erase(self, number: int) -> None:
        about = entry(number)
        is_there = any(stored.entry_id == about.entry_id for stored in self.answered)
        if not is_there:
            return
        future = self.journal.append(erasure(about))
        if about.decision_id in self.erased:
            with pytest.raises(AlreadyDecided):
                wait(future)
        else:
            self.answered.append(wait(future))
            self.erased.add(about.decision_id)

    @rule()
    def restart(self) -> None:
        self.journal.close()
        self.journal = Journal(self.at)

    @rule()
    def crash(self) -> None:
        """What a killed process leaves behind: its files as they are at this moment."""
        before = self.at.parent
        self.crashes += 1
        self.at.parent.mkdir()
        for name in FILES:
            if (before / name).exists():
                shutil.copy2(before / name, self.at.parent / name)
        self.journal.close()
        self.journal = Journal(self.at)

    @invariant()
    def everything_answered_is_there_in_order(self) -> None:
        if not hasattr(self, "journal"):
            return
        held = list(entries(self.at))
        assert verify(self.at)[0].size == len(held) == len(self.answered)
        for stored, told in zip(held, self.answered, strict=True):
            is_gone = told.kind == "decision" and told.decision_id in self.erased
            assert (stored.sequence, stored.leaf) == (told.sequence, told.leaf)
            assert stored.is_erased == is_gone
            assert stored.response == (b"" if is_gone else told.response)

    def teardown(self) -> None:
        if hasattr(self, "journal"):
            self.journal.close()
        shutil.rmtree(self.folder)


JournalModel.TestCase.settings = settings(
    max_examples=15,
    stateful_step_count=20,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
TestJournalModel = JournalModel.TestCase


def test_hashes_of_two_purposes_do_not_join(tmp_path: Path) -> None:
    journal, other = Journal(tmp_path / "one.db"), Journal(tmp_path / "two.db")
    assert journal.hashed(b"key", b"x") == journal.hashed(b"key", b"x")
    assert journal.hashed(b"key", b"x") != journal.hashed(b"business", b"x")
    assert journal.hashed(b"key", b"x") != other.hashed(b"key", b"x")
    journal.close()
    other.close()
