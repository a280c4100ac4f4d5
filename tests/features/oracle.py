"""Every feature once more, slowly and plainly: loops over one business's records, in fractions.

It shares nothing with ``features`` but the names of tables and columns.
"""

from calendar import monthrange
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
        self.delivered = set(records)
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
    established, age = row["established_on"], None
    if established is not None:
        last = monthrange(past.on.year, past.on.month)[1]
        age = 12 * (past.on.year - established.year) + past.on.month - established.month
        age -= past.on.day < min(established.day, last)
    return {
        "business_age_months": age,
        "is_operating": int(row["status"] == "operating"),
        "legal_form": row["legal_form"],
        "industry": row["industry"],
        "registered_capital": _yuan(row["registered_capital_fen"]),
        "days_since_register_record": past.days_ago(row["known_on"]),
    }


def _events(past: Past) -> dict[str, Any]:
    if "registration_events" not in past.delivered:
        return {}
    rows = past.rows("registration_events")

    def ages(*kinds: str, within: int = 10**6) -> list[int]:
        happened = [past.days_ago(row["happened_on"]) or 0 for row in rows if row["event"] in kinds]
        return [age for age in happened if age <= within]

    def since(*kinds: str) -> float | None:
        return min(ages(*kinds)) * 12 / 365.25 if ages(*kinds) else None

    def amount(kind: str) -> Fraction | None:
        recent = [row for row in rows if row["event"] == kind]
        recent = [row for row in recent if (past.days_ago(row["happened_on"]) or 0) <= 730]
        return _yuan(sum(row["amount_fen"] or 0 for row in recent))

    listed, removed = ages("abnormal_listed"), ages("abnormal_removed")
    changes = ("address_changed", "legal_representative_changed", "shareholder_changed")
    return {
        "months_since_control_change": since("legal_representative_changed", "shareholder_changed"),
        "register_changes_24m": len(ages(*changes, within=730)),
        "is_listed_abnormal": int(bool(listed) and (not removed or min(listed) < min(removed))),
        "abnormal_listings_24m": len(ages("abnormal_listed", within=730)),
        "penalties_24m": len(ages("penalty", within=730)),
        "judgment_debts_24m": len(ages("judgment_debtor", within=730)),
        "annual_reports_missed_36m": len(ages("annual_report_missed", within=1096)),
        "address_changes_24m": len(ages("address_changed", within=730)),
        "representative_changes_24m": len(ages("legal_representative_changed", within=730)),
        "shareholder_changes_24m": len(ages("shareholder_changed", within=730)),
        "capital_reductions_24m": len(ages("capital_reduced", within=730)),
        "months_since_abnormal_listing": since("abnormal_listed"),
        "months_since_penalty": since("penalty"),
        "penalty_amount_24m": amount("penalty"),
        "months_since_judgment": since("judgment_debtor"),
        "judgment_amount_24m": amount("judgment_debtor"),
    }


def _late(window: list[Row]) -> int:
    originals = [row for row in window if row["filed_on"] and row["amendment"] == 0]
    return sum(row["filed_on"] > row["due_on"] for row in originals)


def _total(name: str, window: list[Row]) -> int:
    return sum(row[name] or 0 for row in window)


def _owed(row: Row) -> int:
    if row["tax_due_fen"] is None or row["tax_paid_fen"] is None:
        return 0
    return int(row["tax_due_fen"] - row["tax_paid_fen"])


def _was_in_arrears(row: Row) -> bool:
    paid = row["tax_paid_fen"] is not None and (row["tax_due_fen"] or 0) > 0
    known_late = (row["known_on"] - row["due_on"]).days > 90
    return paid and _owed(row) <= 0 and known_late and row["amendment"] == 0


def _months_of(row: Row, newest: int) -> range:
    """How far back each month of a period lies, from that of its last."""
    return range(newest, newest + row["months"])


