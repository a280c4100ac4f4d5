"""Read a flat table however it was saved: Parquet, Excel, JSON, or text of any separator."""

import csv
import gzip
import io
from collections.abc import Callable
from pathlib import Path

import polars as pl

from features.errors import MicroloanError

ENCODINGS = ("utf-8-sig", "gb18030", "latin-1")  # the last reads any bytes: levels stay apart
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
SEPARATORS = ",;\t|"


def read_flat_file(path: Path) -> pl.DataFrame:
    """Read the table in ``path``, whose content says of what kind it is.

    Of a workbook the first sheet is read. Numbers and dates that need interpretation are left as
    text, see `pipelines.learning.plain`.

    Raises:
        MicroloanError: it is missing, of another kind, broken, or holds no row.
    """
    if not path.is_file():
        raise MicroloanError(
            f"No file {path}. Name a Parquet, CSV, Excel or JSON file with a row per loan."
        )
    content = path.read_bytes()
    kind, read = _reader(content)
    try:
        frame = _with_plain_names(read(content))
    except (pl.exceptions.PolarsError, OSError, UnicodeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise MicroloanError(f"{path} cannot be read as {kind}: {reason}. {HINTS[kind]}") from error
    if frame.is_empty():
        raise MicroloanError(f"{path} holds no row below its header. Give a row per loan.")
    return frame


HINTS = {
    "Parquet": "Write it again, or as CSV.",
    "Excel": "Save it again as .xlsx, or as CSV in UTF-8.",
    "JSON": "Write a list of objects, or one object a line, or CSV.",
    "CSV": "Every row needs the fields of the header, nothing above it; quote texts with commas.",
}


def _reader(content: bytes) -> tuple[str, Callable[[bytes], pl.DataFrame]]:
    if content.startswith(b"PAR1"):
        return "Parquet", lambda content: pl.read_parquet(io.BytesIO(content))
    if content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        return "Excel", _read_excel
    if content[:1] in (b"[", b"{"):
        return "JSON", pl.read_json if content.startswith(b"[") else pl.read_ndjson
    if content.startswith(b"\x1f\x8b"):
        return "CSV", lambda content: _read_text(gzip.decompress(content))
    return "CSV", _read_text


def _read_excel(content: bytes) -> pl.DataFrame:
    import fastexcel

    try:
        sheet = fastexcel.read_excel(content).load_sheet(0)
    except fastexcel.FastExcelError as error:
        raise ValueError(error) from error
    return sheet.to_polars()


def _read_text(content: bytes) -> pl.DataFrame:
    text = _decoded(content)
    if "\0" in text[:10_000]:
        raise ValueError("it holds bytes that are no text")
    if "\n" not in text:
        text = text.replace("\r", "\n")  # as old Macs end lines
    header = text.split("\n", 1)[0]
    return pl.read_csv(
        io.BytesIO(text.encode()), separator=_separator(header), infer_schema_length=None
    )


def _decoded(content: bytes) -> str:
    if content.startswith(UTF_16):
        return content.decode("utf-16")
    for encoding in ENCODINGS[:-1]:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode(ENCODINGS[-1])


def _separator(header: str) -> str:
    """The one that makes most fields of the header, quoted ones not counted."""
    return max(SEPARATORS, key=lambda mark: len(next(csv.reader([header], delimiter=mark), [])))


def _with_plain_names(frame: pl.DataFrame) -> pl.DataFrame:
    """Names without blanks around them; a column without one is named by its place."""
    names: list[str] = []
    for place, name in enumerate(frame.columns, start=1):
        plain = name.strip() or f"column_{place}"
        names.append(f"{plain}_{place}" if plain in names else plain)
    return frame.rename(dict(zip(frame.columns, names, strict=True)))
