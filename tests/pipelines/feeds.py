"""Small valid feeds of every table, reckoned by rule: the same arguments give the same rows."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import polars as pl
from stdnum.cn import uscc

from features.tables import FEEDS, GRADES, PURPOSES, SERVICES

FIRST_MONTH = date(2024, 1, 1)
_ORGANISATION_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)


def credit_code(number: int) -> str:
    """The valid credit code of a made-up business."""
    organisation = f"MA{number:06d}"
    pairs = zip(organisation, _ORGANISATION_WEIGHTS, strict=True)
    rest = 11 - sum(_ORGANISATION_DIGITS.index(digit) * weight for digit, weight in pairs) % 11
    code = f"91330502{organisation}{'X' if rest == 10 else 0 if rest == 11 else rest}"
    return code + uscc.calc_check_digit(code)


def feeds(businesses: int = 3, months: int = 4) -> dict[str, pl.DataFrame]:
    """Rows of every feed: each business has a meter, bills, returns, invoices and a loan.

    Two bills in three are paid a month after they were billed, as a second version of the bill.
    """
    firm = pl.DataFrame({"firm": range(businesses)}).with_columns(
        pl.Series("business_id", [credit_code(number) for number in range(businesses)]),
        pl.format("1000{}", pl.col("firm").cast(pl.String).str.zfill(8)).alias("meter_id"),
        pl.format("A{}", pl.col("firm").cast(pl.String).str.zfill(7)).alias("application_id"),
    )
    month = pl.DataFrame({"month": range(months)}).with_columns(
        pl.lit(FIRST_MONTH).dt.offset_by(pl.format("{}mo", "month")).alias("period")
    )
    monthly = firm.join(month, how="cross").with_columns(
        pl.col("period").dt.offset_by("1mo").alias("next_month"),
        (1_000_000 + pl.col("firm") * 1_000 + pl.col("month") * 7).alias("fen"),
    )
    tables = {
        "registrations": _registrations(firm),
        "registered_names": _registered_names(firm),
        "registration_events": _registration_events(firm),
        "tax_returns": _tax_returns(monthly),
        "tax_grades": _tax_grades(firm),
        "invoices": _invoices(monthly),
        "meters": _meters(firm),
        "utility_bills": _utility_bills(monthly),
        "applications": _applications(firm),
        "repayments": _repayments(monthly),
    }
    return {name: tables[name].select(_contract(name)) for name in FEEDS}


def deliver(folder: Path, tables: Mapping[str, pl.DataFrame], kind: str = "parquet") -> Path:
    """Write each table as one file of ``kind`` into ``folder``, and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        write(folder / f"{name}.{kind}", rows)
    return folder


