"""SBA loans out of time year by year: learn on 1 January, be judged on that year's approvals.

    python benchmarks/sba_by_year.py DATA --scorers hazard,flag,lightgbm --out var/sba

DATA is the folder that holds `sba/`. Default within 60 months, without `term` and `urban_rural`,
weighted to the real base rate. A flag can be learnt from loans that were 60 months old on that day;
a hazard from all of them, with the charge-offs known by then.
"""

import argparse
import os
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
from real_data import (
    SBA_DIRECTIONS,
    SBA_LABEL_MONTHS,
    Case,
    fit_lightgbm,
    fit_monotone,
    sba_by_year,
)

from models import Scorer
from models.scoring.hazard import fit_hazard
from models.validation import metrics as m

YEARS = range(1999, 2009)
Chances = dict[int, np.ndarray]


def known_on(new_year: date, loans: pl.DataFrame) -> pl.DataFrame:
    """Months on book and charge-offs as known that morning; null months where not yet approved."""
    charged_off = pl.col("chg_off_date") < new_year
    seen_until = pl.when(charged_off).then("chg_off_date").otherwise(pl.lit(new_year))
    month = _month_number(seen_until) - _month_number(pl.col("approval_date"))
    return loans.select(
        # a charge-off is seen in its own month, a loan that lives up to the month before
        months=pl.when(pl.col("approval_date") < new_year).then(
            month + charged_off.fill_null(False)
        ),
        defaulted=charged_off.fill_null(False),
    )


def _month_number(day: pl.Expr) -> pl.Expr:
    return day.dt.year().cast(pl.Int64) * 12 + day.dt.month().cast(pl.Int64)


def hazard(case: Case, loans: pl.DataFrame, year: int, *, calendar: bool = True) -> np.ndarray:
    """PDs of the year's approvals by a hazard learnt from all loans approved before."""
    new_year = date(year, 1, 1)
    watched = known_on(new_year, loans)
    seen = np.flatnonzero(watched["months"].is_not_null())
    learnt = fit_hazard(
        Scorer(directions=SBA_DIRECTIONS),
        case.X.iloc[seen],
        months_at_risk=watched["months"][seen],
        defaulted=watched["defaulted"][seen],
        started_on=loans["approval_date"][seen],
        as_of=new_year,
        horizon_months=SBA_LABEL_MONTHS,
        sample_weight=case.weight[seen],
        calendar=calendar,
    )
    return learnt.scorer.predict_proba(case.X.iloc[_tested(case, year)])[:, 1]


def hazard_all_years(case: Case, loans: pl.DataFrame, year: int) -> np.ndarray:
    """The same at the level of all years instead of the last."""
    return hazard(case, loans, year, calendar=False)


def flag(case: Case, _: pl.DataFrame, year: int) -> np.ndarray:
    """Our scorer on the flags of mature loans."""
    return fit_monotone(case, *case.splits[year - YEARS[0]])


def lightgbm(case: Case, _: pl.DataFrame, year: int) -> np.ndarray:
    """LightGBM's own defaults on the same flags."""
    return fit_lightgbm(case, *case.splits[year - YEARS[0]])


SCORERS: dict[str, Callable[[Case, pl.DataFrame, int], np.ndarray]] = {
    "hazard": hazard,
    "hazard_all_years": hazard_all_years,
    "flag": flag,
    "lightgbm": lightgbm,
}


def _tested(case: Case, year: int) -> np.ndarray:
    return case.splits[year - YEARS[0]][1]


def run(name: str, case: Case, loans: pl.DataFrame, out: Path) -> Chances:
    """Probabilities by year, computed once and kept."""
    chances = {}
    for year in YEARS:
        kept = out / f"{year}.{name}.npz"
        if not kept.exists():
            start = time.perf_counter()
            chance = SCORERS[name](case, loans, year)
            np.savez(kept, chance=chance, seconds=time.perf_counter() - start)
        with np.load(kept) as file:
            chances[year] = file["chance"]
    return chances


def figures(case: Case, chances: Chances) -> pd.DataFrame:
    """AUC, log loss and observed over expected, a row for each year."""
    rows = {}
    for year, chance in chances.items():
        bad, weight = case.bad[_tested(case, year)], case.weight[_tested(case, year)]
        rows[year] = {
            "AUC": m.auc(bad, chance, weight),
            "log loss": m.log_loss(bad, np.clip(chance, 1e-6, 1 - 1e-6), weight),
            "O/E": m.observed_over_expected(bad, chance, weight),
        }
    return pd.DataFrame(rows).T


def main() -> None:
    """Run, and print a table by year and the means."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--scorers", default=",".join(SCORERS))
    parser.add_argument("--out", type=Path, default=Path("var/sba"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    case = sba_by_year(arguments.data)
    loans = pl.read_parquet(arguments.data / "sba/sba.parquet").select(
        pl.col("approval_date", "chg_off_date").cast(pl.Date)
    )
    names = arguments.scorers.split(",")
    tables = {name: figures(case, run(name, case, loans, arguments.out)) for name in names}
    for name, table in tables.items():
        print(f"\n{name}\n{table.round(3).to_string()}")
    print("\nmean of years\n", pd.DataFrame({n: t.mean() for n, t in tables.items()}).round(4))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
