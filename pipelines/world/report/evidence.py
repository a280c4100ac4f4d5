"""The feeds and the truth of a finished province, and the few joins that several figures need."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl

from features.errors import MicroloanError
from features.tables import FEEDS
from pipelines.linking.link import link
from pipelines.linking.weights import SHIPPED, read_weights

AGES = (1, 2, 3, 5, 10)  # years, the upper bounds of the bands of age
SIZES = (200_000, 500_000, 1_200_000, 5_000_000)  # yuan a year


@dataclass(frozen=True)
class Evidence:
    """A province in ``folder``, as ``microloan world`` writes it."""

    folder: Path

    def feed(self, name: str) -> pl.DataFrame:
        """One department's feed without the rows that were delivered twice."""
        files = self.folder / "feeds" / FEEDS[name].name
        if not files.exists():
            raise MicroloanError(f"No province in {self.folder}. Run `microloan world` first.")
        return pl.read_parquet(files / "*.parquet").unique(maintain_order=True)

    def truth(self, name: str) -> pl.DataFrame:
        """One file of the truth."""
        path = self.folder / "truth" / f"{name}.parquet"
        if not path.exists():
            raise MicroloanError(f"No file {path}. Make the province again with `microloan world`.")
        return pl.read_parquet(path)

    @cached_property
    def businesses(self) -> pl.DataFrame:
        """The true traits of each business with its first state in the register."""
        first = self.registrations.unique("business_id", keep="first", maintain_order=True)
        return self.truth("businesses").join(
            first.select("business_id", "established_on", "legal_form"), on="business_id"
        )

    @cached_property
    def registrations(self) -> pl.DataFrame:
        """The register's states, oldest first."""
        return self.feed("registrations").sort("business_id", "known_on")

    @cached_property
    def decided(self) -> pl.DataFrame:
        """Decided applications with their truth and their business; bands of age and size."""
        applications = self.feed("applications").filter(pl.col("outcome").is_not_null())
        rows = applications.join(
            self.truth("applications"), on=["application_id", "business_id"]
        ).join(self.businesses, on="business_id")
        applied = pl.col("applied_at").dt.convert_time_zone("Asia/Shanghai").dt.date()
        years = (applied - pl.col("established_on")).dt.total_days() / 365.25
        return rows.with_columns(
            pl.col("outcome", "legal_form", "repayment").cast(pl.String),
            applied.alias("applied_on"),
            years.alias("years"),
            band(years, AGES).alias("age_band"),
            band(pl.col("monthly_sales") * 12, SIZES).alias("size_band"),
            (pl.col("legal_form").cast(pl.String) == "household").alias("household"),
        )

    @cached_property
    def granted(self) -> pl.DataFrame:
        """The decided applications that were granted."""
        return self.decided.filter(pl.col("outcome") == "granted")

    @cached_property
    def returns(self) -> pl.DataFrame:
        """The newest version of each original return that was filed."""
        rows = self.feed("tax_returns").filter(pl.col("amendment") == 0).sort("known_on")
        last = rows.unique(["business_id", "tax", "period"], keep="last", maintain_order=True)
        return last.with_columns(pl.col("tax", "levy").cast(pl.String))

    @cached_property
    def links(self) -> pl.DataFrame:
        """Whose account each meter is, as believed at the end: linked as ingest links them."""
        weights = read_weights(SHIPPED)
        rows = link(self.feed("meters"), self.feed("registered_names"), weights).sort("known_on")
        return rows.unique(["meter_id", "from_on"], keep="last", maintain_order=True)

    @cached_property
    def power(self) -> pl.DataFrame:
        """Electricity of each linked meter and month, as last restated, with its business."""
        electric = pl.col("service").cast(pl.String) == "electricity"
        linked = self.links.filter(electric, pl.col("business_id").is_not_null())
        bills = self.feed("utility_bills").sort("known_on")
        last = bills.unique(["meter_id", "period"], keep="last", maintain_order=True)
        return last.join(linked.select("meter_id", "business_id"), on="meter_id").join(
            self.truth("businesses").select("business_id", "true_trade"), on="business_id"
        )


def band(figure: pl.Expr, bounds: tuple[float, ...]) -> pl.Expr:
    """Number of the bounds at or below the figure."""
    return pl.sum_horizontal([(figure >= bound).cast(pl.Int8) for bound in bounds])


def rates(rows: pl.DataFrame, by: str, what: str = "true_pd") -> dict[object, float]:
    """Mean of ``what`` in each group, in the order of the groups."""
    return dict(rows.group_by(by).agg(pl.col(what).mean()).sort(by).iter_rows())
