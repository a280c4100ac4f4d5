"""A delivery that fails as a whole is refused with the file, the rule and the next step."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from features.errors import MicroloanError
from pipelines.intake import delivery
from pipelines.intake.delivery import BadDelivery, read, survey
from tests.pipelines.feeds import deliver, feeds, write

GRADES = feeds()["tax_grades"]
HEADER = "business_id,year,grade,known_on\n"


def grades_as(folder: Path, content: bytes) -> Path:
    """A delivery of one CSV file."""
    folder.mkdir(exist_ok=True)
    (folder / "tax_grades.csv").write_bytes(content)
    return folder


def test_files_are_found_by_name_alone_or_in_a_folder_of_parts(tmp_path: Path) -> None:
    deliver(tmp_path, {"meters": feeds()["meters"]}, "csv")
    write(tmp_path / "tax_grades" / "part-1.parquet", GRADES[:1])
    write(tmp_path / "tax_grades" / "part-0.csv", GRADES[1:])
    (tmp_path / ".hidden").touch()

    names = [(file.name, file.rows) for file in survey(tmp_path)]

    assert names == [
        ("tax_grades/part-0.csv", 2),
        ("tax_grades/part-1.parquet", 1),
        ("meters.csv", 3),
    ]


@pytest.mark.parametrize("name", ["tax_grade.csv", "linked_bills.parquet", "notes.txt"])
def test_a_name_that_is_no_feeds_is_refused_with_the_known_ones(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()

    with pytest.raises(MicroloanError, match="did you mean"):
        survey(tmp_path)


BROKEN_FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty folder": (lambda folder: None, "holds no feed"),
    "empty CSV": (lambda folder: grades_as(folder, b""), "no line end"),
    "missing column": (
        lambda folder: deliver(folder, {"tax_grades": GRADES.drop("grade")}, "csv"),
        "'grade'",
    ),
    "extra column": (
        lambda folder: deliver(folder, {"tax_grades": GRADES.with_columns(currency=pl.lit("CNY"))}),
        "'currency'",
    ),
    "column twice": (
        lambda folder: grades_as(folder, b"business_id,year,grade,known_on,year\n"),
        "twice 'year'",
    ),
    "cut CSV": (lambda folder: grades_as(folder, (HEADER + "91330502").encode()), "no line end"),
    "open quote": (
        lambda folder: grades_as(
            folder, (HEADER + 'a,2023,"A,2024-04-12\nb,2023,B",2024-04-12\n').encode()
        ),
        "line 2 opens a quote",
    ),
    "damaged UTF-8": (
        lambda folder: grades_as(
            folder, HEADER.encode() + "湖州市吴兴区".encode() + b"\xff\xff,2023,A,2024-04-12\n"
        ),
        "neither UTF-8 nor GB18030",
    ),
    "UTF-16": (lambda folder: grades_as(folder, HEADER.encode("utf-16")), "tax_grades.csv"),
    "cut Parquet": (
        lambda folder: (deliver(folder, {"tax_grades": GRADES}) / "tax_grades.parquet").write_bytes(
            (folder / "tax_grades.parquet").read_bytes()[:-100]
        ),
        "cannot be read",
    ),
    "text for a Parquet number": (
        lambda folder: deliver(
            folder, {"tax_grades": GRADES.with_columns(pl.col("known_on").cast(pl.Int32))}
        ),
        "known_on holds Int32",
    ),
}


@pytest.mark.parametrize(("spoil", "said"), BROKEN_FILES.values(), ids=BROKEN_FILES.keys())
def test_a_file_that_fails_as_a_whole_is_named_with_what_to_do(
    tmp_path: Path, spoil: Callable[[Path], object], said: str
) -> None:
    spoil(tmp_path)

    with pytest.raises(BadDelivery, match="Hint:") as refusal:
        survey(tmp_path)
    assert said in str(refusal.value)


def test_gb18030_is_told_from_utf8(tmp_path: Path) -> None:
    meters = feeds()["meters"]
    write(tmp_path / "utf8" / "meters.csv", meters)
    text = (tmp_path / "utf8" / "meters.csv").read_text(encoding="utf-8")
    (tmp_path / "gb").mkdir()
    (tmp_path / "gb" / "meters.csv").write_bytes(text.encode("gb18030"))

    (file,) = survey(tmp_path / "gb")
    names = pl.concat([batch.rows for batch in read(file)])["account_name"]

    assert file.encoding == "gb18030"
    assert names.to_list() == meters["account_name"].to_list()


def test_lines_with_too_few_or_too_many_fields_are_set_aside_by_number(tmp_path: Path) -> None:
    rows = "a,2023,A,2024-04-12\nb,2023\n\nc,2023,B,2024-04-12,x\nd,2023,C,2024-04-12\n"

    (file,) = survey(grades_as(tmp_path, (HEADER + rows).encode()))
    batches = list(read(file))
    good = pl.concat([batch.rows for batch in batches])

    assert good.select("row", "business_id").rows() == [(1, "a"), (4, "d")]
    assert {n: line for batch in batches for n, line in batch.misshapen.items()} == {
        2: "b,2023",
        3: "c,2023,B,2024-04-12,x",
    }


def test_rows_keep_their_numbers_across_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "_BLOCK", 64)
    monkeypatch.setattr(delivery, "ROWS_IN_BATCH", 3)
    lines = [f"{n},2023\n" if n % 5 == 0 else f"{n},2023,A,2024-04-12\n" for n in range(1, 60)]

    (file,) = survey(grades_as(tmp_path, (HEADER + "".join(lines)).encode()))
    batches = list(read(file))

    assert len(batches) > 5
    told = [number for batch in batches for number in batch.rows["row"]]
    assert told == [n for n in range(1, 60) if n % 5]
    cells = [cell for batch in batches for cell in batch.rows["business_id"]]
    assert list(map(int, cells)) == told
    set_aside = [number for batch in batches for number in batch.misshapen]
    assert set_aside == [n for n in range(1, 60) if n % 5 == 0]


def test_a_file_with_nothing_but_misshapen_lines_is_still_read(tmp_path: Path) -> None:
    (file,) = survey(grades_as(tmp_path, (HEADER + "a,b\n" * 5).encode()))

    assert sum(batch.height for batch in read(file)) == 5


def test_a_file_that_changes_between_survey_and_reading_is_refused(tmp_path: Path) -> None:
    (file,) = survey(grades_as(tmp_path, (HEADER + "a,2023,A,2024-04-12\n").encode()))
    grades_as(tmp_path, (HEADER + "a,2023,A,2024-04-12\n" * 2).encode())

    with pytest.raises(BadDelivery, match="holds 1 rows, but 2"):
        list(read(file))
