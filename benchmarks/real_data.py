"""Scorer against its rivals on real credit data, same splits and defaults for all.

    python benchmarks/real_data.py DATA --cases gmsc,sba --scorers default,lightgbm --out var/real

DATA is the folder that holds `gmsc/`, `sba/`, `superlender/` and `cumcm2020c/`. Rivals other than
LightGBM need their package: xgboost, catboost, interpret, optbinning. The probabilities of every
split are kept in `--out`, so that a run goes on where it stopped, and scorers run one by one are
compared all together.
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from scipy.special import expit, logit
from scipy.stats import norm
from sklearn.model_selection import RepeatedStratifiedKFold

from models import Scorer
from models.validation import metrics as m

Split = tuple[np.ndarray, np.ndarray]


@dataclass
class Case:
    """A flat table, its outcome, and the splits every scorer is judged on."""

    X: pd.DataFrame
    bad: np.ndarray
    splits: list[Split]
    directions: dict[str, int] = field(default_factory=dict)
    weight: np.ndarray | None = None
    applied_on: np.ndarray | None = None


# --- the data -------------------------------------------------------------------------------------


def gmsc(data: Path) -> Case:
    """150,000 consumers; three folds."""
    frame = pd.read_parquet(data / "gmsc/gmsc.parquet").drop(columns="Unnamed: 0")
    bad = frame.pop("SeriousDlqin2yrs").to_numpy()
    late = [name for name in frame.columns if "Late" in name or "PastDue" in name]
    directions = {"RevolvingUtilizationOfUnsecuredLines": 1} | dict.fromkeys(late, 1)
    return Case(frame, bad, _folds(bad, 3), directions)


def gmsc_2000(data: Path) -> Case:
    """Ten bank-sized samples of the same: learn from 2,000 rows, judge on 50,000 others."""
    case = gmsc(data)
    order = np.random.default_rng(0).permutation(len(case.bad))
    tested, rest = order[:50_000], order[50_000:]
    case.splits = [(rest[at : at + 2000], tested) for at in range(0, 20_000, 2000)]
    return case


def superlender(data: Path) -> Case:
    """A micro-lender's repeat loans with what their earlier loans show."""
    folder = data / "superlender"
    loans = pl.read_parquet(folder / "loans.parquet")
    people = pl.read_parquet(folder / "demographics.parquet").unique("customerid", keep="first")
    frame = loans.join(_earlier_loans(folder, loans), on="customerid", how="left")
    frame = frame.join(people, on="customerid", how="left")
    bad = (frame["good_bad_flag"] == "Bad").to_numpy().astype(int)
    frame = frame.with_columns(
        referred=pl.col("referredby").is_not_null(),
        fee=pl.col("totaldue") / pl.col("loanamount") - 1,
        growth=pl.col("loanamount") / pl.col("last_amount"),
    )
    known = ["customerid", "systemloanid", "approveddate", "creationdate", "referredby"]
    X = frame.drop(*known, "good_bad_flag").to_pandas()
    directions = {"worst_delay": 1, "mean_delay": 1, "last_delay": 1, "late_share": 1}
    return Case(X, bad, _folds(bad, 5, repeats=2), directions)


def _earlier_loans(folder: Path, loans: pl.DataFrame) -> pl.DataFrame:
    moments = ["closeddate", "firstduedate", "firstrepaiddate", "approveddate", "creationdate"]
    before = pl.read_parquet(folder / "previous_loans.parquet").with_columns(
        pl.col(name).str.to_datetime(strict=False) for name in moments
    )
    asked = loans.select("customerid", asked=pl.col("creationdate").str.to_datetime())
    before = before.join(asked, on="customerid").filter(pl.col("closeddate") < pl.col("asked"))
    delay = (pl.col("firstrepaiddate") - pl.col("firstduedate")).dt.total_hours() / 24
    open_for = (pl.col("closeddate") - pl.col("approveddate")).dt.total_hours() / 24
    return (
        before.sort("closeddate")
        .with_columns(delay=delay, overrun=open_for - pl.col("termdays"))
        .group_by("customerid")
        .agg(
            earlier_loans=pl.len(),
            mean_delay=pl.col("delay").mean(),
            worst_delay=pl.col("delay").max(),
            last_delay=pl.col("delay").last(),
            late_share=(pl.col("delay") > 0).mean(),
            mean_overrun=pl.col("overrun").mean(),
            last_overrun=pl.col("overrun").last(),
            last_amount=pl.col("loanamount").last(),
            largest_amount=pl.col("loanamount").max(),
            days_since_closed=(pl.col("asked") - pl.col("closeddate")).dt.total_days().last(),
            days_known=(pl.col("asked") - pl.col("approveddate").min()).dt.total_days().last(),
        )
    )


