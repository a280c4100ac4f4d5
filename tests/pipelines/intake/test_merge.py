"""A key says one thing only, and nothing is chosen silently."""

from datetime import date

import polars as pl

from features.tables import APPLICATIONS, TAX_GRADES
from pipelines.intake.merge import Merged, contested_keys, merge
from tests.pipelines.feeds import credit_code, feeds

NONE = TAX_GRADES.empty()


def grades(*rows: str) -> pl.DataFrame:
    """Rows such as "0 2023 A": business, year, grade; all known on one day."""
    cells = [row.split() for row in rows]
    return pl.DataFrame(
        [
            (credit_code(int(firm)), int(year), grade, date(2024, 4, 12))
            for firm, year, grade in cells
        ],
        schema=TAX_GRADES.dtypes,
        orient="row",
    )


def outcome(merged: Merged) -> tuple[int, int, int]:
    """Number of accepted, duplicate and conflicting rows."""
    return merged.accepted.height, merged.duplicates.height, merged.conflicts.height


def test_new_keys_are_accepted_in_the_order_of_the_store() -> None:
    merged = merge(TAX_GRADES, NONE, grades("1 2023 A", "0 2023 B", "0 2022 C"), NONE)

    assert outcome(merged) == (3, 0, 0)
    assert merged.accepted.equals(grades("0 2022 C", "0 2023 B", "1 2023 A"))


def test_of_equal_rows_the_first_is_accepted_and_the_others_are_duplicates() -> None:
    delivered = grades("0 2023 A", "1 2023 B", "0 2023 A", "0 2023 A").with_row_index("row")

    merged = merge(TAX_GRADES, NONE, delivered, NONE)

    assert outcome(merged) == (2, 2, 0)
    assert merged.accepted["row"].to_list() == [0, 1]


def test_rows_that_share_a_key_and_differ_are_all_refused() -> None:
    merged = merge(TAX_GRADES, NONE, grades("0 2023 A", "0 2023 A", "0 2023 B", "1 2023 A"), NONE)

    assert outcome(merged) == (1, 0, 3)


def test_an_accepted_row_stays_and_what_contradicts_it_is_refused() -> None:
    merged = merge(TAX_GRADES, grades("0 2023 A"), grades("0 2023 A", "0 2023 B"), NONE)

    assert outcome(merged) == (0, 1, 1)
    assert merged.conflicts["grade"].to_list() == ["B"]


def test_two_unknown_values_are_equal() -> None:
    stored = feeds()["applications"].with_columns(outcome=None, granted_fen=None, granted_on=None)
    stored = stored.cast(pl.Schema(APPLICATIONS.dtypes))

    assert outcome(merge(APPLICATIONS, stored, stored, APPLICATIONS.empty())) == (0, 3, 0)


def test_one_application_claimed_by_two_businesses_is_contested() -> None:
    rows = feeds()["applications"]
    stolen = rows[1:2].with_columns(business_id=pl.lit(rows["business_id"][0]))
    claims = pl.concat([rows, stolen])

    contested = contested_keys(APPLICATIONS, claims.lazy())
    merged = merge(APPLICATIONS, APPLICATIONS.empty(), claims, contested)

    assert contested["application_id"].to_list() == [rows["application_id"][1]]
    assert outcome(merged) == (2, 0, 2)
