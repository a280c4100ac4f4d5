"""The scorer as `train` makes it against rivals on the same features, in made-up provinces.

    python benchmarks/province.py VAR [VAR ...] --out OUT

Each VAR is a folder of `microloan world`, `ingest` and `features`; give several of other seeds.
Rivals come with their own defaults (see `real_data.py`) and learn the flags of the matured loans;
ours learns the hazard of all. Everyone is judged on the newest six matured months: on the loans
granted by their outcomes, and through the door, the declined included, by the true probabilities
that no scorer sees.
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
from real_data import SCORERS, Case

from models.validation import metrics as m
from models.validation.samples import Sample
from models.validation.truth import against_truth
from pipelines.learning.plan import Plan
from pipelines.learning.study import Study, study
from pipelines.learning.train import fit
from pipelines.settings import Var

RIVALS = ("lightgbm", "xgboost", "catboost", "ebm", "small_ebm", "scorecard")
OURS = ("hazard", "flag")


def chances(name: str, rows: Study) -> np.ndarray:
    """Probabilities of all who applied in the test's months, learnt from what was known before."""
    asked = rows.applicants.features
    if name in OURS:
        return fit(rows)(rows.train).scorer.predict_proba(asked)[:, 1]
    matured = rows.train.bad.is_not_null()
    learnt = rows.train.features.filter(matured)
    X = pd.concat([learnt.to_pandas(), asked.to_pandas()], ignore_index=True)
    bad = np.append(rows.train.outcomes[matured.to_numpy()], np.zeros(len(asked))).astype(int)
    train, test = np.arange(len(learnt)), np.arange(len(learnt), len(X))
    return SCORERS[name](Case(X, bad, [(train, test)]), train, test)


def kept(name: str, rows: Study, file: Path) -> np.ndarray:
    """The same, computed once."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        start = time.process_time()
        np.savez(file, chance=chances(name, rows), seconds=time.process_time() - start)
    with np.load(file) as found:
        return found["chance"]


def judged(rows: Study, chance: np.ndarray, first: np.ndarray) -> dict[str, float]:
    """Figures of one scorer in one province; `behind` is the first's AUC less this one's."""
    everyone = Sample("door", rows.applicants.features, rows.applicants.outcomes, chance)
    everyone = Sample(**vars(everyone) | {"true_pd": rows.applicants.true_pd.to_numpy()})
    truth, known = against_truth(everyone), ~np.isnan(everyone.bad)
    bad, risk = everyone.bad[known], chance[known]
    test = m.delong_test(bad, first[known], risk)
    return {
        "AUC": m.auc(bad, risk),
        "behind": test.difference,
        "se": test.standard_error,
        "log loss": m.log_loss(bad, np.clip(risk, 1e-6, 1 - 1e-6)),
        "ECE": m.expected_calibration_error(bad, risk),
        "O/E": m.observed_over_expected(bad, risk),
        "Gini door": truth.gini,
        "of truth": truth.share,
        "said/true": truth.expected_rate / truth.true_rate,
    }


def compared(var: Path, names: list[str], out: Path) -> list[dict[str, object]]:
    """Figures of every scorer in one province."""
    studies = {method: study(Var(var), Plan(method=method)) for method in OURS}
    rows = studies["flag"]
    found = {
        name: kept(name, studies.get(name, rows), out / var.name / f"{name}.npz") for name in names
    }
    learnt, tested = rows.train.outcomes, rows.applicants.outcomes
    print(
        f"{var.name}: {np.sum(~np.isnan(learnt)):,} matured loans, {np.nansum(learnt):.0f} bad; "
        f"tested on {np.sum(~np.isnan(tested)):,}, {np.nansum(tested):.0f} bad; "
        f"{len(tested):,} applied"
    )
    return [
        {"scorer": name, "var": var.name, **judged(rows, chance, found[names[0]])}
        for name, chance in found.items()
    ]


def main() -> None:
    """Run, and print the means over provinces."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("var", type=Path, nargs="+")
    parser.add_argument("--scorers", default=",".join((*OURS, *RIVALS)))
    parser.add_argument("--out", type=Path, default=Path("var/province_scorers"))
    arguments = parser.parse_args()
    names = arguments.scorers.split(",")
    lines = [line for var in arguments.var for line in compared(var, names, arguments.out)]
    table = pd.DataFrame(lines)
    if len(arguments.var) > 1:
        print(table.round(4).to_string(index=False))
    mean = table.drop(columns="var").groupby("scorer", sort=False).mean()
    # provinces are independent
    mean["se"] = table.groupby("scorer")["se"].agg(lambda se: np.sqrt((se**2).sum()) / len(se))
    print(mean.round(4).to_string())


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