def _returns(past: Past) -> dict[str, Any]:
    rows = past.rows("tax_returns")
    if not rows:
        return {}

    def vat(first: int, count: int) -> list[Row]:
        window = past.window("tax_returns", "tax", "vat", first, count)
        return [row for row in window if row["sales_fen"] is not None]

    def nil(months: int) -> int:
        history = past.rows("tax_returns")
        without = [row for row in vat(0, months) if row["sales_fen"] == 0]
        backs = (_months_of(row, past.months_back(row, history, "tax")) for row in without)
        return sum(back < months for months_back in backs for back in months_back)

    def monthly(window: list[Row]) -> Fraction | None:
        return _ratio(sum(r["sales_fen"] for r in window), sum(r["months"] for r in window))

    def all_taxes(count: int) -> list[Row]:
        return past.window("tax_returns", "tax", None, 0, count)

    def of_sales(tax: str) -> Fraction | None:
        window = past.window("tax_returns", "tax", tax, 0, 12)
        return _ratio(_total("tax_due_fen", window), _total("sales_fen", window))

    recent, year = all_taxes(24), all_taxes(12)
    filed = [row for row in rows if row["tax"] == "vat" and row["filed_on"] is not None]
    unpaid = [row for row in rows if row["due_on"] < past.on and _owed(row) > 0]
    newest = past.window("tax_returns", "tax", "vat", 0, 1)
    by_month = [Fraction(row["sales_fen"], row["months"]) for row in vat(0, 12)]
    originals = [row for row in recent if row["amendment"] == 0]
    delays = [((row["filed_on"] or past.on) - row["due_on"]).days for row in originals]
    paying = [past.months_ago(row) for row in rows if (row["tax_paid_fen"] or 0) > 0]
    return {
        "declared_sales_monthly_12m": _yuan(monthly(vat(0, 12))),
        "declared_sales_growth_12m": _ratio(monthly(vat(0, 12)), monthly(vat(12, 12))),
        "declared_sales_yoy_3m": _ratio(monthly(vat(0, 3)), monthly(vat(12, 3))),
        "declared_sales_volatility_24m": _volatility(
            [Fraction(row["sales_fen"], row["months"]) for row in vat(0, 24)]
        ),
        "zero_sales_months_12m": nil(12),
        "late_returns_24m": _late(recent),
        "missing_returns_24m": sum(
            row["filed_on"] is None and row["due_on"] < past.on for row in recent
        ),
        "amended_returns_24m": sum(row["amendment"] > 0 for row in recent),
        "tax_arrears": _yuan(sum(map(_owed, unpaid))),
        "tax_paid_12m": _yuan(_total("tax_paid_fen", year)),
        "declared_months_24m": sum(
            1 <= age <= 24
            for row in filed
            if past.months_ago(row) >= 1
            for age in _months_of(row, past.months_ago(row))
        ),
        "months_since_return": min(map(past.months_ago, filed), default=None),
        "is_assessed_levy": int("assessed" in [row["levy"] for row in newest]),
        "declared_sales_monthly_3m": _yuan(monthly(vat(0, 3))),
        "declared_sales_yoy_6m": _ratio(monthly(vat(0, 6)), monthly(vat(12, 6))),
        "declared_sales_trend_6m": _ratio(monthly(vat(0, 6)), monthly(vat(6, 6))),
        "declared_sales_lowest_share_12m": _ratio(min(by_month, default=None), monthly(vat(0, 12))),
        "zero_sales_months_24m": nil(24),
        "late_returns_12m": _late(year),
        "late_returns_share_24m": _ratio(
            _late(recent), sum(row["filed_on"] is not None for row in originals)
        ),
        "longest_return_delay_24m": max([0, *delays]) if delays else None,
        "returns_in_arrears": len(unpaid),
        "oldest_arrears_days": max([(past.on - row["due_on"]).days for row in unpaid], default=0),
        "past_arrears_24m": sum(map(_was_in_arrears, recent)),
        "tax_paid_share_24m": _ratio(_total("tax_paid_fen", recent), _total("tax_due_fen", recent)),
        "vat_burden_12m": of_sales("vat"),
        "income_tax_share_12m": of_sales("income"),
        "months_since_tax_payment": min(paying, default=None),
        "days_since_tax_record": min((past.on - row["known_on"]).days for row in rows),
        "is_monthly_filer": int(1 in [row["months"] for row in newest]),
    }


