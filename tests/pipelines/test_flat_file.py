"""A flat table is read however it was saved, or refused in one sentence."""

import gzip
import io
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from features.errors import MicroloanError
from pipelines.learning.flat_file import read_flat_file

TABLE = pl.DataFrame({"行业": ["餐饮", "制造，纺织"], "年收入": [1200, 35], "违约": ["否", "是"]})


def _parquet(table: pl.DataFrame) -> bytes:
    table.write_parquet(content := io.BytesIO())
    return content.getvalue()


def _text(encoding: str, separator: str = ",") -> Callable[[pl.DataFrame], bytes]:
    return lambda table: table.write_csv(separator=separator).encode(encoding)


SAVED = {
    "Parquet": _parquet,
    "UTF-8": _text("utf-8"),
    "UTF-8 with a mark": _text("utf-8-sig"),
    "GBK": _text("gbk"),
    "UTF-16 with tabs": _text("utf-16", "\t"),
    "semicolons": _text("utf-8", ";"),
    "bars": _text("gb18030", "|"),
    "line ends of old Macs": lambda table: table.write_csv(line_terminator="\r").encode(),
    "JSON": lambda table: table.write_json().encode(),
    "JSON by lines": lambda table: table.write_ndjson().encode(),
    "gzip": lambda table: gzip.compress(table.write_csv().encode()),
}


@pytest.mark.parametrize("saved", SAVED.values(), ids=SAVED.keys())
def test_a_table_comes_back_however_it_was_saved(
    saved: Callable[[pl.DataFrame], bytes], tmp_path: Path
) -> None:
    path = tmp_path / "贷款"
    path.write_bytes(saved(TABLE))
    assert read_flat_file(path).equals(TABLE)


def test_the_first_sheet_of_a_workbook_is_read() -> None:
    found = read_flat_file(Path(__file__).with_name("two_sheets.xlsx"))
    assert found.columns == ["income", "opened", "bad"]
    assert found["income"].to_list() == [1200.5, 35.0, None]
    assert found["bad"].to_list() == ["否", "是", "否"]


def test_columns_without_a_name_of_their_own_get_one(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(" a ,a,,b\n1,2,3,x\n")
    assert read_flat_file(tmp_path / "t.csv").columns == ["a", "a_2", "column_3", "b"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "cannot be read as CSV: empty"),
        (b"state,income\n", "holds no row below its header"),
        (b"a,b\n1,2\n3,4,5\n", "Every row needs the fields of the header"),
        (b"PAR1 and no more", "cannot be read as Parquet"),
        (b"{'no': JSON}", "cannot be read as JSON"),
        (b"PK\x03\x04 and no more", "cannot be read as Excel"),
        (b"\x00\x01\x02,\x00\n\x00,\x00\n", "bytes that are no text"),
        (None, "Name a Parquet, CSV, Excel or JSON file"),
    ],
)
def test_what_is_no_table_is_refused_by_its_rule(
    content: bytes | None, sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "loans.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(MicroloanError, match=sentence):
        read_flat_file(path)
