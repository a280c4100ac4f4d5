"""Buckets on a Dask cluster.

Plain tasks rather than Prefect's DaskTaskRunner: that makes a run of its own of every bucket, which
each worker reports to Prefect's server (figures in docs/log.md); this command needs no server.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from pipelines.engines import Engine, NoEngine, missing
from pipelines.engines.work import Work, build_part


def on_dask(cluster: str | None, workers: int) -> Engine:
    """The workers of the scheduler at ``cluster``, or so many of a cluster started here.

    Raises:
        NoEngine: Dask is not installed.
    """
    try:
        import distributed
    except ImportError:
        raise missing("dask") from None

    def run(work: Work, buckets: Sequence[int]) -> Iterator[object]:
        with connected(cluster, workers) as client:
            # impure: a part that was computed once may have been removed since
            parts = client.map(partial(build_part, work), buckets, pure=False)
            for part in distributed.as_completed(parts):
                yield part.result()

    return run


@contextmanager
def connected(cluster: str | None, workers: int = 1) -> Iterator[Any]:
    """A client of the scheduler at ``cluster``, or of a cluster of this machine that ends with it.

    Raises:
        NoEngine: there is no scheduler at the address.
    """
    from distributed import Client, LocalCluster

    if cluster is None:
        with (
            LocalCluster(workers, threads_per_worker=1, dashboard_address=None) as started,
            Client(started) as client,
        ):
            yield client
        return
    try:
        client = Client(cluster)
    except (OSError, ValueError) as error:
        raise NoEngine(
            f"No Dask scheduler answers at {cluster} ({error}). Hint: an address looks like "
            "tcp://scheduler:8786."
        ) from None
    with client:
        yield client
