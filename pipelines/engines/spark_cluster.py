"""Buckets in Spark, each a partition of one row that `mapInArrow` turns into a part."""

import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

from features.errors import MicroloanError
from pipelines.engines import Engine, NoEngine, missing
from pipelines.engines.work import OtherInputs, Work, build_part

LOOK_EVERY_SECONDS = 0.5


def on_spark(cluster: str | None, workers: int) -> Engine:
    """The cluster of a master such as spark://host:7077 or yarn, or so many threads of this one.

    Raises:
        NoEngine: PySpark is not installed.
    """
    try:
        import pyspark.sql  # noqa: F401
    except ImportError:
        raise missing("spark") from None

    def run(work: Work, buckets: Sequence[int]) -> Iterator[object]:
        with session(cluster or f"local[{workers}]") as spark, ThreadPoolExecutor(1) as aside:
            rows = spark.sparkContext.parallelize([(one,) for one in buckets], len(buckets))
            frame = spark.createDataFrame(rows, "bucket int").mapInArrow(
                _builder(work), "bucket int, mistake string"
            )
            finished = aside.submit(frame.collect)
            while not finished.done():
                _wait(finished)
                yield None
            for row in finished.result():
                if row.mistake:
                    raise OtherInputs(row.mistake)

    return run


def _builder(work: Work) -> Any:
    def build_parts(batches: Iterator[Any]) -> Iterator[Any]:
        import pyarrow as pa

        told = pa.schema([("bucket", pa.int32()), ("mistake", pa.string())])
        for batch in batches:
            buckets = batch.column(0).to_pylist()
            rows = [{"bucket": one, "mistake": _mistake(work, one)} for one in buckets]
            yield pa.RecordBatch.from_pylist(rows, schema=told)

    return build_parts


def _mistake(work: Work, bucket: int) -> str | None:
    """A user's mistake comes back as a sentence: Spark would bury it in a Java traceback."""
    try:
        build_part(work, bucket)
    except MicroloanError as mistake:
        return str(mistake)
    return None


def _wait(finished: Any) -> None:
    """For a while: Spark tells of parts when all are finished; who asks sees them in the folder."""
    with suppress(TimeoutError):
        finished.exception(timeout=LOOK_EVERY_SECONDS)


@contextmanager
def session(master: str) -> Iterator[Any]:
    """The session that is there, or one that ends with the work.

    Raises:
        NoEngine: Spark does not start.
    """
    from pyspark.errors import PySparkRuntimeError
    from pyspark.sql import SparkSession

    active = SparkSession.getActiveSession()
    if active is not None:
        yield active
        return
    builder = SparkSession.builder.master(master).appName("microloan features")
    builder = builder.config("spark.ui.enabled", "false").config("spark.log.level", "ERROR")
    builder = builder.config("spark.ui.showConsoleProgress", "false")
    if master.startswith("local"):  # elsewhere the cluster names its Python
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    try:
        spark = builder.getOrCreate()
    except PySparkRuntimeError as error:
        raise NoEngine(f"Spark does not start: {error} Hint: it needs Java 17.") from None
    try:
        yield spark
    finally:
        spark.stop()