def cumcm(data: Path) -> Case:
    """123 small Chinese firms and their VAT invoices; five folds, six times."""
    folder = data / "cumcm2020c"
    firms = pl.read_parquet(folder / "firms123.parquet")
    sides = {"sold": "购方单位代号", "bought": "销方单位代号"}
    files = {"sold": "firms123_output_invoices", "bought": "firms123_input_invoices"}
    frame = firms
    for side, partner in sides.items():
        invoices = pl.read_parquet(folder / f"{files[side]}.parquet")
        features = _invoice_features(invoices, partner, side)
        frame = frame.join(features, on="企业代号", how="left")
    frame = frame.with_columns(margin=pl.col("bought_monthly") / pl.col("sold_monthly"))
    bad = (frame["是否违约"] == "是").to_numpy().astype(int)
    X = frame.drop("企业代号", "企业名称", "信誉评级", "是否违约").to_pandas()
    directions = {"sold_monthly": -1, "sold_months": -1, "sold_void_share": 1, "sold_partners": -1}
    return Case(X, bad, _folds(bad, 5, repeats=6), directions)


def _invoice_features(invoices: pl.DataFrame, partner: str, side: str) -> pl.DataFrame:
    valid = pl.col("发票状态").str.strip_chars() == "有效发票"
    amount, months = pl.col("金额").filter(valid), pl.col("开票日期").dt.truncate("1mo")
    span = (pl.col("开票日期").max() - pl.col("开票日期").min()).dt.total_days() / 30.44 + 1
    last = pl.col("开票日期") > pl.col("开票日期").max() - pl.duration(days=183)
    return invoices.group_by("企业代号").agg(
        (amount.sum() / span).alias(f"{side}_monthly"),
        months.n_unique().alias(f"{side}_months"),
        (pl.len() / span).alias(f"{side}_invoices"),
        pl.col(partner).n_unique().alias(f"{side}_partners"),
        (1 - valid.mean()).alias(f"{side}_void_share"),
        (amount < 0).mean().alias(f"{side}_red_share"),
        amount.median().alias(f"{side}_median_amount"),
        (pl.col("金额").filter(valid & last).sum() / 6 / (amount.sum() / span)).alias(
            f"{side}_trend"
        ),
    )


SBA_LABEL_MONTHS = 60
SBA_WEIGHTS = {"CHGOFF": 10.504, "PIF": 49.307}


def _sba(data: Path) -> pl.DataFrame:
    frame = pl.read_parquet(data / "sba/sba.parquet").filter(pl.col("approval_date").is_not_null())
    return frame.with_columns(
        pl.col("approval_date").cast(pl.Date),
        sector=pl.col("naics").cast(pl.String).str.slice(0, 2),
        naics=pl.col("naics").cast(pl.String),
        guaranteed=pl.col("sba_appv") / pl.col("gr_appv"),
        franchised=pl.col("franchise_code") > 1,
        same_state=pl.col("state").eq_missing(pl.col("bank_state")).cast(pl.Int8),
        loan_by_job=pl.col("gr_appv") / pl.col("no_emp").clip(1),
    )


def _sba_features(frame: pl.DataFrame, extra: tuple[str, ...] = ()) -> pd.DataFrame:
    names = ["city", "state", "bank", "bank_state", "naics", "sector", "no_emp", "new_exist"]
    names += ["create_job", "retained_job", "rev_line_cr", "low_doc", "gr_appv", "sba_appv"]
    names += ["guaranteed", "franchised", "same_state", "loan_by_job", *extra]
    return frame.select(names).to_pandas()


