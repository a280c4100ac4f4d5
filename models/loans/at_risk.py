"""How long each granted loan was watched, and whether it defaulted: what a hazard learns from."""

from datetime import date

import polars as pl

from models.loans.outcomes import DPD90_12M, Definition, label, newest_versions


def horizon_months(definition: Definition = DPD90_12M) -> dict[str, int]:
    """Months on book that a PD speaks of: the month of the payout, then those of the window."""
    return {repayment: months + 1 for repayment, months in definition.windows.items()}


def months_at_risk(
    applications: pl.DataFrame,
    repayments: pl.DataFrame,
    as_of: date,
    definition: Definition = DPD90_12M,
) -> pl.DataFrame:
    """Every loan paid out by ``as_of`` as far as the bank had watched it that morning.

    Returns application_id, business_id, applied_on, granted_on, repayment, months_at_risk (months
    on book seen, those of payout and default included; 0 if none was), and defaulted, sorted by
    applied_on and application_id.

    Default is what `outcomes.label` calls bad, at any age. A loan repaid stays at risk to the
    newest month of the loan book; one renewed or deferred is watched no longer than to the month
    before, whatever became of it. Thirty days past due and more, short of default, are nothing yet.
    """
    loans = label(applications, repayments, as_of, definition).drop("label", "matures_on")
    months = (
        _known(repayments, as_of)
        .join(loans.select("application_id", payout=_number("granted_on")), on="application_id")
        .with_columns(month=pl.col("period") - pl.col("payout"))
    )
    ends = months.group_by("application_id").agg(
        seen=pl.col("month").max() + 1,
        bad=pl.col("month").filter(_is_bad(definition.days)).min(),
        eased=pl.col("month").filter(_in("renewed", "deferred")).min(),
        repaid=_in("repaid").any(),
        book=(pl.col("newest") - pl.col("payout")).first() + 1,
    )
    forms = {months: repayment for repayment, months in definition.windows.items()}
    return (
        loans.join(ends, on="application_id", how="left", maintain_order="left")
        .with_columns(defaulted=_came_first("bad", "eased"))
        .select(
            "application_id",
            "business_id",
            "applied_on",
            "granted_on",
            repayment=pl.col("window_months").replace_strict(forms, return_dtype=pl.String),
            months_at_risk=_last_month().fill_null(0).clip(0),
            defaulted="defaulted",
        )
    )


def _known(repayments: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """The newest version of each loan's month known by ``as_of``, and the book's newest month."""
    return (
        newest_versions(repayments, ["application_id", "period"], as_of)
        .select("application_id", "worst_days_past_due", "state", period=_number("period"))
        .with_columns(newest=pl.col("period").max())
    )


def _is_bad(bad_days: int) -> pl.Expr:
    return (pl.col("worst_days_past_due") >= bad_days) | _in("written_off", "guarantee_paid")


def _in(*states: str) -> pl.Expr:
    return pl.col("state").cast(pl.String).is_in(states)


def _came_first(event: str, other: str) -> pl.Expr:
    happened = pl.col(event).is_not_null()
    return happened & (pl.col(other).is_null() | (pl.col(event) <= pl.col(other)))


def _last_month() -> pl.Expr:
    return (
        pl.when("defaulted")
        .then(pl.col("bad") + 1)
        .when(pl.col("eased").is_not_null())
        .then("eased")
        .when("repaid")
        .then("book")
        .otherwise("seen")
    )


def _number(day: str) -> pl.Expr:
    return pl.col(day).dt.year().cast(pl.Int64) * 12 + pl.col(day).dt.month().cast(pl.Int64)
