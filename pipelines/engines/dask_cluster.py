"""Buckets on a Dask cluster.

Plain tasks rather than Prefect's DaskTaskRunner: that makes a run of its own of every bucket, which
each worker reports to Prefect's server (figures in docs/log.md); this command needs no server.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from models.scoring.on_cluster import connect
from pipelines.engines import Engine, missing
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
        with scheduler(cluster, workers) as address, connect(address) as client:
            # impure: a part that was computed once may have been removed since
            parts = client.map(partial(build_part, work), buckets, pure=False)
            for part in distributed.as_completed(parts):
                yield part.result()

    return run


@contextmanager
def scheduler(cluster: str | None, workers: int) -> Iterator[str]:
    """The address given, or that of a cluster of this machine, which ends with the work.

    Raises:
        NoEngine: Dask is not installed.
    """
    if cluster is not None:
        yield cluster
        return
    try:
        from distributed import LocalCluster
    except ImportError:
        raise missing("dask") from None
    with LocalCluster(workers, threads_per_worker=1, dashboard_address=None) as started:
        yield str(started.scheduler_address)
