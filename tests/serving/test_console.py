"""The console's files: served under a strict policy, in both languages, true to the API."""

import re
from collections.abc import Iterator
from itertools import chain

import pytest

from serving.console.files import CONTENT_POLICY, FOLDER, console_files
from serving.web.openapi import openapi
from tests.serving.conftest import Desk

pytestmark = pytest.mark.anyio

SCRIPTS = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.js")}
PAGE = (FOLDER / "index.html").read_text(encoding="utf-8")


async def test_the_root_leads_to_the_console(desk: Desk) -> None:
    async with desk.client() as client:
        answer = await client.get("/", follow_redirects=True)
    assert (answer.status_code, str(answer.url)) == (200, "http://desk/console/")
    assert answer.headers["content-type"].startswith("text/html")


async def test_every_file_is_served_and_a_browser_may_fetch_nothing_else(desk: Desk) -> None:
    async with desk.client() as client:
        for name in console_files():
            answer = await client.get(f"/console/{name}")
            assert answer.status_code == 200
            assert answer.headers["content-security-policy"] == CONTENT_POLICY
        for name in ("files.py", "__init__.py", "..%2fapp.py", "nothing.js"):
            assert (await client.get(f"/console/{name}")).status_code == 404


def test_what_a_file_names_is_there() -> None:
    named = [
        *re.findall(r'(?:href|src)="([a-z.]+)"', PAGE),
        *chain.from_iterable(re.findall(r'from "\./([a-z.]+)"', text) for text in SCRIPTS.values()),
    ]
    assert set(named) <= set(console_files())
    assert set(SCRIPTS) <= set(named)  # and nothing lies there unused


def test_the_page_holds_no_script_and_no_style_of_its_own() -> None:
    assert not re.search(r"<script(?![^>]*src=)|<style|\son\w+=|\sstyle=", PAGE)


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_no_script_reads_text_as_markup_or_code(name: str) -> None:
    forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function"
    assert not re.search(forbidden, SCRIPTS[name])


def test_every_path_that_is_asked_is_a_route() -> None:
    routes = [re.sub(r"\{\w+\}", "[^/]+", path) for path in openapi()["paths"]]
    asked = {
        re.sub(r"\$\{[^}]*\}", "x", path).partition("?")[0]
        for text in SCRIPTS.values()
        for path in re.findall(r'["`](/v1/[^"`]*)["`]', text)
    }
    assert asked
    assert {path for path in asked if not any(re.fullmatch(r, path) for r in routes)} == set()


def _codes(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from (code for code in schema.get("enum", ()) if isinstance(code, str))
        yield from chain.from_iterable(map(_codes, schema.values()))
    elif isinstance(schema, list):
        yield from chain.from_iterable(map(_codes, schema))


def test_every_code_that_officers_meet_has_words_in_both_languages() -> None:
    schemas = openapi()["components"]["schemas"]
    met = ("DecisionRequest", "DecisionOverride", "DecisionResponse", "OutcomeRequest")
    texts = re.findall(
        r'^  (\w+): \[\s*"([^"]+)",\s*"([^"]+)",?\s*\]', SCRIPTS["texts.js"], re.MULTILINE
    )
    words = {code: (zh, en) for code, zh, en in texts}
    assert set(chain.from_iterable(_codes(schemas[name]) for name in met)) <= set(words)
    spoken = set(chain.from_iterable(re.findall(r'\bt\("(\w+)"\)', s) for s in SCRIPTS.values()))
    assert spoken <= set(words)
    for code, (zh, en) in words.items():
        assert (code == "language") == (not re.search("[\u4e00-\u9fff]", zh)), code
        assert (code == "language") == bool(re.search("[\u4e00-\u9fff]", en)), code