SBA_DIRECTIONS = {"no_emp": -1, "new_exist": 1}


def sba(data: Path) -> Case:
    """30,000 guaranteed loans at random, without the contaminated columns."""
    frame = _sba(data)
    bad = (frame["mis_status"] == "CHGOFF").to_numpy().astype(int)
    return Case(_sba_features(frame), bad, _folds(bad, 3), SBA_DIRECTIONS)


def sba_few_levels(data: Path) -> Case:
    """The same without the text columns of many levels: whose lead is in how those are read?"""
    case = sba(data)
    return replace(case, X=case.X.drop(columns=["city", "bank", "naics"]))


def sba_by_year(data: Path) -> Case:
    """Default within 60 months, learnt from loans matured on 1 January, judged on that year's."""
    frame = _sba(data)
    due = pl.col("approval_date").dt.offset_by(f"{SBA_LABEL_MONTHS}mo")
    bad = frame.select((pl.col("chg_off_date").cast(pl.Date) <= due).fill_null(value=False))
    approved = frame["approval_date"].to_numpy()
    weight = frame["mis_status"].replace_strict(SBA_WEIGHTS).to_numpy()
    splits = []
    for year in range(1999, 2009):
        new_year = np.datetime64(f"{year}-01-01")
        matured = frame.select(due < pl.lit(new_year).cast(pl.Date)).to_series().to_numpy()
        tested = frame["approval_date"].dt.year().to_numpy() == year
        splits.append((np.flatnonzero(matured), np.flatnonzero(tested)))
    return Case(
        _sba_features(frame),
        bad.to_series().to_numpy().astype(int),
        splits,
        SBA_DIRECTIONS,
        weight,
        approved,
    )


CASES: dict[str, Callable[[Path], Case]] = {
    "cumcm": cumcm,
    "superlender": superlender,
    "gmsc_2000": gmsc_2000,
    "gmsc": gmsc,
    "sba": sba,
    "sba_few_levels": sba_few_levels,
    "sba_by_year": sba_by_year,
}


def _folds(bad: np.ndarray, folds: int, repeats: int = 1) -> list[Split]:
    split = RepeatedStratifiedKFold(n_splits=folds, n_repeats=repeats, random_state=0)
    return list(split.split(np.zeros(len(bad)), bad))


# --- the scorers ----------------------------------------------------------------------------------


def fit_default(case: Case, train: np.ndarray, test: np.ndarray, **parameters: Any) -> np.ndarray:
    """Our scorer as it comes."""
    scorer = Scorer(**parameters).fit(
        case.X.iloc[train],
        case.bad[train],
        applied_on=None if case.applied_on is None else case.applied_on[train],
        sample_weight=None if case.weight is None else case.weight[train],
    )
    return scorer.predict_proba(case.X.iloc[test])[:, 1]


