"""Whatever schemathesis makes of the description, the service answers as it is described.

That what the schema allows is also accepted is left out: no schema can tell a check digit, and to
JSON Schema 1.0 is an integer, which the service refuses.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from serving.desk.recorder import Limits
from serving.desk.service import DecisionService
from serving.journal.journal import Journal
from serving.records import Records
from serving.web.keys import SCOPES, create_key
from serving.web.openapi import openapi
from tests.serving.conftest import NOW, Desk


@pytest.fixture(scope="module")
def described(
    store: Path, champion: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """The service's own description, loaded from the service."""
    folder = tmp_path_factory.mktemp("contract")
    keys = folder / "keys.json"
    create_key(keys, "first", ["auditor"], now=NOW)
    limits = Limits(deadline_s=60.0, patience_s=30.0)
    service = DecisionService(champion, Records.open(store), Journal(folder / "journal.db"), limits)
    desk = Desk(service, keys, folder / "journal.db")
    loaded = schemathesis.openapi.from_asgi("/openapi.json", desk.app)
    loaded.key = create_key(keys, "all", SCOPES, now=NOW)
    yield loaded
    service.close()


OPERATIONS = [(path, method) for path, item in openapi()["paths"].items() for method in item]


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_every_answer_is_one_that_is_described(described: Any, path: str, method: str) -> None:
    operation = described[path][method]

    @settings(
        max_examples=12,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def ask(case: Any) -> None:
        headers = {"Authorization": f"Bearer {described.key}"}
        case.call_and_validate(headers=headers, excluded_checks=[positive_data_acceptance])

    ask()
