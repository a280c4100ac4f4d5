"""Whatever is done to a journal behind the service is found, and the first broken entry named."""

import random
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest

from serving.journal import checkpoints
from serving.journal.checkpoints import BadCheckpoint, Key, verify_against
from serving.journal.database import At, BadJournal, Server
from serving.journal.entries import IN_ORDER, Entry, Stored, entry_of, identity_of, place
from serving.journal.journal import Journal
from serving.journal.merkle import (
    Subtree,
    consistency,
    grow,
    inclusion,
    is_consistent,
    is_included,
)
from serving.journal.reading import entries, reading, verify
from tests.postgres import Cluster
from tests.serving.test_journal import entry

SIZE, SIGNED = 60, 57
PLACES = tuple(range(1, 51))


class Kept(NamedTuple):
    """A journal of sixty entries, and the checkpoint an auditor took at fifty-seven."""

    at: At
    note: str
    key: Key


def keep(at: At) -> Kept:
    journal = Journal(at)
    for number in range(SIGNED):
        journal.append(entry(number)).result(timeout=30)
    note = journal.tree(lambda whole, _: journal.sign(whole))
    for number in range(SIGNED, SIZE):
        journal.append(entry(number)).result(timeout=30)
    key = journal.key
    journal.close()
    return Kept(at, note, key)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return keep(tmp_path_factory.mktemp("kept") / "journal.db")