def fit_pairs(case: Case, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Our scorer held to the form that explains exactly."""
    return fit_default(case, train, test, form="pairs")


def fit_monotone(case: Case, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """The same told the directions of a few features."""
    return fit_default(case, train, test, form="pairs", directions=case.directions)


def fit_free(case: Case, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Our scorer with trees of any features."""
    return fit_default(case, train, test, form="free")


def fit_lightgbm(case: Case, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """LightGBM's own defaults, categories native."""
    from lightgbm import LGBMClassifier

    seen, unseen = _categories(case.X, train, test)
    return _fitted(LGBMClassifier(verbosity=-1), case, seen, train, unseen)


def fit_xgboost(case: Case, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """XGBoost's own defaults, categories native."""
    from xgboost import XGBClassifier

    seen, unseen = _categories(case.X, train, test)
    return _fitted(XGBClassifier(enable_categorical=True), case, seen, train, unseen)


def fit_catboost(case: Case, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """CatBoost's own defaults, categories native."""
    from catboost import CatBoostClassifier

    X = case.X.copy()
    texts = _texts(X)
    X[texts] = X[texts].astype(object).where(X[texts].notna(), "missing").astype(str)
    scorer = CatBoostClassifier(verbose=0, cat_features=texts, allow_writing_files=False)
    return _fitted(scorer, case, X.iloc[train], train, X.iloc[test])


def fit_ebm(case: Case, train: np.ndarray, test: np.ndarray, **parameters: Any) -> np.ndarray:
    """The explainable boosting machine's own defaults."""
    from interpret.glassbox import ExplainableBoostingClassifier

    X = case.X.copy()
    texts = _texts(X)
    X[texts] = X[texts].astype(object).where(X[texts].notna(), None)
    scorer = ExplainableBoostingClassifier(random_state=0, n_jobs=1, **parameters)
    return _fitted(scorer, case, X.iloc[train], train, X.iloc[test])


def fit_small_ebm(case: Case, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """The same with a seventh of the bags and fewer pairs, as the validation report has it."""
    return fit_ebm(case, train, test, outer_bags=2, interactions=10, max_bins=128)


def fit_scorecard(case: Case, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Optimal binning, weight of evidence and logistic regression."""
    from optbinning import BinningProcess
    from sklearn.linear_model import LogisticRegression

    texts = _texts(case.X)
    X = case.X.copy()
    X[texts] = X[texts].astype(object)
    seen, unseen = X.iloc[train], X.iloc[test]
    binning = BinningProcess(list(X.columns), categorical_variables=texts)
    weight = None if case.weight is None else case.weight[train]
    as_evidence = {"metric": "woe", "metric_missing": "empirical", "metric_special": "empirical"}
    binning.fit(seen, case.bad[train], sample_weight=weight)
    scorer = LogisticRegression(max_iter=1000)
    scorer.fit(binning.transform(seen, **as_evidence), case.bad[train], sample_weight=weight)
    return scorer.predict_proba(binning.transform(unseen, **as_evidence))[:, 1]


SCORERS: dict[str, Callable[..., np.ndarray]] = {
    "default": fit_default,
    "pairs": fit_pairs,
    "monotone": fit_monotone,
    "free": fit_free,
    "lightgbm": fit_lightgbm,
    "xgboost": fit_xgboost,
    "catboost": fit_catboost,
    "ebm": fit_ebm,
    "small_ebm": fit_small_ebm,
    "scorecard": fit_scorecard,
}


def _fitted(
    scorer: Any, case: Case, seen: pd.DataFrame, train: np.ndarray, unseen: pd.DataFrame
) -> np.ndarray:
    weight = None if case.weight is None else case.weight[train] / case.weight[train].mean()
    scorer.fit(seen, case.bad[train], sample_weight=weight)
    return np.asarray(scorer.predict_proba(unseen)[:, 1])


def _texts(X: pd.DataFrame) -> list[str]:
    return [name for name in X if not pd.api.types.is_numeric_dtype(X[name])]


def _categories(
    X: pd.DataFrame, train: np.ndarray, test: np.ndarray
) -> tuple[pd.DataFrame, pd.DataFrame]:
    seen, unseen = X.iloc[train].copy(), X.iloc[test].copy()
    for name in _texts(X):
        seen[name] = seen[name].astype("category")
        unseen[name] = pd.Categorical(unseen[name], categories=seen[name].cat.categories)
    return seen, unseen


# --- the comparison -------------------------------------------------------------------------------


def judge(case: Case, chances: list[np.ndarray]) -> Iterator[dict[str, float]]:
    """Figures of each split."""
    for (_, test), chance in zip(case.splits, chances, strict=True):
        bad, weight = case.bad[test], None if case.weight is None else case.weight[test]
        yield {
            "auc": m.auc(bad, chance, weight),
            "log_loss": m.log_loss(bad, np.clip(chance, 1e-6, 1 - 1e-6), weight),
            "observed/expected": m.observed_over_expected(bad, chance, weight),
        }


def pooled(
    case: Case, chances: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Outcome, mean log-odds over all splits that judged it, and weight of every judged row."""
    total, times = np.zeros(len(case.bad)), np.zeros(len(case.bad))
    for (_, test), chance in zip(case.splits, chances, strict=True):
        total[test] += logit(np.clip(chance, 1e-6, 1 - 1e-6))
        times[test] += 1
    judged = times > 0
    weight = None if case.weight is None else case.weight[judged]
    return case.bad[judged], total[judged] / times[judged], weight


def paired(
    case: Case, first: list[np.ndarray], second: list[np.ndarray]
) -> tuple[float, float, float]:
    """Mean difference of AUC over splits, its standard error and the p-value of none.

    DeLong's variances of the splits; splits that judge the same rows count as one.
    """
    tests = [
        m.delong_test(case.bad[test], one, other)
        for (_, test), one, other in zip(case.splits, first, second, strict=True)
    ]
    judged = np.concatenate([test for _, test in case.splits])
    repeats = len(judged) / len(np.unique(judged))
    error = np.sqrt(repeats * sum(test.standard_error**2 for test in tests)) / len(tests)
    difference = float(np.mean([test.difference for test in tests]))
    return difference, float(error), float(2 * norm.sf(abs(difference) / error)) if error else 1.0


def run(name: str, case: Case, scorer: str, out: Path) -> None:
    """Fit one scorer on every split not yet kept, and keep its probabilities."""
    folder = out / name / scorer
    folder.mkdir(parents=True, exist_ok=True)
    for at, (train, test) in enumerate(case.splits):
        if (kept := folder / f"{at}.npz").exists():
            continue
        start = time.perf_counter()
        chance = SCORERS[scorer](case, train, test)
        np.savez(kept, chance=chance, seconds=time.perf_counter() - start)


def kept_by(scorer: str, name: str, out: Path) -> dict[int, Any]:
    """What `run` kept, by the number of the split."""
    files = (out / name / scorer).glob("*.npz")
    return {int(file.stem): np.load(file) for file in files}


def compare(name: str, case: Case, scorers: list[str], out: Path) -> None:
    """Print the table of these scorers on the splits that all of them have, paired with the first.

    A scorer that has no split yet is left out.
    """
    kept = {scorer: splits for scorer in scorers if (splits := kept_by(scorer, name, out))}
    if not kept:
        return
    common = sorted(set(range(len(case.splits))).intersection(*kept.values()))
    case = replace(case, splits=[case.splits[at] for at in common])
    found = {
        scorer: (
            [splits[at]["chance"] for at in common],
            float(sum(splits[at]["seconds"] for at in common)),
        )
        for scorer, splits in kept.items()
    }
    first = next(iter(found))
    rows, features = case.X.shape
    print(f"\n{name}: {rows:,} rows, {features} features, {len(case.splits)} splits")
    print(f"scorer        AUC  log loss   ECE     O/E  seconds   AUC of {first} less this one's")
    for scorer, (chances, seconds) in found.items():
        mean = pd.DataFrame(judge(case, chances)).mean()
        bad, risk, weight = pooled(case, chances)
        difference, error, p_value = paired(case, found[first][0], chances)
        print(
            f"{scorer:<9} {mean['auc']:.4f} {mean['log_loss']:.4f} "
            f"{m.expected_calibration_error(bad, expit(risk), weight):.4f} "
            f"{mean['observed/expected']:7.2f} {seconds:8.0f}   "
            f"{difference:+.4f} ± {error:.4f} (p {p_value:.3f})"
        )
        figures = pd.DataFrame(judge(case, chances)).to_dict(orient="list")
        (out / name / scorer / "figures.json").write_text(json.dumps(figures))


def main() -> None:
    """Run and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--scorers", default=",".join(SCORERS))
    parser.add_argument("--out", type=Path, default=Path("var/real_data"))
    parser.add_argument("--splits", type=int, help="only the first so many of each case")
    parser.add_argument("--only-compare", action="store_true", help="fit nothing, print the tables")
    arguments = parser.parse_args()
    scorers = arguments.scorers.split(",")
    for name in arguments.cases.split(","):
        case = CASES[name](arguments.data)
        case = replace(case, splits=case.splits[: arguments.splits])
        for scorer in [] if arguments.only_compare else scorers:
            run(name, case, scorer, arguments.out)
        compare(name, case, scorers, arguments.out)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
