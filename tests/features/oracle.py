"""Every feature once more, slowly and plainly: loops over one business's records, in fractions.

It shares nothing with ``features`` but the names of tables and columns.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from fractions import Fraction
from math import sqrt
from typing import Any

from features.tables import TABLES

Row = Mapping[str, Any]
Value = float | str | None


class Past:
    """What was known of one business on the morning of ``on``."""

    def __init__(self, records: Mapping[str, Iterable[Row]], business: str, on: date) -> None:
        self.on = on
        self._records = {
            name: [row for row in rows if row["business_id"] == business]
            for name, rows in records.items()
        }

    def rows(self, name: str) -> list[Row]:
        """The valid version of each key: the one known last by the day, if it still holds."""
        table = TABLES[name]
        valid: dict[tuple[Any, ...], Row] = {}
        for row in self._records.get(name, []):
            if row["known_on"] > self.on:
                continue
            key = tuple(row[column] for column in table.key)
            version = [row[column] for column in table.version]
            if key not in valid or version > [valid[key][column] for column in table.version]:
                valid[key] = row
        return [row for row in valid.values() if not table.holds or row[table.holds]]

    def days_ago(self, day: date | None) -> int | None:
        return None if day is None else (self.on - day).days

    def months_ago(self, row: Row) -> int:
        """Months from the last month of the row's period to the application's."""
        first: int = row["period"].year * 12 + row["period"].month
        months: int = row.get("months", 1)
        return self.on.year * 12 + self.on.month - (first + months - 1)

    def months_back(self, row: Row, history: Sequence[Row], series: str) -> int:
        """Months from the last month of the row's period to the newest known of its series."""
        same = [self.months_ago(other) for other in history if other[series] == row[series]]
        return self.months_ago(row) - min(same)

    def window(self, name: str, series: str, of: str | None, first: int, count: int) -> list[Row]:
        """Rows of one series (or all) from ``first`` months back over ``count`` months."""
        history = self.rows(name)
        return [
            row
            for row in history
            if (of is None or row[series] == of)
            and first <= self.months_back(row, history, series) < first + count
        ]


def _ratio(numerator: Fraction | int | None, denominator: Fraction | int | None) -> Fraction | None:
    if numerator is None or denominator is None or denominator <= 0:
        return None
    return Fraction(numerator) / Fraction(denominator)


def _mean(values: Sequence[int]) -> Fraction | None:
    return _ratio(sum(values), len(values))


def _volatility(values: Sequence[int | Fraction]) -> float | None:
    if len(values) < 3 or sum(values) <= 0:
        return None
    mean = Fraction(sum(values)) / len(values)
    variance = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return sqrt(variance / mean**2)


def _yuan(fen: Fraction | int | None) -> Fraction | None:
    return None if fen is None else Fraction(fen) / 100


def _registry(past: Past) -> dict[str, Any]:
    rows = past.rows("registrations")
    if not rows:
        return {}
    [row] = rows
    age = past.days_ago(row["established_on"])
    return {
        "business_age_months": None if age is None else Fraction(age * 12) / Fraction("365.25"),
        "is_operating": int(row["status"] == "operating"),
        "legal_form": row["legal_form"],
        "industry": row["industry"],
        "registered_capital": _yuan(row["registered_capital_fen"]),
    }


def _events(past: Past) -> dict[str, Any]:
    rows = past.rows("registration_events")
    if not rows:
        return {}

    def ages(*kinds: str, within: int = 10**6) -> list[int]:
        happened = [past.days_ago(row["happened_on"]) or 0 for row in rows if row["event"] in kinds]
        return [age for age in happened if age <= within]

    control = ages("legal_representative_changed", "shareholder_changed")
    listed, removed = ages("abnormal_listed"), ages("abnormal_removed")
    changes = ("address_changed", "legal_representative_changed", "shareholder_changed")
    return {
        "months_since_control_change": min(control) * 12 / 365.25 if control else None,
        "register_changes_24m": len(ages(*changes, within=730)),
        "is_listed_abnormal": int(bool(listed) and (not removed or min(listed) < min(removed))),
        "abnormal_listings_24m": len(ages("abnormal_listed", within=730)),
        "penalties_24m": len(ages("penalty", within=730)),
        "judgment_debts_24m": len(ages("judgment_debtor", within=730)),
        "annual_reports_missed_36m": len(ages("annual_report_missed", within=1096)),
    }