def _grades(past: Past) -> dict[str, Any]:
    rows = sorted(past.rows("tax_grades"), key=lambda row: row["year"])
    if not rows:
        return {}
    ranks = ["ABMCD".index(row["grade"]) + 1 for row in rows]
    return {
        "tax_grade_rank": ranks[-1],
        "tax_grade_change": ranks[-1] - ranks[-2] if len(ranks) > 1 else None,
        "worst_tax_grade_3y": max(ranks[-3:]),
        "tax_grades_known": len(ranks),
    }


def _invoices(past: Past) -> dict[str, Any]:
    if not past.rows("invoices"):
        return {}

    def column(name: str, first: int, count: int, direction: str = "sales") -> list[int]:
        window = past.window("invoices", "direction", direction, first, count)
        return [row[name] for row in window]

    def growth(name: str, months: int, before: int, direction: str = "sales") -> Fraction | None:
        now = _mean(column(name, 0, months, direction))
        return _ratio(now, _mean(column(name, before, months, direction)))

    def share(name: str, of: str, months: int, direction: str = "sales") -> Fraction | None:
        whole = sum(column(of, 0, months, direction))
        return _ratio(sum(column(name, 0, months, direction)), whole)

    amount, bought = column("amount_fen", 0, 12), column("amount_fen", 0, 12, "purchases")
    sales = [row for row in past.rows("invoices") if row["direction"] == "sales"]
    margin = None if not amount or not bought else (_mean(amount) or 0) - (_mean(bought) or 0)
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
        "invoiced_sales_monthly_3m": _yuan(_mean(column("amount_fen", 0, 3))),
        "invoiced_sales_yoy_6m": growth("amount_fen", 6, 12),
        "invoiced_sales_trend_6m": growth("amount_fen", 6, 6),
        "invoices_yoy_3m": growth("invoices", 3, 12),
        "invoiced_sales_lowest_share_12m": _ratio(min(amount, default=None), _mean(amount)),
        "busiest_month_share_12m": _ratio(max(amount, default=None), sum(amount)),
        "months_without_invoice_24m": column("invoices", 0, 24).count(0),
        "months_since_sale": min(
            [past.months_ago(row) for row in sales if row["invoices"]], default=None
        ),
        "invoiced_months_24m": sum(1 <= past.months_ago(row) <= 24 for row in sales),
        "days_since_invoice_record": min(
            (past.on - row["known_on"]).days for row in past.rows("invoices")
        ),
        "red_letter_share_3m": share("red_letter_fen", "amount_fen", 3),
        "red_letters_per_invoice_12m": share("red_letters", "invoices", 12),
        "customers_growth_12m": growth("counterparties", 12, 12),
        "largest_customer_share_3m": share("largest_counterparty_fen", "amount_fen", 3),
        "purchases_to_sales_3m": _ratio(
            sum(column("amount_fen", 0, 3, "purchases")), sum(column("amount_fen", 0, 3))
        ),
        "purchases_growth_12m": growth("amount_fen", 12, 12, "purchases"),
        "purchases_yoy_3m": growth("amount_fen", 3, 12, "purchases"),
        "invoiced_margin_monthly_12m": _yuan(margin),
        "suppliers_monthly_12m": _mean(column("counterparties", 0, 12, "purchases")),
        "largest_supplier_share_12m": share(
            "largest_counterparty_fen", "amount_fen", 12, "purchases"
        ),
    }