def write(path: Path, rows: pl.DataFrame) -> None:
    """Write rows as CSV (moments in ISO 8601 with their offset) or as Parquet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        rows.write_csv(path, datetime_format="%Y-%m-%dT%H:%M:%S%:z")
    else:
        rows.write_parquet(path)


def _contract(name: str) -> list[pl.Expr]:
    return [pl.col(column).cast(dtype) for column, dtype in FEEDS[name].dtypes.items()]


def _day(year: int, month: int, day: int) -> pl.Expr:
    return pl.lit(date(year, month, day))


def _cycled(index: str, values: tuple[str, ...]) -> pl.Expr:
    return pl.col(index).mod(len(values)).replace_strict(dict(enumerate(values)))


def _registrations(firm: pl.DataFrame) -> pl.DataFrame:
    return firm.with_columns(
        effective_on=_day(2019, 5, 6),
        established_on=_day(2019, 5, 6),
        legal_form=_cycled("firm", ("company", "household")),
        status=pl.lit("operating"),
        industry=_cycled("firm", ("C18", "F52", "H62")),
        district=pl.lit("330502"),
        registered_capital_fen=10_000_000 * (1 + pl.col("firm")),
        owner_sex=_cycled("firm", ("female", "male")),
        owner_is_local=pl.col("firm").mod(3) == 0,
        known_on=_day(2019, 5, 8),
    )


def _registered_names(firm: pl.DataFrame) -> pl.DataFrame:
    return firm.with_columns(
        effective_on=_day(2019, 5, 6),
        name=pl.format("湖州吴兴商行{}", "firm"),
        representative=pl.format("王{}", "firm"),
        address=pl.format("人民路{}号", "firm"),
        phone_hash=pl.lit("0123456789abcdef"),
        known_on=_day(2019, 5, 8),
    )


def _registration_events(firm: pl.DataFrame) -> pl.DataFrame:
    return firm.with_columns(
        event=pl.lit("address_changed"),
        happened_on=_day(2023, 3, 1),
        amount_fen=None,
        known_on=_day(2023, 3, 4),
    )


def _tax_returns(monthly: pl.DataFrame) -> pl.DataFrame:
    return monthly.with_columns(
        tax=pl.lit("vat"),
        months=1,
        amendment=0,
        levy=pl.lit("actual"),
        due_on=pl.col("next_month").dt.offset_by("14d"),
        filed_on=pl.col("next_month").dt.offset_by("9d"),
        sales_fen=pl.col("fen"),
        tax_due_fen=pl.col("fen") // 100,
        tax_paid_fen=pl.col("fen") // 100,
        known_on=pl.col("next_month").dt.offset_by("15d"),
    )


def _tax_grades(firm: pl.DataFrame) -> pl.DataFrame:
    return firm.with_columns(year=2023, grade=_cycled("firm", GRADES), known_on=_day(2024, 4, 12))


def _invoices(monthly: pl.DataFrame) -> pl.DataFrame:
    directions = pl.DataFrame({"direction": ["sales", "purchases"]})
    return monthly.join(directions, how="cross").with_columns(
        invoices=10 + pl.col("month"),
        amount_fen=pl.col("fen"),
        red_letters=1,
        red_letter_fen=pl.col("fen") // 50,
        voids=0,
        counterparties=4,
        largest_counterparty_fen=pl.col("fen") // 2,
        known_on=pl.col("next_month").dt.offset_by("4d"),
    )


def _meters(firm: pl.DataFrame) -> pl.DataFrame:
    return firm.with_columns(
        service=_cycled("firm", SERVICES),
        account_name=pl.format("湖州吴兴商行{}", "firm"),
        address=pl.format("人民路{}号", "firm"),
        phone_hash=pl.lit("0123456789abcdef"),
        from_on=_day(2019, 6, 1),
        to_on=None,
        known_on=_day(2019, 6, 5),
    )


def _utility_bills(monthly: pl.DataFrame) -> pl.DataFrame:
    billed = monthly.with_columns(
        quantity=500 + pl.col("month") * 3,
        estimated=False,
        amount_fen=pl.col("fen") // 10,
        billed_on=pl.col("next_month").dt.offset_by("2d"),
        due_on=pl.col("next_month").dt.offset_by("20d"),
        paid_on=None,
        known_on=pl.col("next_month").dt.offset_by("3d"),
    )
    paid = billed.filter(pl.col("month").mod(3) > 0).with_columns(
        paid_on=pl.col("next_month").dt.offset_by("30d"),
        known_on=pl.col("next_month").dt.offset_by("31d"),
    )
    return pl.concat([billed, paid], how="vertical_relaxed")


def _applications(firm: pl.DataFrame) -> pl.DataFrame:
    return firm.with_columns(
        applied_at=pl.lit("2023-12-05T01:30:00").str.to_datetime().dt.replace_time_zone("UTC"),
        amount_fen=30_000_000,
        term_months=12,
        purpose=_cycled("firm", PURPOSES),
        repayment=pl.lit("instalment"),
        outcome=pl.lit("granted"),
        granted_fen=30_000_000,
        granted_on=_day(2023, 12, 20),
        known_on=_day(2023, 12, 21),
    )


def _repayments(monthly: pl.DataFrame) -> pl.DataFrame:
    return monthly.with_columns(
        days_past_due=0,
        worst_days_past_due=0,
        balance_fen=30_000_000 - 2_500_000 * (1 + pl.col("month")).clip(upper_bound=12),
        due_fen=2_600_000 * (1 + pl.col("month")),
        paid_fen=2_600_000 * (1 + pl.col("month")),
        state=pl.lit("performing"),
        known_on=pl.col("next_month").dt.offset_by("1d"),
    )
