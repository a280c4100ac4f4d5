"""Divide known outcomes into a part to learn from, one to calibrate on and one to test on.

Out of time is the only honest test of a scorer: what it is tested on was applied for after the last
outcome it has learnt from was known.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from features.errors import MicroloanError

MATURE_SHARE = 0.99


class BadSplit(MicroloanError):
    """The rows cannot be divided as asked for."""


@dataclass(frozen=True)
class Split:
    """Disjoint parts of one frame, each in a stable order; ``calibration`` may be empty."""

    train: pl.DataFrame
    calibration: pl.DataFrame
    test: pl.DataFrame

    def parts(self) -> Iterator[tuple[str, pl.DataFrame]]:
        """Name and frame of each part that has rows."""
        named = (("train", self.train), ("calibration", self.calibration), ("test", self.test))
        return ((name, part) for name, part in named if part.height)


def out_of_time(
    loans: pl.DataFrame,
    *,
    as_of: date,
    test_months: int = 6,
    test_from: date | None = None,
    calibration_months: int = 0,
    overlap: bool = False,
) -> Split:
    """Test on the last mature vintages; learn from what had matured before the first of them.

    ``loans`` is what `outcomes.label` returns, with any further columns; vintages not matured by
    ``as_of`` and labels other than good and bad are left out. The test is the last ``test_months``
    in which loans of every kind have matured (or those since ``test_from``). A loan applied for
    earlier is learnt from only if it had matured by then, so no performance window reaches into the
    test; ``calibration_months`` before that are set apart by the same rule. ``overlap=True`` drops
    the rule and cuts by application date alone, for histories too short to afford it.

    Raises BadSplit where a part would lack good loans or bad ones.
    """
    outcomes = pl.col("label").cast(pl.String).is_in(["good", "bad"])
    known = loans.filter(outcomes, pl.col("matures_on") <= as_of)
    known = known.sort("applied_on", "application_id")
    end = _mature_until(loans, as_of)
    start = test_from or _months_before(end, test_months)
    test = known.filter(pl.col("applied_on").is_between(start, end, closed="left"))
    earlier = known.filter(_settled_before(start, overlap=overlap))
    calibration = _newest_months(earlier, calibration_months)
    if calibration.height:
        first = calibration["applied_on"].to_list()[0].replace(day=1)
        earlier = earlier.filter(_settled_before(first, overlap=overlap))
    split = Split(train=earlier, calibration=calibration, test=test)
    return _demand_both_outcomes(
        split, bool(calibration_months), f"test from {start} until {end}, as of {as_of}"
    )


def walk_forward(
    loans: pl.DataFrame, *, as_of: date, months: int = 3, periods: int = 8, least_bads: int = 20
) -> Iterator[tuple[date, Split]]:
    """One split after another through the past, the oldest first, each with its first day.

    As `out_of_time`, the test being the ``months`` from that day; the last one ends where vintages
    are no more mature. Of the ``periods`` before, those are left out that would learn from fewer
    than ``least_bads`` or are without both outcomes.

    Raises BadSplit where none is left.
    """
    end = _mature_until(loans, as_of)
    found = 0
    for back in range(periods, 0, -1):
        start, until = (_months_before(end, months * at) for at in (back, back - 1))
        within = loans.filter(pl.col("applied_on") < until)
        with suppress(BadSplit):
            split = out_of_time(within, as_of=as_of, test_from=start)
            if _bads(split.train) >= least_bads:
                found += 1
                yield start, split
    if not found:
        raise BadSplit(
            f"None of the {periods} times {months} months before {end} has both outcomes to test "
            f"on and {least_bads} defaults to learn from. Hint: deliver a longer history, or name "
            "more months a period."
        )


def latest(frame: pl.DataFrame, *, time: str, share: float = 0.25, gap_days: int = 0) -> Split:
    """Test on the newest ``share`` of a flat table by its ``time``; equal times stay together.

    Rows without a time, and those of the ``gap_days`` before the test, are left out. Raises
    BadSplit where all rows are of one moment.
    """
    dated = frame.filter(pl.col(time).is_not_null()).sort(time, *_others(frame, time))
    moments = dated[time].to_list()
    cut = moments[min(int(len(moments) * (1 - share)), len(moments) - 1)] if moments else None
    end = cut - timedelta(days=gap_days) if cut and gap_days else cut
    if end is None or moments[0] >= end:
        raise BadSplit(
            f"Column {time!r} cannot cut {len(moments)} dated rows into an earlier part and the "
            f"latest {share:.0%}. Hint: name another time column, or none for a random split."
        )
    train = dated.filter(pl.col(time) < end)
    return Split(train, train.clear(), dated.filter(pl.col(time) >= cut))


def random_share(
    frame: pl.DataFrame,
    *,
    share: float = 0.25,
    stratify: str | None = None,
    groups: str | None = None,
    seed: int = 0,
) -> Split:
    """Test on a random ``share`` of a flat table; the order in which its rows come is irrelevant.

    ``stratify`` names the target whose classes are shared out evenly, ``groups`` a column (such as
    the customer) whose values each stay in one part.
    """
    rows = frame.sort(frame.columns)
    units = rows.select(groups or pl.int_range(pl.len()).alias("row")).to_series()
    strata = rows[stratify] if stratify else pl.Series(np.zeros(rows.height))
    drawn = (
        pl.DataFrame({"unit": units, "stratum": strata})
        .unique("unit", keep="first", maintain_order=True)
        .with_columns(lot=np.random.default_rng(seed).permutation(units.n_unique()))
        .with_columns(
            place=pl.col("lot").rank("ordinal").over("stratum") / pl.len().over("stratum")
        )
        .filter(pl.col("place") <= share)
    )
    tested = units.is_in(drawn["unit"].implode(), nulls_equal=True)
    train = rows.filter(~tested)
    return Split(train, train.clear(), rows.filter(tested))


def _settled_before(start: date, *, overlap: bool) -> pl.Expr:
    """True where a loan was applied for, and unless ``overlap`` has matured, before ``start``."""
    applied = pl.col("applied_on") < start
    return applied if overlap else applied & (pl.col("matures_on") <= start)


def _newest_months(loans: pl.DataFrame, months: int) -> pl.DataFrame:
    """The rows of the last ``months`` calendar months that have any."""
    if not months or loans.is_empty():
        return loans.clear()
    last = loans["applied_on"].to_list()[-1]
    return loans.filter(pl.col("applied_on") >= _months_before(last, months - 1))


def _mature_until(loans: pl.DataFrame, as_of: date) -> date:
    """First day of the first month of applications whose loans have not all matured.

    One loan in a hundred may wait: a payout long after its application holds nothing up.
    """
    month = pl.col("applied_on").dt.month_start()
    mature = (pl.col("matures_on") <= as_of).mean()
    months = loans.group_by(month=month).agg(mature=mature).sort("month")
    waiting = months.filter(pl.col("mature") < MATURE_SHARE)["month"].to_list()
    beyond = [_months_before(day, -1) for day in months["month"].to_list()[-1:]]
    return date.fromordinal(min([*waiting, *beyond, as_of]).toordinal())


def _months_before(day: date, months: int) -> date:
    """First day of the month that lies ``months`` before the month of ``day``."""
    years, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(years, month + 1, 1)


def _others(frame: pl.DataFrame, first: str) -> list[str]:
    return [name for name in frame.columns if name != first]


def _bads(loans: pl.DataFrame) -> int:
    return loans.filter(pl.col("label").cast(pl.String) == "bad").height


def _demand_both_outcomes(split: Split, calibrated: bool, when: str) -> Split:
    wanted = {"train": split.train, "test": split.test}
    if calibrated:
        wanted["calibration"] = split.calibration
    for name, part in wanted.items():
        bads = _bads(part)
        if not 0 < bads < part.height:
            raise BadSplit(
                f"The {name} part has {bads} bad among {part.height} loans ({when}); it needs good "
                "and bad ones. Hint: deliver a longer history, test fewer months, or let the "
                "performance windows overlap."
            )
    return split
