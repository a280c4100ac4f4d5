"""Every raw column of the feeds, month by month, as known at each application; no feature at all.

What a data scientist in a hurry would give to a gradient booster: the last 24 months of each
monthly figure side by side, and the newest state of the rest. Time is cut by ``features.build``.
"""

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features import tables as t
from features.build import BUSINESS_ZONE
from features.known import as_known

MONTHS = 24
Floats = NDArray[np.float64]
SENSITIVE = ("owner_sex", "owner_is_local")

DELAY = pl.col("due_ago") - pl.col("paid_ago").fill_null(0)
MONTHLY: Mapping[str, tuple[t.Table, Mapping[str, pl.Expr]]] = {
    "tax": (
        t.TAX_RETURNS,
        {
            "sales": pl.col("sales_fen"),
            "due": pl.col("tax_due_fen"),
            "paid": pl.col("tax_paid_fen"),
            "length": pl.col("months"),
            "amendment": pl.col("amendment"),
            "assessed": (pl.col("levy") == "assessed").cast(pl.Int64),
            "delay": pl.col("due_ago") - pl.col("filed_ago").fill_null(0),
            "known": pl.col("due_ago") - pl.col("known_ago"),
        },
    ),
    "invoices": (
        t.INVOICES,
        {
            name: pl.col(name)
            for name in (
                "invoices", "amount_fen", "red_letters", "red_letter_fen", "voids",
                "counterparties", "largest_counterparty_fen",
            )
        },
    ),
    "bills": (
        t.LINKED_BILLS,
        {
            "quantity": pl.col("quantity"),
            "amount": pl.col("amount_fen"),
            "delay": DELAY,
            "estimated": pl.col("estimated").cast(pl.Int64),
        },
    ),
    "book": (
        t.REPAYMENTS,
        {
            name: pl.col(name)
            for name in (
                "days_past_due", "worst_days_past_due", "balance_fen", "due_fen", "paid_fen",
            )
        },
    ),
}  # fmt: skip
SERIES = {"tax": ("vat", "income"), "invoices": ("sales", "purchases"), "bills": t.SERVICES}


def raw_columns(applications: pl.DataFrame, tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """One row per application, with ``application_id``; unknown is null.

    Args:
        applications: as ``features.build.build`` takes them.
        tables: records by table name; a table that was never delivered is absent.
    """
    applied_on = pl.col("applied_at").dt.convert_time_zone(BUSINESS_ZONE).dt.date()
    moments = applications.select(
        pl.int_range(pl.len(), dtype=pl.UInt32).alias("row").set_sorted(),
        "business_id",
        applied_on.alias("applied_on"),
    )
    columns: dict[str, Floats] = {}
    for name, (table, figures) in MONTHLY.items():
        known = as_known(moments, tables[table.name], table).collect()
        columns |= _by_month(name, known, table, figures, moments.height)
    events = as_known(moments, tables["registration_events"], t.REGISTRATION_EVENTS).collect()
    columns |= _events(events, moments.height)
    state = pl.DataFrame(columns).with_columns(pl.all().fill_nan(None))
    asked = applications.select(
        "application_id",
        *(pl.col(name).cast(pl.Float64) for name in ("amount_fen", "term_months")),
        *(pl.col(name).cast(pl.String) for name in ("purpose", "repayment")),
        month=applied_on.dt.month().cast(pl.Float64),
    )
    return pl.concat(
        [asked, _register(moments, tables), _grades(moments, tables), state], how="horizontal"
    )


def _by_month(
    name: str, known: pl.DataFrame, table: t.Table, figures: Mapping[str, pl.Expr], rows: int
) -> dict[str, Floats]:
    """Each figure of each series in each of the last months; of several the sum."""
    recent = known.filter(pl.col("months_ago").is_between(0, MONTHS))
    found = {}
    for series in SERIES.get(name, ("",)):
        of_series = recent.filter(pl.col(table.series[0]) == series) if series else recent
        place = (of_series["row"].to_numpy(), of_series["months_ago"].to_numpy())
        for figure, value in figures.items():
            values = of_series.select(value.cast(pl.Float64)).to_series().to_numpy()
            grid = _scattered(rows, place, values)
            found |= {
                f"{name} {series} {figure} {month}": grid[:, month]
                for month in range(MONTHS + 1)
                if not np.isnan(grid[:, month]).all()
            }
    return found


def _scattered(rows: int, place: tuple[NDArray[np.uint32], ...], values: Floats) -> Floats:
    counted, total = np.zeros((rows, MONTHS + 1)), np.zeros((rows, MONTHS + 1))
    told = ~np.isnan(values)
    where = tuple(each[told] for each in place)
    np.add.at(total, where, values[told])
    np.add.at(counted, where, 1.0)
    return np.where(counted > 0, total, np.nan)


def _events(known: pl.DataFrame, rows: int) -> dict[str, Floats]:
    """How many of each kind, by month; and the days since the newest of each kind."""
    found = {}
    for kind in t.EVENTS:
        own = known.filter(pl.col("event").cast(pl.String) == kind)
        month = (own["happened_ago"] // 30).to_numpy()
        newest = np.full(rows, np.nan)
        np.fmin.at(newest, own["row"].to_numpy(), own["happened_ago"].cast(pl.Float64).to_numpy())
        counts = np.zeros((rows, MONTHS + 1))
        recent = month <= MONTHS
        np.add.at(counts, (own["row"].to_numpy()[recent], month[recent]), 1.0)
        found |= {f"{kind} {m}": counts[:, m] for m in range(MONTHS + 1) if counts[:, m].any()}
        found[f"days since {kind}"] = newest
    return found


def _register(moments: pl.DataFrame, tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    known = as_known(moments, tables["registrations"], t.REGISTRATIONS)
    names = ("legal_form", "status", "industry", "district")
    numbers = ("registered_capital_fen", "established_ago", "effective_ago", "known_ago")
    return _beside(
        moments,
        known.select(
            "row",
            *(pl.col(name).cast(pl.String) for name in names),
            *(pl.col(name).cast(pl.Float64) for name in numbers),
        ),
    )


def _grades(moments: pl.DataFrame, tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    known = as_known(moments, tables["tax_grades"], t.TAX_GRADES).collect()
    rank = pl.col("grade").to_physical().cast(pl.Float64).sort_by("year", descending=True)
    newest = (rank.get(i, null_on_oob=True).alias(f"grade {i} years back") for i in range(3))
    return _beside(moments, known.group_by("row").agg(*newest).lazy())


def _beside(moments: pl.DataFrame, known: pl.LazyFrame) -> pl.DataFrame:
    rows = moments.lazy().select("row").join(known, on="row", how="left", maintain_order="left")
    return rows.drop("row").collect()
