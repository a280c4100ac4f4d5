"""What a department delivered: the files of each feed, read in batches of raw rows.

A delivery is a folder with ``<table>.csv`` or ``<table>.parquet``, or a folder ``<table>/`` of such
files. ``survey`` looks at every file once, so that a delivery that fails as a whole fails before
anything is read: unknown names, missing or extra columns, unreadable or cut files.
"""

import codecs
import csv
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray
from polars.exceptions import PolarsError

from features.errors import MicroloanError, UnknownName
from features.tables import FEEDS, Table
from pipelines.intake.parse import Unreadable, parser

ROWS_IN_BATCH = 500_000
ROW = "row"
"""Column of every batch: number of the row in its file; the first row of data is 1."""
_BLOCK = 8 << 20


class BadDelivery(MicroloanError):
    """A file that fails as a whole; nothing of its delivery is taken."""

    def __init__(self, file: Path, what: str, hint: str) -> None:
        super().__init__(f"{file}: {what}. Nothing was ingested. Hint: {hint}")


@dataclass(frozen=True)
class DeliveredFile:
    """One file of a feed; ``rows`` as its lines or its own metadata count them."""

    table: Table
    path: Path
    name: str
    sha256: str
    rows: int
    encoding: str | None


@dataclass(frozen=True)
class Batch:
    """Raw rows of a file (CSV cells as text, Parquet columns as they are) and lines that are none.

    ``misshapen`` maps the number of a CSV row with too few or too many fields to its text.
    """

    rows: pl.DataFrame
    misshapen: dict[int, str]

    @property
    def height(self) -> int:
        """Number of rows, whatever their shape."""
        return self.rows.height + len(self.misshapen)


def survey(delivery: Path) -> tuple[DeliveredFile, ...]:
    """Find the files of a delivery, in order of table and name, and look through each once.

    Raises:
        UnknownName: a file or folder that is not named after a feed.
        BadDelivery: an empty delivery, or a file that fails as a whole.
    """
    if not delivery.is_dir():
        raise BadDelivery(
            delivery, "there is no such folder", "name the folder that holds the feeds."
        )
    files = sorted(
        (list(FEEDS).index(table.name), path.relative_to(delivery).as_posix(), path)
        for table, path in _find(delivery)
    )
    if not files:
        known = ", ".join(f"{name}.csv" for name in FEEDS)
        raise BadDelivery(
            delivery, "the folder holds no feed", f"it may hold {known} (or .parquet)."
        )
    tables = list(FEEDS.values())
    return tuple(_look_through(tables[index], path, name) for index, name, path in files)


def delivery_hash(files: Iterable[DeliveredFile]) -> str:
    """Short name of what these files hold, whatever folder they lie in."""
    listing = "\n".join(f"{file.name} {file.sha256}" for file in files)
    return hashlib.sha256(listing.encode()).hexdigest()[:16]


def read(file: DeliveredFile) -> Iterator[Batch]:
    """The raw rows of a file, in order, in batches of bounded size.

    Raises:
        BadDelivery: its bytes cannot be read, or give other than the number of rows it says.
    """
    count = 0
    try:
        for batch in _read_parquet(file.path) if file.encoding is None else _read_csv(file):
            count += batch.height
            yield batch
    except (pa.ArrowException, PolarsError, OSError, UnicodeDecodeError) as error:
        raise _unreadable(file.path, error) from None
    if count != file.rows:
        what = f"it says that it holds {file.rows:,} rows, but {count:,} can be read"
        raise BadDelivery(file.path, what, "deliver it again, and do not change it meanwhile.")


def _find(delivery: Path) -> Iterator[tuple[Table, Path]]:
    for entry in _visible(delivery):
        name = entry.name if entry.is_dir() else entry.stem
        if name not in FEEDS:
            raise UnknownName(f"feed for {entry.name} in {delivery}: no table", name, FEEDS)
        yield from (
            (FEEDS[name], path) for path in (_visible(entry) if entry.is_dir() else [entry])
        )


def _visible(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if not path.name.startswith((".", "_"))]


def _look_through(table: Table, path: Path, name: str) -> DeliveredFile:
    if path.suffix not in (".csv", ".parquet") or not path.is_file():
        raise BadDelivery(
            path, "it is neither .csv nor .parquet", "deliver one of these two formats."
        )
    try:
        looked = _look_through_csv if path.suffix == ".csv" else _look_through_parquet
        return looked(table, path, name)
    except (pa.ArrowException, PolarsError, OSError) as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> BadDelivery:
    reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
    return BadDelivery(
        path, f"it cannot be read ({reason})", "it may have been cut; deliver it again."
    )


def _look_through_parquet(table: Table, path: Path, name: str) -> DeliveredFile:
    schema = pl.read_parquet_schema(path)
    _check_columns(table, path, list(schema))
    for column, target in table.dtypes.items():
        try:
            parser(schema[column], target)
        except Unreadable as error:
            raise BadDelivery(
                path, f"column {column} {error}", "deliver the contract's type."
            ) from None
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    rows = pl.scan_parquet(path, glob=False).select(pl.len()).collect().item()
    return DeliveredFile(table, path, name, digest, rows, encoding=None)


