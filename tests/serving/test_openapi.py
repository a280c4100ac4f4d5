"""The description of the service agrees with the service."""

from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from starlette.routing import Route

from serving.web.docs_page import docs_page
from serving.web.openapi import EXAMPLE, openapi
from serving.wire.problems import KINDS, Problem
from serving.wire.schemas import DecisionResponse
from tests.serving.conftest import Desk, post, request_of

pytestmark = pytest.mark.anyio


async def test_every_route_is_described_and_every_description_is_a_route(desk: Desk) -> None:
    routes = {
        (route.path, method.lower())
        for route in desk.app._app.routes  # type: ignore[attr-defined]
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    described = {(path, method) for path, item in openapi()["paths"].items() for method in item}
    pages = {"/", "/console/", "/console/{name}", "/docs", "/openapi.json", "/problems/{code}"}
    assert routes - described == {(page, "get") for page in pages}
    assert described <= routes


async def test_every_kind_of_problem_is_declared_somewhere() -> None:
    declared = {
        int(status)
        for item in openapi()["paths"].values()
        for operation in item.values()
        for status in operation["responses"]
    }
    assert {kind.status for kind in KINDS.values()} - declared == {405}


async def test_an_answer_is_what_the_schema_says(desk: Desk) -> None:
    async with desk.client() as client:
        answer = await post(client, request_of(0))
    msgspec.json.decode(answer.content, type=DecisionResponse)
    schema = openapi()["components"]["schemas"]["DecisionResponse"]
    assert set(answer.json()) == set(schema["properties"])


async def test_the_example_is_a_valid_request(desk: Desk) -> None:
    async with desk.client() as client:
        answer = await post(client, EXAMPLE)
    assert answer.status_code == 201


async def test_every_problem_is_explained_in_the_docs() -> None:
    explained = (Path(__file__).parents[2] / "docs" / "errors.md").read_text()
    for code, kind in KINDS.items():
        assert f'| {kind.status} | <a id="{code}"></a>`{code}` | {kind.meaning} |' in explained


async def test_the_type_of_every_problem_is_an_address_that_answers(desk: Desk) -> None:
    async with desk.client("mlk_none") as client:
        for code, kind in KINDS.items():
            document = msgspec.json.decode(Problem(code).document("/", "1"))
            page = await client.get(document["type"])
            assert (page.status_code, kind.title in page.text) == (200, True)
        assert (await client.get("/problems/none")).status_code == 404


class _Fetches(HTMLParser):
    """Collects whatever would make a browser fetch or run something."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "link", "img", "iframe", "object"):
            self.found.append(tag)
        self.found += [name for name, _ in attrs if name in ("src", "style") or name[:2] == "on"]


async def test_the_page_fetches_and_runs_nothing() -> None:
    page = docs_page(openapi())
    parser = _Fetches()
    parser.feed(page)
    assert parser.found == []
    assert "DecisionRequest" in page
    assert "application_id" in page


async def test_the_style_of_the_page_is_the_one_its_policy_allows(
    open_desk: Callable[..., Desk],
) -> None:
    import base64
    import hashlib

    async with open_desk().client() as client:
        response = await client.get("/docs")
    style = response.text.split("<style>")[1].split("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in response.headers["content-security-policy"]