def _utility(past: Past) -> dict[str, Any]:
    rows = past.rows("linked_bills")
    if not rows:
        return {}

    def used(service: str, first: int, count: int) -> list[int]:
        window = past.window("linked_bills", "service", service, first, count)
        return [row["quantity"] for row in window]

    def growth(service: str, months: int, before: int) -> Fraction | None:
        then = _mean(used(service, before, months))
        return _ratio(_mean(used(service, 0, months)), then)

    def bills(months: int) -> list[Row]:
        return past.window("linked_bills", "service", None, 0, months)

    def days_late(row: Row) -> int:
        return int(((row["paid_on"] or past.on) - row["due_on"]).days)

    def is_late(row: Row) -> bool:
        return bool((row["paid_on"] or past.on) > row["due_on"])

    kwh = used("electricity", 0, 12)
    year = past.window("linked_bills", "service", "electricity", 0, 12)
    overdue = [past.days_ago(row["due_on"]) or 0 for row in rows if row["paid_on"] is None]
    unpaid = [row for row in rows if row["paid_on"] is None and row["due_on"] < past.on]
    powered = [past.months_ago(row) for row in rows if row["service"] == "electricity"]
    return {
        "electricity_monthly_12m": _mean(kwh),
        "electricity_growth_12m": growth("electricity", 12, 12),
        "electricity_yoy_3m": growth("electricity", 3, 12),
        "electricity_yoy_6m": growth("electricity", 6, 12),
        "electricity_trend_6m": growth("electricity", 6, 6),
        "electricity_volatility_24m": _volatility(used("electricity", 0, 24)),
        "electricity_lowest_share_12m": _ratio(min(kwh, default=None), _mean(kwh)),
        "idle_electricity_bills_12m": sum(x < Fraction(sum(kwh), 5 * len(kwh)) for x in kwh),
        "estimated_bills_share_12m": _mean([int(row["estimated"]) for row in bills(12)]),
        "water_monthly_12m": _mean(used("water", 0, 12)),
        "water_yoy_6m": growth("water", 6, 12),
        "gas_monthly_12m": _mean(used("gas", 0, 12)),
        "gas_yoy_6m": growth("gas", 6, 12),
        "late_utility_bills_3m": sum(map(is_late, bills(3))),
        "late_utility_share_12m": _mean([int(is_late(row)) for row in bills(12)]),
        "longest_utility_delay_24m": max([0, *map(days_late, bills(24))]) if bills(24) else None,
        "utility_bills_30_days_late_24m": sum(days_late(row) > 30 for row in bills(24)),
        "utility_arrears": _yuan(sum(row["amount_fen"] for row in unpaid)),
        "electricity_months_24m": len({age for age in powered if 1 <= age <= 24}),
        "electricity_history_months": max(powered, default=None),
        "days_since_utility_record": min((past.on - row["known_on"]).days for row in rows),
        "late_utility_bills_12m": sum(map(is_late, bills(12))),
        "utility_days_overdue": max([0, *overdue]),
        "electricity_days_overdue": max(
            [0, *((past.on - r["due_on"]).days for r in unpaid if r["service"] == "electricity")]
        ),
        "months_since_electricity": min(powered, default=None),
        "electricity_meters": len({row["meter_id"] for row in year}),
        "link_confidence": min((row["link_probability"] for row in bills(12)), default=None),
    }


def _loans(past: Past) -> dict[str, Any]:
    if "repayments" not in past.delivered:
        return {}
    rows = past.rows("repayments")
    newest = past.window("repayments", "application_id", None, 0, 1)
    ages = [past.months_ago(row) for row in rows]
    late = [row for row in rows if row["days_past_due"] and 1 <= past.months_ago(row) <= 24]
    return {
        "earlier_loans": len({row["application_id"] for row in rows}),
        "earlier_days_past_due": max((row["worst_days_past_due"] for row in rows), default=None),
        "balance_owed": _yuan(sum(r["balance_fen"] for r in newest if r["state"] != "repaid")),
        "repaid_loans": sum(row["state"] == "repaid" for row in newest),
        "running_loans": sum(row["state"] != "repaid" for row in newest),
        "renewed_loans": sum(row["state"] in ("renewed", "deferred") for row in newest),
        "days_past_due_now": max((row["days_past_due"] for row in newest), default=None),
        "months_past_due_24m": len(late),
        "paid_share_of_due": _ratio(
            sum(row["paid_fen"] for row in newest), sum(row["due_fen"] for row in newest)
        ),
        "months_since_first_loan": max(ages, default=None),
        "months_since_last_loan": min(ages, default=None),
    }


