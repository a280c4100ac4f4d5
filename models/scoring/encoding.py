"""What the trees see: numbers as they are, each level of a text column as its observed risk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.scoring.columns import Codes, Columns, Matrix, day_number
from models.scoring.risks import cross_fitted, is_rare, look_up
from models.scoring.text_terms import Of, Term, cells_of, fit_terms

Vector = NDArray[np.float64]
Places = NDArray[np.int64]

MOMENTS = (date, timedelta)


@dataclass(frozen=True)
class Encoding:
    """A fitted encoding: `risks` by level code (None for numbers), `fills` for the unknown.

    The trees' columns are those of the frame, then the `terms`.
    """

    columns: Columns
    risks: tuple[Vector | None, ...]
    fills: Vector
    terms: tuple[Term, ...] = ()

    def matrix(self, X: object) -> Matrix:
        """Frame to trees' matrix, shape (rows, trees' columns)."""
        return self.apply(self.columns.matrix(X))

    def row(self, values: Mapping[str, Any]) -> Vector:
        """One applicant's values by column name, as the trees see them; absent means missing."""
        given = [values.get(name) for name in self.columns.names]
        for at, risks in self._of_text.items():
            given[at] = risks.get(given[at])
        row = self._filled(_numbers([given]), slice(None))[0]
        return np.append(row, self._terms(self._codes(values))) if self.terms else row

    def rows(self, rows: Sequence[Mapping[str, Any]], at: Sequence[int]) -> Matrix:
        """The frame's columns `at` of applicants' values by name, shape (rows, len(at))."""
        names = [self.columns.names[column] for column in at]
        given: list[list[Any]] = [[values.get(name) for name in names] for values in rows]
        for place, column in enumerate(at):
            if risks := self._of_text.get(column):
                for values in given:
                    values[place] = risks.get(values[place])
        return self._filled(_numbers(given).reshape(len(rows), len(at)), at)

    def _filled(self, found: Matrix, at: Sequence[int] | slice) -> Matrix:
        return np.where(np.isnan(found), self.fills[at], found)

    def _codes(self, values: Mapping[str, Any]) -> Matrix:
        codes = np.full((1, len(self.columns.names)), np.nan)
        for at, levels in self._numbered.items():
            codes[0, at] = levels.get(values.get(self.columns.names[at]), np.nan)
        return codes

    @cached_property
    def _numbered(self) -> dict[int, dict[str | None, int]]:
        """The code of each level, by text column."""
        texts = ((at, levels) for at, levels in enumerate(self.columns.levels) if levels)
        return {at: {level: code for code, level in enumerate(levels)} for at, levels in texts}

    def _terms(self, codes: Matrix) -> Matrix:
        values = [term.of_cells(cells_of(self.columns, codes, term.of)) for term in self.terms]
        return np.column_stack(values)

    @cached_property
    def _of_text(self) -> dict[int, dict[Any, float]]:
        """The risk of each level, by text column."""
        columns = zip(self.columns.levels, self.risks, strict=True)
        return {
            at: dict(zip(levels or (), risks.tolist(), strict=True))
            for at, (levels, risks) in enumerate(columns)
            if risks is not None
        }

    def apply(self, codes: Matrix) -> Matrix:
        """Codes to risks. Where training had no missing value, a missing one is the median."""
        matrix = _with_risks(codes, self.risks)
        for at, fill in enumerate(self.fills):
            if not np.isnan(fill):
                np.nan_to_num(matrix[:, at], copy=False, nan=fill, posinf=np.inf, neginf=-np.inf)
        return np.column_stack([matrix, self._terms(codes)]) if self.terms else matrix


def fit_encoding(
    columns: Columns,
    codes: Codes,
    bad: Vector,
    weight: Vector,
    part: Places,
    plan: Sequence[Of] = (),
) -> tuple[Encoding, Codes]:
    """The encoding for rows to come, and the training rows encoded without their own outcome.

    `part` says which part of the data a row is in, see `cross_fitted`; `plan` which terms follow
    the columns.
    """
    risks: list[Vector | None] = [None] * len(columns.names)
    encoded: dict[int, Vector] = {}
    for at, known in enumerate(columns.levels):
        if known is not None:
            risks[at], encoded[at] = cross_fitted(codes.column(at), bad, weight, len(known), part)
    seen = codes.with_columns(encoded)
    fitted = list(fit_terms(plan, columns, codes, bad, weight, part))
    terms = tuple(term for term, _ in fitted)
    encoding = Encoding(columns, tuple(risks), _fills(seen), terms)
    return encoding, seen.and_columns([values for _, values in fitted])


def has_rare_levels(columns: Columns, codes: Codes, weight: Vector) -> bool:
    """Whether the training rows' values depend on how the data are divided in parts."""
    texts = ((at, levels) for at, levels in enumerate(columns.levels) if levels)
    return any(is_rare(codes.column(at), weight, len(levels)).any() for at, levels in texts)


def _numbers(given: list[list[Any]]) -> Matrix:
    """Values as float64; None is NaN, and a date or a duration its days."""
    try:
        return np.array(given, dtype=np.float64)
    except TypeError:
        known = [
            [day_number(value) if isinstance(value, MOMENTS) else value for value in values]
            for values in given
        ]
        return np.array(known, dtype=np.float64)


def _with_risks(codes: Matrix, risks: tuple[Vector | None, ...]) -> Matrix:
    matrix = codes.copy(order="F")
    for at, risk in enumerate(risks):
        if risk is not None:
            matrix[:, at] = look_up(risk, codes[:, at])
    return matrix


def _fills(codes: Codes) -> Vector:
    """Medians of the columns without a missing value."""
    return np.array([_median_if_complete(column) for column in codes])


def _median_if_complete(column: Vector) -> float:
    if np.isnan(column).any():
        return np.nan
    return float(np.quantile(column, 0.5, method="lower"))
