"""The rows of a training: what is learnt from, what it is tested on, and who applied meanwhile."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import msgspec
import polars as pl

from features.catalog import CATALOG
from features.errors import MicroloanError
from models.loans.at_risk import months_at_risk
from models.loans.outcomes import Definition, label
from models.loans.splits import Split, out_of_time, walk_forward
from pipelines.learning.learn import Part
from pipelines.learning.plan import Plan
from pipelines.settings import Var
from pipelines.tabulate import FeatureSummary, read_features
from serving.records import Records

SEGMENTS = ("legal_form", "industry", "loan_purpose")
OWNERS = ("owner_sex", "owner_is_local", "district")  # of the register, never features
YOUNG_MONTHS = 36


@dataclass(frozen=True)
class Study:
    """Rows of a training, and the plan with its day filled in.

    ``loans`` are the rows of ``train`` with what the loan book says of them, known on ``start``,
    the first day of the test. ``applicants`` are all of the test's months, declined ones included;
    ``declined`` are those of the months before.
    """

    plan: Plan
    loans: pl.DataFrame
    start: date
    train: Part
    test: Part
    applicants: Part
    declined: Part
    flow: dict[str, int]
    table: FeatureSummary


@dataclass(frozen=True)
class LoanBook:
    """Applications and repayments, under one definition of default."""

    applications: pl.DataFrame
    repayments: pl.DataFrame
    definition: Definition

    def labels(self, as_of: date) -> pl.DataFrame:
        """What was known that morning to have become of each loan."""
        return label(self.applications, self.repayments, as_of, self.definition)

    def watched(self, as_of: date) -> pl.DataFrame:
        """Every loan as far as it had been watched that morning."""
        return months_at_risk(self.applications, self.repayments, as_of, self.definition)


@dataclass(frozen=True)
class Past:
    """All that the store tells: who applied, their loans' outcomes known ``as_of``, the book.

    Where a province's truth lies beside the feeds it measures the result and is never an input.
    """

    plan: Plan
    as_of: date
    table: FeatureSummary
    everyone: pl.DataFrame
    book: LoanBook
    labels: pl.DataFrame

    @classmethod
    def read(cls, paths: Var, plan: Plan) -> "Past":
        """The past of the store. Raises MicroloanError: there is no feature table or store."""
        table, about = read_features(paths.features, CATALOG)
        records = Records.open(paths.store)
        book = LoanBook(records.table("applications"), records.table("repayments"), plan.definition)
        as_of = plan.as_of or _newest(book.repayments)
        everyone = _with_context(table, records.table("registrations"), paths.truth)
        dated = msgspec.structs.replace(plan, as_of=as_of)
        return cls(dated, as_of, about, everyone, book, book.labels(as_of))

    @property
    def loans(self) -> pl.DataFrame:
        """Every loan with its outcome and its features."""
        return _beside(self.labels, self.everyone)


def study(paths: Var, plan: Plan) -> Study:
    """Divide the store's loans as ``plan`` asks; nothing known after the test began is learnt.

    Raises:
        MicroloanError: there is no feature table or store, or it holds too few loans.
    """
    past = Past.read(paths, plan)
    split = out_of_time(past.loans, as_of=past.as_of, test_months=plan.test_months)
    return _study(past, split, _first_day(split.test))


def walk(past: Past, *, months: int, periods: int) -> Iterator[Study]:
    """One study a period, the oldest first: what was known as it began, and who applied in it.

    Raises:
        MicroloanError: no period has both outcomes to test on and enough of them to learn from.
    """
    for start, split in walk_forward(past.loans, as_of=past.as_of, months=months, periods=periods):
        yield _study(past, split, start)


def _study(past: Past, split: Split, start: date) -> Study:
    plan, everyone, labels = past.plan, past.everyone, past.labels
    loans = split.train
    if plan.method == "hazard":
        watched = _beside(past.book.watched(start), everyone)
        # a young loan can be known to be bad, never to be good: only matured ones are judged
        loans = watched.join(
            split.train.select("application_id", "label"),
            on="application_id",
            how="left",
            maintain_order="left",
        )
    loans = loans.filter(_asked_for(plan))
    return Study(
        plan=plan,
        loans=loans,
        start=start,
        train=_part(loans, plan),
        test=_part(split.test, plan),
        applicants=_part(_same_period(everyone, labels, split.test), plan),
        declined=_part(_declined(everyone, labels, start, plan), plan),
        flow=_flow(past.book.applications, labels, loans, split.test),
        table=past.table,
    )


def _newest(repayments: pl.DataFrame) -> date:
    newest = repayments["known_on"].max()
    if not isinstance(newest, date):
        raise MicroloanError("The loan book has no repayments, so there is nothing to learn from.")
    return newest


def _with_context(table: pl.DataFrame, registrations: pl.DataFrame, truth: Path) -> pl.DataFrame:
    """The feature table with what is measured by but never learnt from."""
    owners = registrations.sort("known_on").unique("business_id", keep="last", maintain_order=True)
    known = table.join(
        owners.select("business_id", *OWNERS),
        on="business_id",
        how="left",
        maintain_order="left",
    )
    file = truth / "applications.parquet"
    if not file.exists():
        return known.with_columns(true_pd=pl.lit(None, pl.Float64))
    true = pl.read_parquet(file, columns=["application_id", "true_pd"])
    return known.join(true, on="application_id", how="left", maintain_order="left")


def _beside(loans: pl.DataFrame, everyone: pl.DataFrame) -> pl.DataFrame:
    """Loans with their features."""
    loans = loans.drop("business_id", "applied_on")
    return loans.join(everyone, on="application_id", how="left", maintain_order="left")


def _first_day(test: pl.DataFrame) -> date:
    first = test["applied_on"].min()
    assert isinstance(first, date)
    return first.replace(day=1)


def _asked_for(plan: Plan) -> pl.Expr:
    return pl.col("applied_on").is_between(plan.since or date.min, plan.until or date.max)


def _part(rows: pl.DataFrame, plan: Plan) -> Part:
    bad = (rows["label"].cast(pl.String) == "bad").cast(pl.Float64)
    outcome = rows["label"].cast(pl.String).is_in(["good", "bad"])
    true = rows["true_pd"]
    return Part(
        features=rows.select(feature.name for feature in plan.chosen),
        bad=pl.select(pl.when(outcome).then(bad)).to_series(),
        applied_on=rows["applied_on"],
        groups=rows["business_id"],
        names=rows["application_id"],
        segments=rows.select(SEGMENTS),
        sensitive=rows.select(*OWNERS, "legal_form", _age_of_business()),
        true_pd=None if true.null_count() == len(true) else true,
    )


def _age_of_business() -> pl.Expr:
    young = pl.col("business_age_months") < YOUNG_MONTHS
    band = pl.when(young).then(pl.lit("under 3 years")).otherwise(pl.lit("3 years and older"))
    known = pl.col("business_age_months").is_not_null()
    return pl.when(known).then(band).alias("age_of_business")


def _same_period(everyone: pl.DataFrame, labels: pl.DataFrame, test: pl.DataFrame) -> pl.DataFrame:
    """All who applied while the test's loans were applied for, declined ones with no label."""
    first, last = test["applied_on"].min(), test["applied_on"].max()
    return (
        everyone.filter(pl.col("applied_on").is_between(first, last))
        .join(labels.select("application_id", "label"), on="application_id", how="left")
        .with_columns(pl.col("label").cast(pl.String).fill_null("none"))
        .sort("application_id")
    )


def _declined(
    everyone: pl.DataFrame, labels: pl.DataFrame, start: date, plan: Plan
) -> pl.DataFrame:
    """Applications before the test that never became loans."""
    return (
        everyone.filter(pl.col("applied_on") < start, _asked_for(plan))
        .join(labels, on="application_id", how="anti", maintain_order="left")
        .with_columns(label=pl.lit("none"))
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