def _look_through_csv(table: Table, path: Path, name: str) -> DeliveredFile:
    digest, rows, at, last = hashlib.sha256(), -1, 0, b""
    with path.open("rb") as file:
        while lines := file.readlines(_BLOCK):
            digest.update(block := b"".join(lines))
            if b'"' in block:
                _check_quotes(path, lines, at)
            rows += sum(map(bool, map(bytes.strip, lines)))
            at, last = at + len(lines), lines[-1]
    if not last.endswith(b"\n"):
        hint = "deliver it again; if it is whole, add a line end to its last line."
        raise BadDelivery(path, "its last line has no line end, so it may have been cut", hint)
    encoding = _encoding(path)
    _check_columns(table, path, _titles(path, encoding))
    return DeliveredFile(table, path, name, digest.hexdigest(), rows, encoding)


def _check_quotes(path: Path, lines: list[bytes], before: int) -> None:
    """Refuse a row that goes on in the next line: a forgotten quote swallows what follows."""
    for number, line in enumerate(lines, before + 1):
        if line.count(b'"') % 2:
            hint = "close the quote, or take the line end out of the cell."
            raise BadDelivery(path, f"line {number:,} opens a quote and does not close it", hint)


def _titles(path: Path, encoding: str) -> list[str]:
    with path.open(encoding=encoding, newline="") as file:
        return next(csv.reader([file.readline().removeprefix("\ufeff")]), [])


def _check_columns(table: Table, path: Path, columns: list[str]) -> None:
    """Name every drift of the columns; their order is free."""
    missing = [name for name in table.dtypes if name not in columns]
    extra = [name for name in columns if name not in table.dtypes]
    twice = sorted({name for name in columns if columns.count(name) > 1})
    found = {"lacks": missing, "has beside the contract": extra, "has twice": twice}
    if drift := [f"{what} {', '.join(map(repr, names))}" for what, names in found.items() if names]:
        contract = ", ".join(table.dtypes)
        raise BadDelivery(
            path, f"the file {' and '.join(drift)}", f"{table.name} holds exactly: {contract}."
        )


def _encoding(path: Path) -> str:
    """UTF-8 or GB18030; refuses UTF-8 with damaged characters rather than taking it for GB18030.

    Nearly every byte string is valid GB18030, so that alone proves nothing: a file is taken for
    GB18030 only when most of its text beyond ASCII is not UTF-8.
    """
    block, at = _first_invalid_block(path, "utf-8")
    if block is None:
        return "utf-8"
    beyond_ascii = sum(byte > 127 for byte in block)
    valid_utf8 = sum(len(char.encode()) for char in block.decode(errors="ignore") if char > "\x7f")
    if valid_utf8 * 2 > beyond_ascii or _first_invalid_block(path, "gb18030")[0] is not None:
        hint = "save it as UTF-8 (or GB18030) and deliver it again."
        raise BadDelivery(
            path, f"it is neither UTF-8 nor GB18030 text (first bad byte about {at:,})", hint
        )
    return "gb18030"


def _first_invalid_block(path: Path, encoding: str) -> tuple[bytes | None, int]:
    """The first block that does not decode and where the trouble lies; (None, 0) if all do."""
    decoder = codecs.getincrementaldecoder(encoding)()
    at = 0
    with path.open("rb") as file:
        while True:
            block = file.read(_BLOCK)
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                return block, at + error.start
            if not block:
                return None, 0
            at += len(block)


def _read_parquet(path: Path) -> Iterator[Batch]:
    rows = pl.scan_parquet(path, glob=False).with_row_index(ROW, offset=1)
    start = 0
    while (batch := rows.slice(start, ROWS_IN_BATCH).collect()).height:
        yield Batch(batch, {})
        start += batch.height


def _read_csv(file: DeliveredFile) -> Iterator[Batch]:
    misshapen: dict[int, str] = {}

    def set_aside(line: pyarrow.csv.InvalidRow) -> str:
        misshapen[line.number - 1] = line.text
        return "skip"

    columns = {name: pa.string() for name in file.table.dtypes}
    reader = pyarrow.csv.open_csv(
        file.path,
        # One thread: only then does arrow number the lines.
        pyarrow.csv.ReadOptions(encoding=file.encoding, block_size=_BLOCK, use_threads=False),
        pyarrow.csv.ParseOptions(invalid_row_handler=set_aside),
        pyarrow.csv.ConvertOptions(
            column_types=columns, strings_can_be_null=True, null_values=[""]
        ),
    )
    number = 1
    for blocks in _grouped(reader):
        rows = pl.from_arrow(pa.Table.from_batches(blocks))
        assert isinstance(rows, pl.DataFrame)
        numbers = _numbers(number, rows.height, misshapen)
        number = int(numbers[-1]) + 1
        passed = {each: misshapen.pop(each) for each in sorted(misshapen) if each < number}
        yield Batch(rows.with_columns(pl.Series(ROW, numbers, dtype=pl.UInt32)), passed)
    yield Batch(
        pl.DataFrame(schema={**dict.fromkeys(columns, pl.String), ROW: pl.UInt32}), misshapen
    )


def _numbers(first: int, count: int, misshapen: Iterable[int]) -> NDArray[np.int64]:
    """The next ``count`` row numbers from ``first`` on that are not those of misshapen lines."""
    taken = np.fromiter(misshapen, np.int64)
    return np.setdiff1d(np.arange(first, first + count + len(taken)), taken, assume_unique=True)[
        :count
    ]


def _grouped(reader: Iterable[pa.RecordBatch]) -> Iterator[list[pa.RecordBatch]]:
    """Blocks of text gathered to batches worth computing on."""
    blocks: list[pa.RecordBatch] = []
    for block in reader:
        blocks.append(block)
        if sum(each.num_rows for each in blocks) >= ROWS_IN_BATCH:
            yield blocks
            blocks = []
    if blocks:
        yield blocks
