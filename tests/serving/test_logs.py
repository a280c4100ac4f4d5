"""Whatever is logged is one line of JSON that names nobody."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.web.keys import create_key
from serving.web.logs import Lines, configure
from tests.serving.conftest import NOW, Desk, post, request_of

BUSINESS = str(request_of(0)["business_id"])


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What the process writes to its log."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure(stream)
    yield stream
    root.handlers[:], root.level = before, level


@given(st.text(max_size=200))
def test_no_text_forges_a_line(said: str) -> None:
    line = Lines().format(logging.LogRecord("a", logging.INFO, "", 0, said, None, None))
    assert len(line.splitlines()) == 1
    assert json.loads(line)["level"] == "info"


HOSTILE = ["a\r\n{}", "\x1b[31mred", "one\u2028two", "\x85", "x" * 1_000_000, "\x00", "\ud800"]


@pytest.mark.parametrize("said", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_texts_stay_in_their_line(said: str) -> None:
    # formatted here: pytest's own log would carry the text to where it cannot be encoded
    record = logging.LogRecord("a", logging.ERROR, "", 0, "it said %s", (said,), None)
    (line,) = Lines().format(record).splitlines()
    assert json.loads(line)["said"] == f"it said {said}"


def test_no_business_and_no_key_is_named_even_by_an_error(
    written: io.StringIO, tmp_path: object
) -> None:
    log = logging.getLogger("microloan.serving")
    error = ValueError(f"no records of {BUSINESS}")
    log.error("of %s with %s", BUSINESS, "mlk_abcdefgh_" + "s" * 43, exc_info=error)
    assert BUSINESS not in written.getvalue()
    assert "s" * 43 not in written.getvalue()
    assert "ValueError: no records of [business]" in json.loads(written.getvalue())["error"]


@pytest.mark.anyio
async def test_a_service_at_work_logs_nobody(
    desk: Desk, written: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers, refusals and a failure of ours, over marked applicants and a marked key."""
    marked = create_key(desk.keys_path, "marked", ["officer"], now=NOW)

    def broken(business_id: str) -> None:
        raise RuntimeError(f"cannot read {business_id}")

    async with desk.client(marked) as client:
        for number in range(20):
            await post(client, request_of(number), key=f"key-{number:016d}")
        await post(client, request_of(0, amount=-1), key="key-of-a-broken-one")
        monkeypatch.setattr(desk.service.records, "business", broken)
        failed = await post(client, request_of(21), key="key-of-a-failed-one")
    assert failed.status_code == 500
    assert len(written.getvalue().splitlines()) >= 1
    assert not any(str(request_of(n)["business_id"]) in written.getvalue() for n in range(60))
    assert marked.rpartition("_")[2] not in written.getvalue()