def _returns(past: Past) -> dict[str, Any]:
    rows = past.rows("tax_returns")
    if not rows:
        return {}

    def vat(first: int, count: int) -> list[Row]:
        window = past.window("tax_returns", "tax", "vat", first, count)
        return [row for row in window if row["sales_fen"] is not None]

    def monthly(window: list[Row]) -> Fraction | None:
        return _ratio(sum(r["sales_fen"] for r in window), sum(r["months"] for r in window))

    recent = past.window("tax_returns", "tax", None, 0, 24)
    filed = [row for row in rows if row["tax"] == "vat" and row["filed_on"] is not None]
    overdue = [row for row in rows if row["due_on"] < past.on]
    owed = [
        (row["tax_due_fen"] or 0) - row["tax_paid_fen"]
        for row in overdue
        if row["tax_paid_fen"] is not None
    ]
    newest_levy = [row["levy"] for row in past.window("tax_returns", "tax", "vat", 0, 1)]
    paid = [row["tax_paid_fen"] or 0 for row in past.window("tax_returns", "tax", None, 0, 12)]
    return {
        "declared_sales_monthly_12m": _yuan(monthly(vat(0, 12))),
        "declared_sales_growth_12m": _ratio(monthly(vat(0, 12)), monthly(vat(12, 12))),
        "declared_sales_yoy_3m": _ratio(monthly(vat(0, 3)), monthly(vat(12, 3))),
        "declared_sales_volatility_24m": _volatility(
            [Fraction(row["sales_fen"], row["months"]) for row in vat(0, 24)]
        ),
        "zero_sales_months_12m": sum(row["months"] for row in vat(0, 12) if row["sales_fen"] == 0),
        "late_returns_24m": sum(
            row["filed_on"] is not None
            and row["filed_on"] > row["due_on"]
            and row["amendment"] == 0
            for row in recent
        ),
        "missing_returns_24m": sum(
            row["filed_on"] is None and row["due_on"] < past.on for row in recent
        ),
        "amended_returns_24m": sum(row["amendment"] > 0 for row in recent),
        "tax_arrears": _yuan(sum(fen for fen in owed if fen > 0)),
        "tax_paid_12m": _yuan(sum(paid)),
        "declared_months_24m": sum(r["months"] for r in filed if 1 <= past.months_ago(r) <= 24),
        "months_since_return": min(map(past.months_ago, filed), default=None),
        "is_assessed_levy": int("assessed" in newest_levy),
    }


def _grades(past: Past) -> dict[str, Any]:
    rows = sorted(past.rows("tax_grades"), key=lambda row: row["year"])
    return {"tax_grade_rank": "ABMCD".index(rows[-1]["grade"]) + 1} if rows else {}


def _invoices(past: Past) -> dict[str, Any]:
    if not past.rows("invoices"):
        return {}

    def column(name: str, first: int, count: int, direction: str = "sales") -> list[int]:
        window = past.window("invoices", "direction", direction, first, count)
        return [row[name] for row in window]

    amount = column("amount_fen", 0, 12)
    voids = sum(column("voids", 0, 12))
    return {
        "invoiced_sales_monthly_12m": _yuan(_mean(amount)),
        "invoiced_sales_growth_12m": _ratio(_mean(amount), _mean(column("amount_fen", 12, 12))),
        "invoiced_sales_yoy_3m": _ratio(
            _mean(column("amount_fen", 0, 3)), _mean(column("amount_fen", 12, 3))
        ),
        "invoiced_sales_volatility_24m": _volatility(column("amount_fen", 0, 24)),
        "months_without_invoice_12m": column("invoices", 0, 12).count(0),
        "invoices_monthly_12m": _mean(column("invoices", 0, 12)),
        "red_letter_share_12m": _ratio(sum(column("red_letter_fen", 0, 12)), sum(amount)),
        "void_share_12m": _ratio(voids, voids + sum(column("invoices", 0, 12))),
        "customers_monthly_12m": _mean(column("counterparties", 0, 12)),
        "largest_customer_share_12m": _ratio(
            sum(column("largest_counterparty_fen", 0, 12)), sum(amount)
        ),
        "purchases_to_sales_12m": _ratio(
            sum(column("amount_fen", 0, 12, "purchases")), sum(amount)
        ),
    }


