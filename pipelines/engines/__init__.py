"""Who computes the buckets: processes of this machine, a Dask cluster, or Spark.

An engine only deals out buckets; what a bucket becomes is `pipelines.engines.work` for all of them,
so they agree to the last bit. Store and parts lie in folders that every worker sees.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from features.errors import MicroloanError

if TYPE_CHECKING:  # a process that was started to compute sets its threads before Polars loads
    from pipelines.engines.work import Work

Engine = Callable[["Work", Sequence[int]], Iterator[object]]
"""Computes the buckets, and yields now and then, as when one of them is finished."""

Kind = Literal["local", "dask", "spark"]


class NoEngine(MicroloanError):
    """An engine that is not installed, or cannot be had as asked."""


def engine(kind: Kind, cluster: str | None = None, workers: int = 1) -> Engine:
    """The engine of a kind, at the address ``cluster`` or with ``workers`` of this machine.

    Raises:
        NoEngine: it is not installed, or a local one was asked for elsewhere.
    """
    if workers < 1:
        raise NoEngine(f"--workers is {workers}; it must be at least 1.")
    if kind == "dask":
        from pipelines.engines.dask_cluster import on_dask

        return on_dask(cluster, workers)
    if kind == "spark":
        from pipelines.engines.spark_cluster import on_spark

        return on_spark(cluster, workers)
    if cluster is not None:
        raise NoEngine(f"--cluster {cluster} needs --engine dask or --engine spark.")
    from pipelines.engines.local import here, in_processes

    return here if workers == 1 else in_processes(workers)


def missing(extra: str) -> NoEngine:
    """What to say where the packages of an extra are not installed."""
    return NoEngine(
        f"--engine {extra} needs packages that are not installed. Hint: `make cluster` installs "
        f"them in this checkout, `pip install 'microloan[{extra}]'` elsewhere."
    )
