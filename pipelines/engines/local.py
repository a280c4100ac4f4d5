"""Buckets on this machine: one after another, or in parallel processes.

Polars fixes its threads when it is loaded, so nothing here may load it before a process has set
them.
"""

import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context, parent_process
from typing import TYPE_CHECKING

from pipelines.engines import Engine

if TYPE_CHECKING:
    from pipelines.engines.work import Work


def here(work: "Work", buckets: Sequence[int]) -> Iterator[object]:
    """One bucket after another in this process."""
    from pipelines.engines.work import build_part

    for bucket in buckets:
        yield build_part(work, bucket)


def in_processes(workers: int) -> Engine:
    """So many processes, each with its share of the machine's threads and a bucket in memory."""

    def run(work: "Work", buckets: Sequence[int]) -> Iterator[object]:
        threads = max(1, len(os.sched_getaffinity(0)) // workers)
        with ProcessPoolExecutor(
            workers, get_context("spawn"), initializer=_begin, initargs=(threads,)
        ) as pool:
            from pipelines.engines.work import build_part

            try:
                for part in as_completed([pool.submit(build_part, work, one) for one in buckets]):
                    yield part.result()
            finally:  # who is stopped does not wait for the buckets that have not begun
                pool.shutdown(cancel_futures=True)

    return run


def _begin(threads: int) -> None:
    os.environ["POLARS_MAX_THREADS"] = str(threads)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A parent that is killed cannot stop its children, who would wait for work for ever."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