def _utility(past: Past) -> dict[str, Any]:
    rows = past.rows("linked_bills")
    if not rows:
        return {}

    def electricity(first: int, count: int) -> list[Row]:
        return past.window("linked_bills", "service", "electricity", first, count)

    def kwh(first: int, count: int) -> list[int]:
        return [row["quantity"] for row in electricity(first, count)]

    def is_late(row: Row) -> bool:
        return bool((row["paid_on"] or past.on) > row["due_on"])

    overdue = [past.days_ago(row["due_on"]) or 0 for row in rows if row["paid_on"] is None]
    powered = [past.months_ago(row) for row in rows if row["service"] == "electricity"]
    return {
        "electricity_monthly_12m": _mean(kwh(0, 12)),
        "electricity_growth_12m": _ratio(_mean(kwh(0, 12)), _mean(kwh(12, 12))),
        "electricity_yoy_3m": _ratio(_mean(kwh(0, 3)), _mean(kwh(12, 3))),
        "electricity_lowest_share_12m": _ratio(min(kwh(0, 12), default=None), _mean(kwh(0, 12))),
        "late_utility_bills_12m": sum(
            map(is_late, past.window("linked_bills", "service", None, 0, 12))
        ),
        "utility_days_overdue": max([0, *overdue]),
        "months_since_electricity": min(powered, default=None),
        "electricity_meters": len({row["meter_id"] for row in electricity(0, 12)}),
    }


def _loans(past: Past) -> dict[str, Any]:
    rows = past.rows("repayments")
    if not rows:
        return {}
    newest = past.window("repayments", "application_id", None, 0, 1)
    return {
        "earlier_loans": len({row["application_id"] for row in rows}),
        "earlier_days_past_due": max(row["worst_days_past_due"] for row in rows),
        "balance_owed": _yuan(sum(r["balance_fen"] for r in newest if r["state"] != "repaid")),
    }


def _request(application: Row, known: Mapping[str, Any]) -> dict[str, Any]:
    amount = _yuan(application["amount_fen"])
    declared, invoiced, kwh = (
        known.get(name)
        for name in (
            "declared_sales_monthly_12m",
            "invoiced_sales_monthly_12m",
            "electricity_monthly_12m",
        )
    )
    return {
        "amount": amount,
        "term": application["term_months"],
        "loan_purpose": application["purpose"],
        "repayment_form": application["repayment"],
        "amount_to_declared_sales": _ratio(amount, declared),
        "amount_to_invoiced_sales": _ratio(amount, invoiced),
        "declared_to_invoiced_sales": _ratio(declared, invoiced),
        "electricity_to_declared_sales": _ratio(None if kwh is None else kwh * 1000, declared),
    }


DEPARTMENTS: tuple[Callable[[Past], dict[str, Any]], ...] = (
    _registry, _events, _returns, _grades, _invoices, _utility, _loans,
)  # fmt: skip


def features_of(
    application: Row, records: Mapping[str, Iterable[Row]], on: date
) -> dict[str, Value]:
    """Every feature of an application made on the day ``on`` in Shanghai; None is unknown."""
    past = Past(records, application["business_id"], on)
    known = {name: value for tell in DEPARTMENTS for name, value in tell(past).items()}
    known |= _request(application, known)
    return {
        name: float(value) if isinstance(value, Fraction | int) else value
        for name, value in known.items()
    }
