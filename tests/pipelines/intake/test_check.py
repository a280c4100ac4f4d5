"""Each broken row is named with every rule it breaks; good rows are never touched."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl
import pytest

from features.tables import FEEDS
from pipelines.intake.check import BrokenRow, Checked, check
from pipelines.intake.delivery import read, survey
from tests.pipelines.feeds import credit_code, feeds, write

FEED = feeds(businesses=3, months=4)


def as_text(rows: pl.DataFrame) -> pl.DataFrame:
    """The cells as a CSV file would hold them."""
    moments = pl.selectors.datetime()
    return rows.with_columns(moments.dt.to_string("%Y-%m-%dT%H:%M:%S%:z")).cast(pl.String)


def with_cells(name: str, cells: Mapping[str, str | None], row: int = 1) -> pl.DataFrame:
    """The feed's rows as text, one of them with other cells; rows count from 1."""
    rows = as_text(FEED[name]).with_row_index("at", offset=1)
    changed = [
        pl.when(pl.col("at") == row).then(pl.lit(cell)).otherwise(column).alias(column)
        for column, cell in cells.items()
    ]
    return rows.with_columns(changed).drop("at")


def checked(folder: Path, name: str, rows: pl.DataFrame) -> Checked:
    """One file of one batch, checked."""
    write(folder / f"{name}.csv", rows)
    (file,) = survey(folder)
    results = [check(FEEDS[name], batch) for batch in read(file)]
    return Checked(
        pl.concat([result.rows for result in results]),
        [broken for result in results for broken in result.broken],
    )


def rules(broken: BrokenRow) -> set[str]:
    """The names of the rules a row breaks."""
    return {each.rule for each in broken.broken}


@pytest.mark.parametrize("name", FEEDS)
def test_a_valid_feed_passes_untouched(tmp_path: Path, name: str) -> None:
    result = checked(tmp_path, name, as_text(FEED[name]))

    assert result.broken == []
    assert result.rows.drop("row").equals(FEED[name])


BROKEN_CELLS: list[tuple[str, dict[str, str | None], set[str]]] = [
    ("registrations", {"business_id": credit_code(0)[:-1] + "?"}, {"business_id|credit_code"}),
    ("registrations", {"industry": "c18"}, {"industry|regex"}),
    ("registrations", {"status": "sleeping"}, {"status|is_in"}),
    ("registrations", {"owner_is_local": "perhaps"}, {"owner_is_local|type"}),
    ("registrations", {"effective_on": "2031-01-01"}, {"effective_before_known"}),
    ("tax_returns", {"period": "2024-01-02"}, {"period|resolution"}),
    ("tax_returns", {"known_on": None}, {"known_on|nullability"}),
    ("tax_returns", {"known_on": "2024-02-30"}, {"known_on|type"}),
    ("tax_returns", {"sales_fen": "12.5"}, {"sales_fen|type"}),
    ("tax_returns", {"sales_fen": None}, {"figures_only_when_filed"}),
    ("tax_returns", {"tax_due_fen": "-1"}, {"tax_due_fen|min"}),
    ("tax_returns", {"months": "2"}, {"months|is_in"}),
    ("tax_returns", {"filed_on": "2030-01-01"}, {"filed_before_known"}),
    ("invoices", {"largest_counterparty_fen": "99999999"}, {"largest_within_total"}),
    ("meters", {"account_name": "湖" * 201}, {"account_name|max_length"}),
    ("applications", {"applied_at": "2023-12-05T09:30:00"}, {"applied_at|type"}),
    ("applications", {"granted_fen": None}, {"granted_has_amount_and_day"}),
    ("repayments", {"days_past_due": "10001"}, {"days_past_due|max"}),
    (
        "tax_returns",
        {"business_id": None, "levy": "guessed", "due_on": "2024-01-20"},
        {"business_id|nullability", "levy|is_in", "due_after_period"},
    ),
]


@pytest.mark.parametrize(("name", "cells", "expected"), BROKEN_CELLS)
def test_a_broken_row_is_named_with_every_rule_it_breaks_and_no_other(
    tmp_path: Path, name: str, cells: dict[str, str | None], expected: set[str]
) -> None:
    result = checked(tmp_path, name, with_cells(name, cells, row=2))

    (broken,) = result.broken
    assert broken.row == 2
    assert rules(broken) == expected
    assert result.rows["row"].to_list() == [1, *range(3, FEED[name].height + 1)]


def test_a_broken_row_keeps_its_cells_as_delivered(tmp_path: Path) -> None:
    result = checked(tmp_path, "tax_grades", with_cells("tax_grades", {"year": "MMXXIII"}))

    (broken,) = result.broken
    assert broken.broken[0].column == "year"
    assert broken.broken[0].value == "MMXXIII"
    assert broken.record == {
        "business_id": credit_code(0), "year": "MMXXIII", "grade": "A", "known_on": "2024-04-12"
    }  # fmt: skip


def test_a_rule_across_columns_names_them_all_with_their_values(tmp_path: Path) -> None:
    rows = with_cells("tax_returns", {"filed_on": "2030-01-01"})

    ((broken,),) = (each.broken for each in checked(tmp_path, "tax_returns", rows).broken)

    assert (broken.column, broken.value) == ("filed_on, known_on", "2030-01-01, 2024-02-16")


def test_a_rule_is_not_judged_on_a_cell_that_could_not_be_read(tmp_path: Path) -> None:
    """Else an unreadable sum would also be reported as a return filed without figures."""
    result = checked(tmp_path, "tax_returns", with_cells("tax_returns", {"sales_fen": "a lot"}))

    assert [rules(broken) for broken in result.broken] == [{"sales_fen|type"}]


def test_a_broken_row_does_not_put_the_good_row_of_its_key_under_suspicion(tmp_path: Path) -> None:
    rows = pl.concat([with_cells("tax_grades", {"grade": "E"}), as_text(FEED["tax_grades"])])

    result = checked(tmp_path, "tax_grades", rows)

    assert [broken.row for broken in result.broken] == [1]
    assert result.rows.height == FEED["tax_grades"].height + 2