def _peers(past: Past) -> dict[str, Any]:
    rows = [row for row in past.rows("peers") if (past.on - row["known_on"]).days <= 120]
    if not rows:
        return {}
    [row] = rows

    def position(measure: str) -> Fraction | None:
        below = row[f"{measure}_percentile"]
        return None if below is None else Fraction(below, 100)

    def off_the_middle(measure: str) -> Fraction | None:
        below = row[f"{measure}_percentile"]
        return None if below is None else Fraction(max(below - 50, 50 - below), 50)

    return {
        "sales_growth_position": position("sales_growth"),
        "sales_volatility_position": position("sales_volatility"),
        "electricity_growth_position": position("electricity_growth"),
        "vat_burden_off_peers": off_the_middle("vat_burden"),
        "purchases_off_peers": off_the_middle("purchases_to_sales"),
        "electricity_to_sales_off_peers": off_the_middle("electricity_to_sales"),
        "peer_sales_growth": row["sales_growth_median"],
        "peers_compared": row["peers"],
    }


def _less(left: Fraction | None, right: Fraction | None) -> Fraction | None:
    return None if left is None or right is None else left - right


def _times(value: Fraction | None, factor: int) -> Fraction | None:
    return None if value is None else value * factor


def _request(application: Row, known: Mapping[str, Any]) -> dict[str, Any]:
    amount, term = _yuan(application["amount_fen"]), application["term_months"]
    declared, invoiced, kwh, margin = (
        known.get(name)
        for name in (
            "declared_sales_monthly_12m",
            "invoiced_sales_monthly_12m",
            "electricity_monthly_12m",
            "invoiced_margin_monthly_12m",
        )
    )
    owed = known.get("balance_owed")
    debt = None if owed is None or amount is None else owed + amount
    yoy = {
        name: known.get(f"{name}_yoy_3m")
        for name in ("declared_sales", "invoiced_sales", "electricity")
    }
    told = ("is_operating", "tax_arrears", "invoiced_months_24m", "utility_arrears")
    return {
        "amount": amount,
        "term": term,
        "loan_purpose": application["purpose"],
        "repayment_form": application["repayment"],
        "amount_to_declared_sales": _ratio(amount, declared),
        "amount_to_invoiced_sales": _ratio(amount, invoiced),
        "amount_to_tax_paid": _ratio(amount, known.get("tax_paid_12m")),
        "instalment_to_declared_sales": _ratio(amount, _times(declared, term)),
        "instalment_to_invoiced_margin": _ratio(amount, _times(margin, term)),
        "debt_to_declared_sales": _ratio(debt, _times(declared, 12)),
        "declared_to_invoiced_sales": _ratio(declared, invoiced),
        "electricity_to_declared_sales": _ratio(_times(kwh, 1000), declared),
        "electricity_to_invoiced_sales": _ratio(_times(kwh, 1000), invoiced),
        "declared_less_electricity_yoy_3m": _less(yoy["declared_sales"], yoy["electricity"]),
        "declared_less_invoiced_yoy_3m": _less(yoy["declared_sales"], yoy["invoiced_sales"]),
        "sources_known": sum(known.get(name) is not None for name in told),
    }


DEPARTMENTS: tuple[Callable[[Past], dict[str, Any]], ...] = (
    _registry, _events, _returns, _grades, _invoices, _utility, _loans, _peers,
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