@pytest.fixture(scope="module")
def kept_on_a_server(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Kept:
    found = keep(cluster.server(tmp_path_factory.mktemp("kept") / "journal"))
    with stranger_at(found.at) as run:
        run("CREATE TABLE kept_entry AS TABLE entry; CREATE TABLE kept_subtree AS TABLE subtree")
    return found


@pytest.fixture
def copy(kept: Kept, tmp_path: Path) -> Path:
    """A journal that a test may spoil."""
    for name in ("journal.db", "journal.db.key", "journal.db.checkpoint"):
        assert isinstance(kept.at, Path)
        shutil.copy2(kept.at.with_name(name), tmp_path / name)
    return tmp_path / "journal.db"


@contextmanager
def stranger_at(at: At) -> Iterator[Callable[[str], object]]:
    """Runs SQL on the journal as someone who owns the file, or the server, can."""
    if isinstance(at, Server):
        with psycopg.connect(at.url, autocommit=True) as server:
            server.execute("SET synchronous_commit = off")
            server.execute("DROP TRIGGER IF EXISTS entries_never_change ON entry")
            yield lambda script: server.execute(script.encode())
        return
    file = sqlite3.connect(at)
    file.executescript(
        "PRAGMA synchronous = 0; DROP TRIGGER IF EXISTS entries_never_change;"
        "DROP TRIGGER IF EXISTS entries_are_never_deleted;"
    )
    yield file.executescript
    file.close()


def spoil(at: At, script: str) -> None:
    """Run one script as a stranger."""
    with stranger_at(at) as run:
        run(script)


def rehash(at: At) -> None:
    """Compute the tree anew, as someone who knows this program can."""
    with reading(at) as reader:
        identity, rows = identity_of(reader), reader.rows(IN_ORDER)
    peaks: tuple[bytes, ...] = ()
    subtrees: list[Subtree] = []
    for size, (_, *fields) in enumerate(rows):
        peaks, made = grow(peaks, size, place(entry_of(fields), size + 1, identity).leaf)
        subtrees += made
    literal = "'\\x{}'" if isinstance(at, Server) else "x'{}'"
    values = ", ".join(
        f"({each.level}, {each.number}, {literal.format(each.hash.hex())})" for each in subtrees
    )
    insert = f"INSERT INTO subtree VALUES {values}" if values else ""
    spoil(at, f"DELETE FROM subtree; {insert}")
    verify(at)  # by itself the journal looks whole again


EDIT = "UPDATE entry SET {field} = {value} WHERE sequence = {k}"
RENUMBER = """UPDATE entry SET sequence = -sequence WHERE sequence > {k};
UPDATE entry SET sequence = -sequence - 1 WHERE sequence < 0"""
INSERTED = """UPDATE entry SET sequence = -sequence WHERE sequence >= {k};
UPDATE entry SET sequence = -sequence + 1 WHERE sequence < 0;
INSERT INTO entry SELECT {k}, kind, 'dec_x', 'dec_x', 'x', 0, organisation, branch, business, terms,
outcome, at, fingerprint, fingerprint, record, response FROM entry WHERE sequence = {k} + 1"""
SWAPPED = """UPDATE entry SET sequence = CASE sequence WHEN {k} THEN -{k} - 1 ELSE -{k} END
WHERE sequence IN ({k}, {k} + 1); UPDATE entry SET sequence = -sequence WHERE sequence < 0"""

ATTACKS = {
    "an answer is edited": EDIT.format(field="response", value="fingerprint", k="{k}"),
    "an outcome is edited": EDIT.format(field="outcome", value="'approve'", k="{k}"),
    "an entry is removed": "DELETE FROM entry WHERE sequence = {k}",
    "entries are exchanged": SWAPPED,
    "an entry is inserted": INSERTED,
}
REHASHED = {
    "the tail is cut": "DELETE FROM entry WHERE sequence >= {k}",
    "everything is hashed anew": "UPDATE entry SET outcome = 'approve' WHERE sequence = {k}",
    "an entry is removed and the rest moved up": "DELETE FROM entry WHERE sequence = {k};"
    + RENUMBER,
}
on_some_places = pytest.mark.parametrize(
    "places",
    [PLACES[::10], pytest.param(PLACES, marks=pytest.mark.slow)],
    ids=["some places", "all places"],
)
RESTORED = """DELETE FROM entry; INSERT INTO entry SELECT * FROM kept_entry;
DELETE FROM subtree; INSERT INTO subtree SELECT * FROM kept_subtree"""


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_change_at_any_place_is_found_and_the_place_is_named(copy: Path, attack: str) -> None:
    whole = copy.read_bytes()
    for at in PLACES:
        copy.write_bytes(whole)
        spoil(copy, ATTACKS[attack].format(k=at))
        with pytest.raises(BadJournal, match=rf"^Entry {at} of the journal is not what was"):
            verify(copy)


@pytest.mark.parametrize("attack", REHASHED)
def test_what_the_journal_alone_cannot_show_a_checkpoint_does(
    copy: Path, kept: Kept, attack: str
) -> None:
    whole = copy.read_bytes()
    for at in PLACES:
        copy.write_bytes(whole)
        spoil(copy, REHASHED[attack].format(k=at))
        rehash(copy)
        with pytest.raises(BadCheckpoint):
            verify_against(copy, [kept.note], kept.key)


@on_some_places
@pytest.mark.parametrize("attack", ATTACKS)
def test_a_change_on_a_server_is_found_and_the_place_is_named(
    kept_on_a_server: Kept, attack: str, places: tuple[int, ...]
) -> None:
    for at in places:
        spoil(kept_on_a_server.at, f"{RESTORED}; {ATTACKS[attack].format(k=at)}")
        with pytest.raises(BadJournal, match=rf"^Entry {at} of the journal is not what was"):
            verify(kept_on_a_server.at)


@on_some_places
@pytest.mark.parametrize("attack", REHASHED)
def test_what_a_server_alone_cannot_show_a_checkpoint_does(
    kept_on_a_server: Kept, attack: str, places: tuple[int, ...]
) -> None:
    for at in places:
        spoil(kept_on_a_server.at, f"{RESTORED}; {REHASHED[attack].format(k=at)}")
        rehash(kept_on_a_server.at)
        with pytest.raises(BadCheckpoint):
            verify_against(kept_on_a_server.at, [kept_on_a_server.note], kept_on_a_server.key)


def test_a_cut_tail_is_named_and_a_change_is_bracketed_by_checkpoints(
    kept: Kept, copy: Path
) -> None:
    _, note, key = kept
    journal_note = copy.with_name("journal.db.checkpoint").read_text()
    assert verify_against(copy, [journal_note, note], key).size == SIZE
    spoil(copy, f"UPDATE entry SET outcome = 'approve' WHERE sequence = {SIZE - 1}")
    rehash(copy)
    with pytest.raises(BadCheckpoint, match=f"from {SIGNED + 1} to {SIZE} was changed"):
        verify_against(copy, [journal_note, note], key)
    spoil_tail = f"DELETE FROM entry WHERE sequence > {SIGNED - 1}"
    stranger = sqlite3.connect(copy)
    stranger.execute(spoil_tail)
    stranger.commit()
    stranger.close()
    rehash(copy)
    with pytest.raises(BadCheckpoint, match=f"missing is {SIGNED}"):
        verify_against(copy, [note], key)


def test_a_service_does_not_start_on_a_journal_that_does_not_continue_its_checkpoint(
    copy: Path,
) -> None:
    spoil(copy, f"DELETE FROM entry WHERE sequence = {SIZE}")
    rehash(copy)
    with pytest.raises(BadJournal, match="does not continue its checkpoint of 60"):
        Journal(copy)


def test_what_was_changed_after_the_last_checkpoint_is_found_at_the_start(
    copy: Path, kept: Kept
) -> None:
    copy.with_name("journal.db.checkpoint").write_text(kept[1])
    spoil(copy, f"UPDATE entry SET outcome = 'approve' WHERE sequence = {SIGNED + 1}")
    with pytest.raises(BadJournal, match=f"Entry {SIGNED + 1} of the journal"):
        Journal(copy)


def _change_size(note: str) -> str:
    return note.replace(f"\n{SIGNED}\n", f"\n{SIGNED - 1}\n")


FORGERIES: dict[str, Callable[[str], str]] = {
    "another size": _change_size,
    "another name": lambda note: re.sub("microloan/.", "microloan/g", note),
    "another root": lambda note: note.replace(note.split("\n")[2], "A" * 43 + "="),
    "no signature": lambda note: note.split("\n\n")[0] + "\n",
    "a cut signature": lambda note: note[:-6] + "\n",
    "two notes": lambda note: note + note,
    "a line more": lambda note: note.replace("\n\n", "\nmore\n\n"),
    "other line ends": lambda note: note.replace("\n", "\r\n"),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_checkpoint_is_refused(kept: Kept, forgery: str) -> None:
    _, note, key = kept
    assert checkpoints.read(note, key).size == SIGNED
    with pytest.raises(BadCheckpoint):
        checkpoints.read(FORGERIES[forgery](note), key)


def test_the_checkpoint_of_another_journal_is_refused(kept: Kept, tmp_path: Path) -> None:
    other = Journal(tmp_path / "other.db")
    other.append(entry(1)).result(timeout=30)
    note, key = other.tree(lambda whole, _: other.sign(whole)), other.key
    other.close()
    with pytest.raises(BadCheckpoint):
        checkpoints.read(note, kept[2])
    with pytest.raises(BadCheckpoint, match="another journal"):
        verify_against(kept.at, [note], key)


def test_a_key_is_written_and_read_as_it_is(kept: Kept) -> None:
    key = kept[2]
    assert Key.parse(str(key)) == key
    for spoilt in ("", str(key)[:-2], str(key).replace("+", "-"), "name+00000000+AQ=="):
        with pytest.raises(BadCheckpoint, match="no key"):
            Key.parse(spoilt)


def test_a_journal_proves_its_entries_and_that_it_continues(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db")
    stored = [journal.append(entry(number)).result(timeout=30) for number in range(20)]
    earlier = journal.tree(lambda whole, _: whole)
    stored += [journal.append(entry(number)).result(timeout=30) for number in range(20, 33)]

    def proofs(whole: object, subtrees: object) -> None:
        for each in stored:
            index = each.sequence - 1
            path = inclusion(index, whole.size, subtrees)  # type: ignore[attr-defined,arg-type]
            assert is_included(each.leaf, index, whole.size, path, whole.root)  # type: ignore[attr-defined]
        proof = consistency(earlier.size, whole.size, subtrees)  # type: ignore[attr-defined,arg-type]
        assert is_consistent(earlier.size, whole.size, proof, earlier.root, whole.root)  # type: ignore[attr-defined]

    journal.tree(proofs)
    journal.close()


PERSONAL = b"zzz-a-name-in-the-record-zzz"


def erasure(of: Entry) -> Entry:
    return Entry(
        kind="erasure",
        entry_id=f"era_{of.decision_id}",
        decision_id=of.decision_id,
        application_id=of.application_id,
        revision=1,
        organisation=of.organisation,
        key_hash=b"erasure " + of.key_hash,
        fingerprint=b"",
        record=b"by whom",
        response=b"{}",
    )


def test_an_erased_decision_is_gone_from_every_file_and_the_journal_is_whole(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.db"
    journal = Journal(path)
    made = [
        journal.append(entry(number, record=PERSONAL)).result(timeout=30) for number in range(3)
    ]
    ((wrapped,),) = journal.rows("SELECT wrapped FROM seal WHERE owner = 2")
    journal.append(erasure(made[1])).result(timeout=30)
    erased, other = (
        journal.by_decision(made[1].decision_id),
        journal.by_decision(made[2].decision_id),
    )
    assert erased is not None
    assert other is not None
    assert (erased.is_erased, erased.record, erased.response) == (True, b"", b"")
    assert (erased.leaf, other.record) == (made[1].leaf, PERSONAL)
    told = journal.follow_up(f"era_{made[1].decision_id}")
    assert told is not None
    assert told.record == b"by whom"
    written = [each.read_bytes() for each in tmp_path.iterdir()]
    assert not any(wrapped in content or PERSONAL in content for content in written)
    journal.close()
    assert verify(path)[0].size == 4
    assert [each.is_erased for each in entries(path)] == [False, True, False, False]


def test_without_its_key_a_journal_verifies_but_cannot_be_read(copy: Path) -> None:
    copy.with_name("journal.db.key").unlink()
    assert verify(copy)[0].size == SIZE
    with pytest.raises(BadJournal, match=r"journal\.db\.key is gone"):
        list(entries(copy))
    with pytest.raises(BadJournal, match=r"journal\.db\.key is gone"):
        Journal(copy)


def test_a_key_that_others_can_read_or_that_is_of_another_journal_is_refused(copy: Path) -> None:
    secret = copy.with_name("journal.db.key")
    secret.chmod(0o640)
    with pytest.raises(BadJournal, match="chmod 600"):
        Journal(copy)
    secret.chmod(0o600)
    secret.write_bytes(bytes(32))
    with pytest.raises(BadJournal, match="is not of this journal"):
        list(entries(copy))


def test_the_same_randomness_writes_the_same_tree(tmp_path: Path) -> None:
    def root(name: str) -> tuple[bytes, list[Stored]]:
        chosen = random.Random(7)
        journal = Journal(tmp_path / name, random=chosen.randbytes, identity=lambda: "ab", batch=1)
        for number in range(5):
            journal.append(entry(number)).result(timeout=30)
        journal.close()
        return verify(tmp_path / name)[0].root, list(entries(tmp_path / name))

    assert root("one.db") == root("two.db")
