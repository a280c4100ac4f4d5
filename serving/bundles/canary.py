"""Load a model in a child process first: bytes that kill or hang their reader cost only the child.

A half-written or hostile LightGBM text aborts the process that parses it, with no exception to
catch. The child has limits on memory, processor time and wall time, and says only whether it got
through. It is forked from a clean helper process (``forkserver``), which starts at the first use.
"""

import multiprocessing
import resource
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Literal

Start = Literal["fork", "forkserver"]
STARTED = b"started"
PASSED = b"passed"


class Limits:
    """What a child may use: bytes beyond its start, and seconds."""

    memory = 1 << 30
    seconds = 5
    start = 60  # seconds for the helper to import what the check needs, once


def survives(check: Callable[..., object], *arguments: Any, start: Start = "forkserver") -> str:
    """Run ``check`` in a child; "" if it returned, else what went wrong, in a few words.

    ``start="fork"`` is quick, and safe before this process serves, for a check that does not use
    Polars (whose threads do not survive a fork).
    """
    context: Any = multiprocessing.get_context(start)
    if start == "forkserver":
        context.set_forkserver_preload(["__main__", check.__module__])
    ours, theirs = context.Pipe()
    child = context.Process(target=_run, args=(theirs, check, arguments), daemon=True)
    child.start()
    theirs.close()
    try:
        return _hear(ours)
    finally:
        child.kill()
        child.join()
        ours.close()


def _hear(ours: "Connection[bytes, bytes]") -> str:
    try:
        if not ours.poll(Limits.start):
            return "the check did not start"
        ours.recv_bytes()
        if not ours.poll(Limits.seconds):
            return f"loading took more than {Limits.seconds} seconds"
        said = ours.recv_bytes()
    except EOFError:
        return "loading killed the process"
    return "" if said == PASSED else said.decode()


def _run(theirs: "Connection[bytes, bytes]", check: Callable[..., object], arguments: Any) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (Limits.seconds, Limits.seconds + 1))
    in_use = _address_space()
    resource.setrlimit(resource.RLIMIT_AS, (in_use + Limits.memory, in_use + Limits.memory))
    theirs.send_bytes(STARTED)
    try:
        check(*arguments)
    except Exception as error:
        theirs.send_bytes(f"{type(error).__name__}: {error}".encode())
    else:
        theirs.send_bytes(PASSED)


def _address_space() -> int:
    with open("/proc/self/statm", "rb") as statm:  # noqa: PTH123 - the kernel's own file
        return int(statm.read().split()[0]) * resource.getpagesize()
