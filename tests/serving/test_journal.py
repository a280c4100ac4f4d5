"""The journal keeps what it said it wrote, says what it knows, and shows what was changed."""

from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from serving.journal.database import At, BadJournal
from serving.journal.entries import Entry, Stored, decision_id_of
from serving.journal.journal import Journal
from serving.journal.reading import entries, verify
from serving.journal.refusals import AlreadyDecided
from tests.postgres import Cluster


def entry(number: int, **changes: object) -> Entry:
    fields: dict[str, object] = {
        "kind": "decision",
        "application_id": f"A-{number}",
        "revision": 0,
        "organisation": "bank",
        "key_hash": f"key {number}".encode(),
        "fingerprint": b"fingerprint",
        "record": b'{"number": %d}' % number,
        "response": b'{"outcome": "refer"}',
    }
    fields |= changes
    named = decision_id_of("bank", str(fields["application_id"]), int(str(fields["revision"])))
    return Entry(entry_id=named, decision_id=named, **fields)  # type: ignore[arg-type]


@pytest.fixture(params=["sqlite", "postgresql"])
def at(request: pytest.FixtureRequest, tmp_path: Path) -> At:
    """Where a new journal can be: what holds for one database holds for the other."""
    if request.param == "sqlite":
        return tmp_path / "journal.db"
    cluster: Cluster = request.getfixturevalue("cluster")
    return cluster.server(tmp_path / "journal")


@pytest.fixture
def journal(at: At) -> Iterator[Journal]:
    opened = Journal(at)
    yield opened
    opened.close()


def wait(future: "Future[Stored]") -> Stored:
    return future.result(timeout=30)


def test_an_answered_entry_is_found_by_key_application_and_decision(journal: Journal) -> None:
    stored = wait(journal.append(entry(1)))
    assert journal.by_key(b"key 1") == stored
    assert journal.by_decision(decision_id_of("bank", "A-1", 0)) == stored
    assert journal.by_decision(stored.decision_id) == stored
    assert journal.by_decision("dec_2") is None


def test_entries_of_many_callers_form_one_tree_in_one_order(at: At) -> None:
    journal = Journal(at, waiting=1000)
    futures = [journal.append(entry(number)) for number in range(500)]
    assert [wait(future).sequence for future in futures] == list(range(1, 501))
    journal.close()
    assert verify(at)[0].size == 500
    assert [stored.record for stored in entries(at)] == [
        entry(number).record for number in range(500)
    ]


@pytest.mark.parametrize("same", ["key_hash", "application_id"])
def test_a_second_entry_for_a_key_or_an_application_is_refused_with_the_first(
    journal: Journal, same: str
) -> None:
    first = journal.append(entry(1))
    second = journal.append(entry(2, **{same: getattr(entry(1), same)}))
    with pytest.raises(AlreadyDecided) as refused:
        wait(second)
    assert refused.value.stored == wait(first)


def test_another_revision_of_an_application_is_another_entry(journal: Journal) -> None:
    wait(journal.append(entry(1)))
    assert wait(journal.append(entry(2, application_id="A-1", revision=1))).sequence == 2


def test_a_second_service_on_one_journal_is_refused(journal: Journal, at: At) -> None:
    with pytest.raises(BadJournal, match="in use by another service"):
        Journal(at)


def test_a_closed_journal_can_be_opened_again(at: At) -> None:
    Journal(at).close()
    Journal(at).close()
