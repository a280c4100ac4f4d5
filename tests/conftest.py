"""What tests of several rooms share."""

from collections.abc import Iterator

import pytest

from tests.postgres import Cluster, running


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL server; tests take a schema each."""
    with running() as started:
        yield started
