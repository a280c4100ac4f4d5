"""What became of each granted loan, as far as the loan book told it by a given day.

The performance window is counted in months on book: month 0 is the month of the payout, and the
window closes at the end of month 12 (instalments) or 15 (bullet, whose trouble shows at maturity).
That is the default; other days and windows may be asked for.

- ``bad``: 90 days past due or more, written off, or paid by a guarantor, inside the window;
- ``good``: never over 30 days, and repaid or observed up to the close of the window;
- ``indeterminate``: 31 to 89 days, renewed or deferred; monitored, but not learnt from;
- ``immature``: none of these can be said yet.

A label, once said, changes only when the loan book is restated, or a renewed loan turns bad.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl

from features.errors import MicroloanError

GOOD_DAYS = 30
BULLET_MONTHS = 3  # a bullet loan's window is so much longer
LABELS = pl.Enum(("bad", "good", "indeterminate", "immature"))


class BadDefinition(MicroloanError):
    """A definition of default that cannot be used."""


@dataclass(frozen=True)
class Definition:
    """Bad is so many days past due within so many months on book, written ``dpd90_12m``."""

    days: int = 90
    months: int = 12

    @classmethod
    def parse(cls, name: str) -> "Definition":
        """The definition of that name. Raises BadDefinition."""
        found = re.fullmatch(r"dpd(\d{2,3})_(\d{1,2})m", name)
        made = cls(*map(int, found.groups())) if found else None
        if made is None or made.days <= GOOD_DAYS or not made.months:
            raise BadDefinition(
                f"{name!r} is no definition of default; write days past due (over {GOOD_DAYS}) and "
                "months on book, as dpd90_12m."
            )
        return made

    @property
    def name(self) -> str:
        """As `parse` reads it."""
        return f"dpd{self.days}_{self.months}m"

    @property
    def windows(self) -> Mapping[str, int]:
        """Months of the performance window by form of repayment."""
        return {"instalment": self.months, "bullet": self.months + BULLET_MONTHS}


DPD90_12M = Definition()


def label(
    applications: pl.DataFrame,
    repayments: pl.DataFrame,
    as_of: date,
    definition: Definition = DPD90_12M,
) -> pl.DataFrame:
    """Label every loan paid out by ``as_of`` with what the bank knew of it that morning.

    Returns application_id, business_id, applied_on (Date, Asia/Shanghai), granted_on, label,
    window_months and matures_on, sorted by applied_on and application_id. ``matures_on`` is one
    month after the close of the window: a default is known early and a good loan late, so only
    vintages that have reached it show an unbiased share of bads.
    """
    loans = _loans(applications, as_of, definition)
    months = _months(repayments, as_of).join(loans, on="application_id")
    verdicts = _verdicts(months, definition.days)
    return (
        loans.join(verdicts, on="application_id", how="left")
        .select(
            "application_id",
            "business_id",
            "applied_on",
            "granted_on",
            pl.col("label").fill_null("immature"),
            "window_months",
            matures_on=pl.col("granted_on")
            .dt.month_start()
            .dt.offset_by(pl.format("{}mo", pl.col("window_months") + 2)),
        )
        .sort("applied_on", "application_id")
    )


def _loans(applications: pl.DataFrame, as_of: date, definition: Definition) -> pl.DataFrame:
    window = pl.col("repayment").cast(pl.String).replace_strict(definition.windows)
    return (
        newest_versions(applications, ["application_id"], as_of)
        .filter(pl.col("granted_on") <= as_of)
        .with_columns(
            applied_on=pl.col("applied_at").dt.convert_time_zone("Asia/Shanghai").dt.date(),
            window_months=window.cast(pl.Int64),
        )
        .select("application_id", "business_id", "applied_on", "granted_on", "window_months")
    )


def _months(repayments: pl.DataFrame, as_of: date) -> pl.DataFrame:
    months = newest_versions(repayments, ["application_id", "period"], as_of)
    return months.select(
        "application_id", "period", "worst_days_past_due", pl.col("state").cast(pl.String)
    )


def newest_versions(table: pl.DataFrame, key: list[str], as_of: date) -> pl.DataFrame:
    """Of the versions of one key known by ``as_of``, the one known last."""
    known = table.filter(pl.col("known_on") <= as_of)
    return known.sort("known_on", maintain_order=True).unique(key, keep="last")


def _verdicts(months: pl.DataFrame, bad_days: int) -> pl.DataFrame:
    """One label per loan from its months, each with the loan's window beside it."""
    month = _month_number("period") - _month_number("granted_on")
    # Where the closing month is missing the next one stands in for it. It can clear a loan, or
    # leave it indeterminate, but it cannot say that trouble came before the close.
    closing = pl.col("month").filter(pl.col("month") >= pl.col("window_months")).min()
    return (
        months.with_columns(month=month)
        .with_columns(closing=closing.over("application_id"))
        .filter(pl.col("month") <= pl.max_horizontal("window_months", "closing"))
        .with_columns(inside=pl.col("month") <= pl.col("window_months"))
        .group_by("application_id")
        .agg(label=_verdict(bad_days).cast(LABELS))
    )


def _verdict(bad_days: int) -> pl.Expr:
    days, state, inside = pl.col("worst_days_past_due"), pl.col("state"), pl.col("inside")
    lost = state.is_in(["written_off", "guarantee_paid"])
    eased = state.is_in(["renewed", "deferred"]).any()
    finished = pl.col("closing").is_not_null().any() | state.is_in(["repaid", "renewed"]).any()
    return (
        pl.when((((days >= bad_days) | lost) & inside).any())
        .then(pl.lit("bad"))
        .when(~finished)
        .then(pl.lit("immature"))
        .when((days.max() <= GOOD_DAYS) & ~eased & ~lost.any())
        .then(pl.lit("good"))
        .otherwise(pl.lit("indeterminate"))
    )


def _month_number(day: str) -> pl.Expr:
    return pl.col(day).dt.year().cast(pl.Int64) * 12 + pl.col(day).dt.month()
