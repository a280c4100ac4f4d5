"""Train a scorer on the applications in the store, out of time, and register it."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl

from features.catalog import CATALOG, directions
from features.errors import MicroloanError
from models import Scorer
from models.outcomes import label
from models.registry import Registry
from models.splits import out_of_time
from pipelines.learn import Learnt, Part, learn
from pipelines.settings import Var
from pipelines.tabulate import read_features
from serving.records import Records

MODEL = "microloan"
TEST_MONTHS = 6
SEGMENTS = ("legal_form", "industry", "loan_purpose")
SENSITIVE = ("owner_sex", "owner_is_local")


def train(
    paths: Var,
    *,
    seed: int = 0,
    as_of: date | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Learnt:
    """Learn from the loans that had matured before the test's first application, test on it.

    ``as_of`` cuts what is known of the loans; by default the newest day in the loan book. Where a
    province's truth lies beside the feeds it measures the result and is never an input.

    Raises:
        MicroloanError: there is no feature table or store, or it holds too few mature loans.
    """
    table, about = read_features(paths.features, CATALOG)
    records = Records.open(paths.store)
    applications, repayments = records.table("applications"), records.table("repayments")
    if repayments.is_empty():
        raise MicroloanError("The loan book has no repayments, so there is nothing to learn from.")
    cut = as_of or _newest(repayments)
    labels = label(applications, repayments, cut)
    everyone = _with_context(table, records.table("registrations"), paths.truth)
    loans = labels.drop("business_id", "applied_on").join(
        everyone, on="application_id", maintain_order="left"
    )
    split = out_of_time(loans, as_of=cut, test_months=TEST_MONTHS)
    scorer = Scorer(directions=directions(CATALOG), form="pairs", random_state=seed)
    return learn(
        Registry(paths.mlflow),
        scorer,
        _part(split.train),
        _part(split.test),
        applicants=_part(_same_period(everyone, labels, split.test)),
        name=MODEL,
        fingerprint=about.feature_fingerprint,
        fingerprints={"store": about.store_snapshot, "feature_table": about.table_sha256},
        parameters={"as_of": cut, "seed": seed, "test_months": TEST_MONTHS},
        flow=_flow(applications, labels, split.train, split.test),
        plots=paths.plots,
        progress=progress,
    )


def _newest(repayments: pl.DataFrame) -> date:
    newest = repayments["known_on"].max()
    assert isinstance(newest, date)
    return newest


def _with_context(table: pl.DataFrame, registrations: pl.DataFrame, truth: Path) -> pl.DataFrame:
    """The feature table with what is measured by but never learnt from."""
    owners = registrations.sort("known_on").unique("business_id", keep="last", maintain_order=True)
    known = table.join(
        owners.select("business_id", *SENSITIVE),
        on="business_id",
        how="left",
        maintain_order="left",
    )
    file = truth / "applications.parquet"
    if not file.exists():
        return known.with_columns(true_pd=pl.lit(None, pl.Float64))
    true = pl.read_parquet(file, columns=["application_id", "true_pd"])
    return known.join(true, on="application_id", how="left", maintain_order="left")


def _part(rows: pl.DataFrame) -> Part:
    bad = (rows["label"].cast(pl.String) == "bad").cast(pl.Float64)
    outcome = rows["label"].cast(pl.String).is_in(["good", "bad"])
    true = rows["true_pd"]
    return Part(
        features=rows.select(feature.name for feature in CATALOG),
        bad=pl.select(pl.when(outcome).then(bad)).to_series(),
        applied_on=rows["applied_on"],
        groups=rows["business_id"],
        names=rows["application_id"],
        segments=rows.select(SEGMENTS),
        sensitive=rows.select(SENSITIVE),
        true_pd=None if true.null_count() == len(true) else true,
    )


def _same_period(everyone: pl.DataFrame, labels: pl.DataFrame, test: pl.DataFrame) -> pl.DataFrame:
    """All who applied while the test's loans were applied for, declined ones with no label."""
    first, last = test["applied_on"].min(), test["applied_on"].max()
    return (
        everyone.filter(pl.col("applied_on").is_between(first, last))
        .join(labels.select("application_id", "label"), on="application_id", how="left")
        .with_columns(pl.col("label").cast(pl.String).fill_null("none"))
        .sort("application_id")
    )


def _flow(
    applications: pl.DataFrame, labels: pl.DataFrame, learnt: pl.DataFrame, tested: pl.DataFrame
) -> dict[str, int]:
    kinds = dict(labels["label"].cast(pl.String).value_counts().iter_rows())
    return {
        "applications": applications["application_id"].n_unique(),
        "granted": labels.height,
        **{str(kind): count for kind, count in sorted(kinds.items())},
        "learnt from": learnt.height,
        "tested on": tested.height,
    }
