"""The reference documents are what the declarations say today."""

from pathlib import Path

from features.catalog import CATALOG
from features.tables import TABLES
from pipelines.reference import features_markdown, rules_across_columns, tables_markdown

DOCS = Path(__file__).parents[2] / "docs"
HINT = "the documents are behind the code; run `make docs`"


def test_the_committed_documents_are_those_of_the_code() -> None:
    assert (DOCS / "tables.md").read_text(encoding="utf-8") == tables_markdown(), HINT
    assert (DOCS / "features.md").read_text(encoding="utf-8") == features_markdown(), HINT


def test_every_table_column_and_rule_is_told() -> None:
    sections = dict(zip(TABLES, tables_markdown().split("\n## ")[1:], strict=True))
    for name, table in TABLES.items():
        for told in (*table.dtypes, *rules_across_columns(table)):
            assert f"`{told}`" in sections[name]
        assert "annot tell:" in sections[name] or not table.delivered


def test_every_feature_is_told_once() -> None:
    rows = [line for line in features_markdown().splitlines() if line.startswith("| `")]
    assert sorted(row.split("`")[1] for row in rows) == sorted(one.name for one in CATALOG)
    for one in CATALOG:
        [row] = [row for row in rows if f"| `{one.name}` |" in row]
        assert one.meaning in row
        assert one.unit in row
