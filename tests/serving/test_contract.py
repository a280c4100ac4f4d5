"""Whatever schemathesis makes of the description, the service answers as it is described."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis import Phase as Stage

from serving.keys import SCOPES, create_key
from serving.recorder import Limits
from tests.serving.conftest import NOW, Desk


@pytest.fixture(scope="module")
def described(
    store: Path, champion: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """The service's own description, loaded from the service."""
    from serving.journal import Journal
    from serving.records import Records
    from serving.service import DecisionService

    folder = tmp_path_factory.mktemp("contract")
    keys = folder / "keys.json"
    create_key(keys, "first", ["auditor"], now=NOW)
    limits = Limits(deadline_s=60.0, patience_s=30.0)
    service = DecisionService(
        champion, Records.open(store), Journal(folder / "journal.db"), limits
    )
    desk = Desk(service, keys)
    loaded = schemathesis.openapi.from_asgi("/openapi.json", desk.app)
    loaded.key = create_key(keys, "all", SCOPES, now=NOW)
    yield loaded
    service.close()


schema = schemathesis.pytest.from_fixture("described")


@schema.parametrize()
@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    phases=(Stage.explicit, Stage.generate),
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_one_that_is_described(case: schemathesis.Case, described: Any) -> None:
    case.call_and_validate(headers={"authorization": f"Bearer {described.key}"})
