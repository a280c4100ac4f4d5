"""A scorer of the pairs form printed as a scorecard: points of every bin, and of pairs of bins."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.errors import MicroloanError
from models.scoring.columns import Matrix
from models.scoring.effects import bins_of
from models.scoring.encoding import Encoding
from models.scoring.tables import ScoreTables

if TYPE_CHECKING:
    from models.scoring.scorer import Scorer

Vector = NDArray[np.float64]
Places = NDArray[np.intp]

BASE = "base points"
LEVELS_NAMED = 12  # of a text bin; the rest are counted
COLUMNS = ("feature", "bin", "above", "up_to", "and_feature", "and_bin", "and_above", "and_up_to")


class NotTables(MicroloanError, ValueError):
    """A scorer of a form that no tables hold."""


@dataclass(frozen=True)
class Surface:
    """Log-odds of each pair of bins of two features, beyond what either adds alone.

    `rows` translates the bins over all cuts of feature `first` to the rows of `values`, `columns`
    those of `second` to its columns; the last bin is that of the missing.
    """

    first: int
    second: int
    rows: Places
    columns: Places
    values: Matrix


def tables_of(scorer: "Scorer") -> ScoreTables:
    """The tables a fitted scorer answers from.

    Raises:
        NotTables: its trees let more than two features act together.
    """
    form = scorer.fitted_.form
    if not isinstance(scorer.served_, ScoreTables):
        raise NotTables(
            f"This scorer is of the form {form!r}, whose trees let any number of features act "
            "together: no tables hold it. Fit it with form='pairs'."
        )
    return scorer.served_


def surfaces(tables: ScoreTables) -> Iterator[Surface]:
    """The tables of two features."""
    starts = zip(tables.first, tables.second, tables.first_start, tables.second_start, strict=True)
    for first, second, first_start, second_start in starts:
        cells = tables.place[first_start : first_start + len(tables.cuts[first]) + 2]
        columns = tables.place[second_start : second_start + len(tables.cuts[second]) + 2]
        width = columns[-1] + 1
        rows = (cells - cells[0]) // width
        height = rows[-1] + 1
        halves = tables.halves[cells[0] : cells[0] + height * width]
        yield Surface(int(first), int(second), rows, columns, 2 * halves.reshape(height, width))


def scorecard(scorer: "Scorer") -> pd.DataFrame:
    """A row for the base points, for each bin of a feature, and for each pair of bins.

    `points` of the base, of the bin of each feature and of the bins of each pair add up to
    `score_points`; `log_odds` likewise to `decision_function`. A bin holds values greater than
    `above` and not greater than `up_to`; for text these bound the risk its levels showed in
    training, and `bin` names them. In rows of one feature the columns `and_…` are empty.
    """
    tables, points = tables_of(scorer), scorer.points
    axes = [Axis.of(scorer.fitted_.encoding, at, cuts) for at, cuts in enumerate(tables.cuts)]
    base = pd.DataFrame({"feature": [BASE], "log_odds": [tables.base]})
    parts = [base, *_curves(tables, axes), *(_pair(surface, axes) for surface in surfaces(tables))]
    card = pd.concat(parts, ignore_index=True)
    card = card.reindex(columns=[*COLUMNS, "log_odds"])
    gained = -points.per_log_odds * card["log_odds"]
    card["points"] = gained.where(card["feature"] != BASE, points.score(tables.base))
    return card


@dataclass(frozen=True)
class Axis:
    """A feature's cuts, the training risk of its levels if it is text, and what missing is read as.

    `missing_as` is NaN where the missing have a bin of their own.
    """

    name: str
    cuts: Vector
    risks: dict[str, float] | None
    missing_as: float

    @classmethod
    def of(cls, encoding: Encoding, at: int, cuts: Vector) -> "Axis":
        """The axis of the feature at a place."""
        levels, risks = encoding.columns.levels[at], encoding.risks[at]
        by_level = None
        if levels is not None and risks is not None:
            by_level = dict(zip(levels, risks.tolist(), strict=True))
        return cls(encoding.columns.names[at], cuts, by_level, float(encoding.fills[at]))

    def coarser(self, own: Places) -> "Axis":
        """The axis whose bins are those that `own` translates to."""
        return replace(self, cuts=self.cuts[np.flatnonzero(np.diff(own[:-1]))])

    def bins(self) -> pd.DataFrame:
        """Text and bounds of each bin that a value can fall in, by its number."""
        above = np.concatenate([[-np.inf], self.cuts, [np.nan]])
        up_to = np.concatenate([self.cuts, [np.inf, np.nan]])
        missing = bins_of(np.array([self.missing_as]), self.cuts).item()
        texts = self._texts()
        texts[missing] = " or ".join(filter(None, [texts[missing], self._missing()]))
        frame = pd.DataFrame({"bin": texts, "above": above, "up_to": up_to})
        return frame[frame["bin"] != ""]

    def _texts(self) -> list[str]:
        """What is in each bin; empty where nothing can be."""
        if self.risks is None:
            return [*_intervals(self.cuts), ""]
        risks = np.array(list(self.risks.values()))
        bins = bins_of(np.where(np.isnan(risks), self.missing_as, risks), self.cuts)
        levels = np.array(list(self.risks), dtype=object)
        return [_listed(levels[bins == at].tolist()) for at in range(len(self.cuts) + 2)]

    def _missing(self) -> str:
        return "missing" if self.risks is None else "missing or unseen"


def markdown(card: pd.DataFrame, most_pairs: int = 10) -> str:
    """A scorecard to read: the widest tables first, and as many pairs of features as asked for."""
    base = card.loc[card["feature"] == BASE, "points"].item()
    alone, pairs = _widest_first(card, pair=False), _widest_first(card, pair=True)
    shown = pairs[:most_pairs]
    return "\n\n".join(
        [
            f"# Scorecard\n\nStart from {base:.1f} points and add those of every table.",
            *(_curve_text(table) for table in alone),
            f"## Pairs of features: the {len(shown)} widest of {len(pairs)}",
            *(_pair_text(table) for table in shown),
            "",
        ]
    )


def _curves(tables: ScoreTables, axes: list[Axis]) -> Iterator[pd.DataFrame]:
    for axis, start in zip(axes, tables.curve_start, strict=True):
        bins = axis.bins()
        if len(axis.cuts):
            yield bins.assign(feature=axis.name, log_odds=tables.curves[start + bins.index])


def _pair(surface: Surface, axes: list[Axis]) -> pd.DataFrame:
    first = axes[surface.first].coarser(surface.rows)
    second = axes[surface.second].coarser(surface.columns)
    left = first.bins().assign(feature=first.name).reset_index(names="row")
    right = second.bins().assign(feature=second.name).reset_index(names="row").add_prefix("and_")
    both = left.merge(right, how="cross")
    return both.assign(log_odds=surface.values[both["row"], both["and_row"]])


def _widest_first(card: pd.DataFrame, *, pair: bool) -> list[pd.DataFrame]:
    rows = card[(card["feature"] != BASE) & (card["and_feature"].notna() == pair)]
    groups = rows.groupby(["feature", "and_feature"], sort=False, dropna=False)
    tables = [table for _, table in groups]
    return sorted(tables, key=lambda table: -float(np.ptp(table["points"].to_numpy())))


def _curve_text(table: pd.DataFrame) -> str:
    rows = zip(table["bin"], table["points"], strict=True)
    lines = [[str(text), f"{points:+.1f}"] for text, points in rows]
    return _markdown_table([str(table["feature"].iloc[0]), "points"], lines)


def _pair_text(table: pd.DataFrame) -> str:
    corner = " \\ ".join(table[["feature", "and_feature"]].iloc[0])
    grid = table.pivot_table("points", "bin", "and_bin", sort=False)
    cells = [[f"{points:+.1f}" for points in line] for line in grid.to_numpy()]
    lines = [[str(text), *line] for text, line in zip(grid.index, cells, strict=True)]
    return _markdown_table([corner, *map(str, grid.columns)], lines)


def _markdown_table(header: list[str], lines: list[list[str]]) -> str:
    rows = [header, ["---"] * len(header), *lines]
    escaped = ([cell.replace("|", "\\|") for cell in row] for row in rows)
    return "\n".join(f"| {' | '.join(row)} |" for row in escaped)


def _intervals(cuts: Vector) -> list[str]:
    """`≤ 2.5`, `2.5 – 7`, `> 7`: the upper bound belongs to the interval.

    A cut at infinity parts the known from the missing; nothing lies above it.
    """
    if len(cuts) and np.isinf(cuts[-1]):
        return [*_intervals(cuts[:-1]), ""]
    if not len(cuts):
        return ["any"]
    texts = _distinct(cuts)
    between = [f"{low} – {high}" for low, high in pairwise(texts)]
    return [f"≤ {texts[0]}", *between, f"> {texts[-1]}"]


def _distinct(cuts: Vector) -> list[str]:
    """Cuts as short as leaves them apart; LightGBM writes 1e-35 where it means zero."""
    numbers = np.where((cuts > 0) & (cuts < 1e-30), 0.0, cuts)
    for digits in (4, 6, 9, 12):
        texts = [f"{number:.{digits}g}" for number in numbers.tolist()]
        if len(set(texts)) == len(texts):
            return texts
    return [repr(cut) for cut in cuts.tolist()]


def _listed(levels: list[str]) -> str:
    named = ", ".join(levels[:LEVELS_NAMED])
    return named if len(levels) <= LEVELS_NAMED else f"{named}, … ({len(levels)} levels)"
