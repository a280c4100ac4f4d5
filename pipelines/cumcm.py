"""Deliver the invoices of real Chinese firms (CUMCM 2020, problem C) as feeds that ingest accepts.

The published files hold single invoices under masked names. They become monthly totals, a minimal
register entry and one application per firm, on the first day after the month of its last invoice.
What the source does not say (establishment, industry, district) stays null.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from features.errors import MicroloanError
from features.tables import APPLICATIONS, INVOICES, REGISTRATIONS
from pipelines.world.credit_codes import credit_codes

FIRM, STATUS, DAY, NET = "企业代号", "发票状态", "开票日期", "金额"
DIRECTIONS = {"output": ("sales", "购方单位代号"), "input": ("purchases", "销方单位代号")}
DISTRICT = "330502"  # a made-up home for made-up codes; the register rows leave it null
ASKED_FEN = 500_000_00  # the source has no amounts asked for: the same for all, so no information
TERM_MONTHS = 12


def deliver(source: Path, out: Path, *, firms: str = "firms123") -> Path:
    """Write ``invoices``, ``registrations``, ``applications`` and, apart, ``defaults``.

    Args:
        source: folder with ``<firms>.parquet`` and its input and output invoices.
        out: folder to write ``feeds/`` and ``defaults.parquet`` (application_id, is_default) to.
        firms: which set of the source to read.

    Raises:
        MicroloanError: a file of the source is missing.
    """
    register = _read(source / f"{firms}.parquet").with_columns(business_id=pl.lit(""))
    codes = _codes(register.height)
    register = register.with_columns(business_id=pl.Series(codes))
    invoices = _invoices(source, firms, register)
    last = invoices.group_by("business_id").agg(
        pl.col("period").min().alias("first"),
        pl.col("period").max().dt.offset_by("1mo").alias("day"),
    )
    firm = register.join(last, on="business_id", maintain_order="left")
    feeds = {
        "invoices": _complete(invoices, INVOICES.dtypes),
        "registrations": _registrations(firm),
        "applications": _applications(firm),
    }
    (out / "feeds").mkdir(parents=True, exist_ok=True)
    for name, table in feeds.items():
        table.write_parquet(out / "feeds" / f"{name}.parquet")
    if "是否违约" in firm.columns:
        firm.select(
            pl.col(FIRM).alias("application_id"), (pl.col("是否违约") == "是").alias("is_default")
        ).write_parquet(out / "defaults.parquet")
    return out / "feeds"


def _read(path: Path) -> pl.DataFrame:
    if not path.exists():
        raise MicroloanError(f"No file {path}. Name the folder that holds the published tables.")
    return pl.read_parquet(path)


def _codes(firms: int) -> list[str]:
    """Valid credit codes that belong to nobody: the firms are masked."""
    forms, districts = ["company"] * firms, [DISTRICT] * firms
    return [str(code) for code in credit_codes(np.arange(firms), forms, districts, seed=0)]


def _invoices(source: Path, firms: str, register: pl.DataFrame) -> pl.DataFrame:
    parts = []
    for file, (direction, counterparty) in DIRECTIONS.items():
        single = _read(source / f"{firms}_{file}_invoices.parquet")
        totals = _monthly(single, counterparty).with_columns(direction=pl.lit(direction))
        parts.append(totals)
    totals = pl.concat(parts).join(register.select(FIRM, "business_id"), on=FIRM)
    return _with_empty_months(totals).select(*INVOICES.dtypes)


def _monthly(single: pl.DataFrame, counterparty: str) -> pl.DataFrame:
    """Totals per firm and month of one direction."""
    valid = pl.col(STATUS).str.strip_chars() == "有效发票"
    fen = (pl.col(NET) * 100).round().cast(pl.Int64)
    lines = single.with_columns(
        period=pl.col(DAY).dt.date().dt.month_start(),
        fen=fen,
        positive=valid & (fen > 0),
        red=valid & (fen < 0),
    )
    largest = (
        lines.filter("positive")
        .group_by(FIRM, "period", counterparty)
        .agg(pl.col("fen").sum())
        .group_by(FIRM, "period")
        .agg(
            pl.len().cast(pl.Int64).alias("counterparties"),
            pl.col("fen").max().alias("largest_counterparty_fen"),
        )
    )
    totals = lines.group_by(FIRM, "period").agg(
        pl.col("positive").sum().cast(pl.Int64).alias("invoices"),
        pl.col("fen").filter("positive").sum().alias("amount_fen"),
        pl.col("red").sum().cast(pl.Int64).alias("red_letters"),
        (-pl.col("fen").filter("red").sum()).alias("red_letter_fen"),
        (~valid).sum().cast(pl.Int64).alias("voids"),
    )
    return totals.join(largest, on=[FIRM, "period"], how="left")


def _with_empty_months(totals: pl.DataFrame) -> pl.DataFrame:
    """Months without an invoice between a firm's first and last are months of zero, not unknown."""
    months = (
        totals.group_by("business_id")
        .agg(pl.col("period").min().alias("first"), pl.col("period").max().alias("last"))
        .select("business_id", pl.date_ranges("first", "last", "1mo").alias("period"))
        .explode("period")
        .join(pl.DataFrame({"direction": ["sales", "purchases"]}), how="cross")
    )
    keys = ["business_id", "direction", "period"]
    counts = pl.exclude(*keys, "known_on")
    return (
        months.join(totals.drop(FIRM), on=keys, how="left")
        .with_columns(known_on=pl.col("period").dt.offset_by("1mo"))
        .with_columns(counts.fill_null(0))
        .sort(keys)
    )


def _registrations(firm: pl.DataFrame) -> pl.DataFrame:
    household = pl.col("企业名称").str.contains("个体")
    known = firm.select(
        "business_id",
        pl.col("first").alias("effective_on"),
        pl.when(household)
        .then(pl.lit("household"))
        .otherwise(pl.lit("company"))
        .alias("legal_form"),
        pl.lit("operating").alias("status"),
        pl.col("first").alias("known_on"),
    )
    return _complete(known, REGISTRATIONS.dtypes)


def _applications(firm: pl.DataFrame) -> pl.DataFrame:
    nine = pl.col("day").dt.combine(datetime(2000, 1, 1, 9, tzinfo=UTC).time())
    asked = firm.select(
        pl.col(FIRM).alias("application_id"),
        "business_id",
        nine.dt.replace_time_zone("Asia/Shanghai").dt.convert_time_zone("UTC").alias("applied_at"),
        pl.lit(ASKED_FEN).alias("amount_fen"),
        pl.lit(TERM_MONTHS).alias("term_months"),
        pl.lit("other").alias("purpose"),
        pl.lit("bullet").alias("repayment"),
        pl.col("day").alias("known_on"),
    )
    return _complete(asked, APPLICATIONS.dtypes)


def _complete(table: pl.DataFrame, dtypes: Mapping[str, Any]) -> pl.DataFrame:
    """Every column of the contract, null where the source is silent."""
    return table.select(
        (pl.col(name) if name in table.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in dtypes.items()
    )
