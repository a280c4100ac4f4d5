"""Drawn tables: a feature's specification is a small table and the values expected of it.

A drawn table shows only the columns that matter; the others take sensible values, so that rows pass
their contract in spirit (a return is filed in time, a bill is paid in time, all is known at once).
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from features.build import build
from features.catalog import CATALOG
from features.definition import Feature
from features.tables import TABLES

SHANGHAI = ZoneInfo("Asia/Shanghai")
SHOP = "shop"
Value = float | str | None


def _next_month(days: int) -> pl.Expr:
    return pl.col("period").dt.offset_by("1mo").dt.offset_by(f"{days}d")


# In order: a default may read the columns before it.
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "registrations": {
        "established_on": date(2020, 1, 1),
        "effective_on": pl.col("established_on"),
        "legal_form": "company",
        "status": "operating",
        "industry": "F52",
        "district": "330502",
        "registered_capital_fen": 0,
        "owner_sex": None,
        "owner_is_local": None,
        "known_on": pl.col("effective_on"),
    },
    "registration_events": {
        "event": "penalty",
        "amount_fen": None,
        "known_on": pl.col("happened_on"),
    },
    "tax_returns": {
        "tax": "vat",
        "months": 1,
        "amendment": 0,
        "levy": "actual",
        "due_on": pl.col("period").dt.offset_by(pl.format("{}mo14d", "months")),
        "filed_on": pl.col("due_on"),
        "sales_fen": pl.when(pl.col("filed_on").is_not_null()).then(0),
        "tax_due_fen": pl.col("sales_fen") * 0,
        "tax_paid_fen": pl.col("tax_due_fen"),
        "known_on": pl.max_horizontal("filed_on", "due_on"),
    },
    "tax_grades": {
        "grade": "A",
        "known_on": pl.date(pl.col("year") + 1, 4, 10),
    },
    "invoices": {
        "direction": "sales",
        "invoices": 1,
        "amount_fen": 0,
        "red_letters": 0,
        "red_letter_fen": 0,
        "voids": 0,
        "counterparties": 1,
        "largest_counterparty_fen": 0,
        "known_on": _next_month(4),
    },
    "linked_bills": {
        "meter_id": "m",
        "service": "electricity",
        "quantity": 0,
        "estimated": False,
        "amount_fen": 0,
        "billed_on": _next_month(2),
        "due_on": _next_month(17),
        "paid_on": pl.col("due_on"),
        "known_on": pl.coalesce("paid_on", "billed_on"),
        "link_probability": 1.0,
        "attributed": True,
    },
    "peers": {
        "peers": 100,
        "sales_growth_percentile": None,
        "sales_growth_median": None,
        "sales_volatility_percentile": None,
        "vat_burden_percentile": None,
        "purchases_to_sales_percentile": None,
        "electricity_growth_percentile": None,
        "electricity_to_sales_percentile": None,
    },
    "repayments": {
        "application_id": "L1",
        "days_past_due": 0,
        "worst_days_past_due": pl.col("days_past_due"),
        "balance_fen": 0,
        "due_fen": 0,
        "paid_fen": 0,
        "state": "performing",
        "known_on": _next_month(4),
    },
}


def draw(name: str, drawn: str) -> pl.DataFrame:
    """The records of table ``name`` as drawn; an empty cell is null, a missing column a default."""
    dtypes = TABLES[name].dtypes
    head, _, *body = [_cells(line) for line in drawn.strip().splitlines()]
    assert set(head) <= set(dtypes), f"{name} has no {set(head) - set(dtypes)}"
    columns = zip(head, zip(*body, strict=True), strict=True)
    frame = pl.DataFrame({column: _typed(cells, dtypes[column]) for column, cells in columns})
    defaults = {"business_id": SHOP, **DEFAULTS[name]}
    for column, value in defaults.items():
        if column not in frame.columns:
            filled = value if isinstance(value, pl.Expr) else pl.lit(value)
            frame = frame.with_columns(filled.cast(dtypes[column]).alias(column))
    return frame.select(list(dtypes))


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("|")]


def _typed(cells: Iterable[str], dtype: Any) -> pl.Series:
    column = pl.Series([cell or None for cell in cells], dtype=pl.String)
    if dtype == pl.Date:
        return column.str.to_date("%Y-%m-%d")
    if dtype == pl.Boolean:
        return column == "true"
    if dtype == pl.Int64:
        column = column.str.replace_all("_", "")
    return column.cast(dtype)


def asked(
    businesses: Iterable[str],
    on: date,
    *,
    amount_fen: int = 10_000_000,
    term_months: int = 12,
    purpose: str = "stock",
    repayment: str = "bullet",
) -> pl.DataFrame:
    """One application of each business, at noon of the day in Shanghai."""
    noon = datetime(on.year, on.month, on.day, 12, tzinfo=SHANGHAI).astimezone(UTC)
    names = list(businesses)
    dtypes = TABLES["applications"].dtypes
    columns = {
        "application_id": [f"A-{name}" for name in names],
        "business_id": names,
        "applied_at": [noon] * len(names),
        "amount_fen": [amount_fen] * len(names),
        "term_months": [term_months] * len(names),
        "purpose": [purpose] * len(names),
        "repayment": [repayment] * len(names),
    }
    return pl.DataFrame(columns, schema={name: dtypes[name] for name in columns})


def with_what_it_reads(feature: Feature) -> list[Feature]:
    """``feature`` and, before it, the features its expression reads."""
    named = set(feature.expression.meta.root_names()) if feature.source is None else set()
    read = [other for other in CATALOG if other.name in named - {feature.name}]
    return [one for other in read for one in with_what_it_reads(other)] + [feature]


def spec(
    feature: Feature,
    drawn: str | Mapping[str, str] = "",
    *,
    applied_on: date,
    expected: Mapping[str, Value],
    **request: Any,
) -> None:
    """Assert the value of ``feature`` for each business of ``expected``, from the drawn records.

    ``drawn`` is a table of the feature's source, or tables by name; ``request`` changes what the
    application asks for.
    """
    if isinstance(drawn, str):
        drawn = {feature.source.name: drawn} if feature.source and drawn else {}
    tables = {name: draw(name, text) for name, text in drawn.items()}
    row = build(asked(expected, applied_on, **request), tables, with_what_it_reads(feature))
    found = dict(row.select("business_id", feature.name).iter_rows())
    for business, value in expected.items():
        near = pytest.approx(value, rel=1e-12) if isinstance(value, float | int) else value
        assert found[business] == near, f"{feature.name} of {business}"
