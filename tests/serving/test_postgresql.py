"""A journal on a PostgreSQL server: what it demands of it, and what is known when it is gone."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from serving.journal.database import BadJournal, Server, located
from serving.journal.journal import Journal
from serving.journal.postgresql import PostgreSQLWriter
from serving.journal.reading import entries
from serving.journal.refusals import JournalUnavailable, OutcomeUnknown
from tests.postgres import Cluster
from tests.serving.test_journal import entry, wait

SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"


@pytest.fixture
def at(cluster: Cluster, tmp_path: Path) -> Server:
    return cluster.server(tmp_path / "journal")


@pytest.fixture
def failures() -> list[str]:
    return []


@pytest.fixture
def journal(at: Server, failures: list[str]) -> Iterator[Journal]:
    opened = Journal(at, on_failure=failures.append)
    yield opened
    opened.close()


def writer_of(journal: Journal) -> PostgreSQLWriter:
    writer = journal._written.writer
    assert isinstance(writer, PostgreSQLWriter)
    return writer


def test_a_url_names_a_server_and_anything_else_a_file(tmp_path: Path) -> None:
    found = located("postgresql://bank@db/journal?sslmode=require", tmp_path)
    assert found == Server("postgresql://bank@db/journal?sslmode=require", tmp_path / "journal")
    unnamed = "postgresql://bank:secret@db"
    assert located(unnamed, tmp_path) == Server(unnamed, tmp_path / "postgresql")
    assert located("var/journal.db", tmp_path) == Path("var/journal.db")


@pytest.mark.parametrize("setting", ["synchronous_commit=off", "synchronous_commit=local"])
def test_a_session_that_can_lose_decisions_is_refused(at: Server, setting: str) -> None:
    lossy = at.url.replace("synchronous_commit%3Don", setting.replace("=", "%3D"))
    with pytest.raises(BadJournal, match=setting.replace("=", " = ")):
        Journal(at._replace(url=lossy))


@pytest.fixture(params=["fsync", "full_page_writes"])
def switched_off(request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[str]:
    """A setting of the server that its administrator switched off."""
    cluster.configure(f"ALTER SYSTEM SET {request.param} = off", request.param, "off")
    yield request.param
    cluster.configure(f"ALTER SYSTEM RESET {request.param}", request.param, "on")


def test_a_server_that_can_lose_decisions_is_refused(at: Server, switched_off: str) -> None:
    with pytest.raises(BadJournal, match=f"{switched_off} = off"):
        Journal(at)


def test_a_server_that_is_not_there_is_named_without_its_password(tmp_path: Path) -> None:
    url = f"postgresql://bank:secret@/journal?host={tmp_path}"
    with pytest.raises(BadJournal, match="cannot be opened") as refused:
        Journal(Server(url, tmp_path / "journal"))
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "change", ["UPDATE entry SET revision = 9", "DELETE FROM entry", "TRUNCATE entry"]
)
def test_the_server_itself_refuses_changes(journal: Journal, change: str) -> None:
    wait(journal.append(entry(1)))
    with pytest.raises(psycopg.errors.RaiseException, match="never changed"):
        writer_of(journal).connection.execute(change.encode())


def test_a_locked_table_refuses_within_its_patience_and_recovers(
    journal: Journal, at: Server
) -> None:
    with psycopg.connect(at.url) as stranger:
        stranger.execute("LOCK TABLE entry IN SHARE MODE")
        with pytest.raises(JournalUnavailable, match="lock"):
            wait(journal.append(entry(1)))
    assert wait(journal.append(entry(1))).sequence == 1
    assert not journal.failed


def test_a_read_only_server_refuses_and_recovers(journal: Journal) -> None:
    session = writer_of(journal).connection
    session.execute("SET default_transaction_read_only = on")
    with pytest.raises(JournalUnavailable, match="read-only"):
        wait(journal.append(entry(1)))
    session.execute("SET default_transaction_read_only = off")
    assert wait(journal.append(entry(1))).sequence == 1


def test_a_lost_session_records_nothing_and_stops_the_journal(
    cluster: Cluster, journal: Journal, at: Server, failures: list[str]
) -> None:
    first = wait(journal.append(entry(1)))
    cluster.execute(SESSIONS)
    with pytest.raises(JournalUnavailable):
        wait(journal.append(entry(2)))
    assert len(failures) == 1
    with pytest.raises(JournalUnavailable):
        journal.by_key(b"key 1")
    journal.close()
    reopened = Journal(at)
    assert reopened.by_key(b"key 1") == first
    assert reopened.by_key(b"key 2") is None
    reopened.close()


def test_a_session_lost_at_the_commit_is_unknown_and_never_lost(
    cluster: Cluster, journal: Journal, at: Server, failures: list[str]
) -> None:
    """A deferred trigger runs inside COMMIT, where the session ends itself."""
    first = wait(journal.append(entry(1)))
    cluster.execute(
        """CREATE FUNCTION vanish() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER vanish AFTER INSERT ON seal DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION vanish();""",
        at.url.partition("search_path%3D")[2].partition("%20")[0],
    )
    with pytest.raises(OutcomeUnknown):
        wait(journal.append(entry(2)))
    with pytest.raises(JournalUnavailable):
        wait(journal.append(entry(3)))
    assert len(failures) == 1
    journal.close()
    assert list(entries(at)) == [first]


def test_two_journals_live_in_two_schemas_of_one_database(
    cluster: Cluster, journal: Journal, tmp_path: Path
) -> None:
    other = Journal(cluster.server(tmp_path / "other"))
    assert wait(other.append(entry(1))).sequence == wait(journal.append(entry(1))).sequence == 1
    assert other.key != journal.key
    other.close()
