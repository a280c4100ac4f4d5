"""Every figure a validator asks of a fitted scorer, in one record, from which reports are made."""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from models.scoring.scorer import Scorer
from models.validation import metrics
from models.validation.bands import (
    Band,
    HosmerLemeshow,
    Light,
    deciles,
    grades,
    hosmer_lemeshow,
)
from models.validation.behaviour import (
    Faithfulness,
    Violation,
    faithfulness,
    survives_saving,
    violations,
)
from models.validation.challengers import Rival
from models.validation.discrimination import (
    Curves,
    Discrimination,
    curves,
    discrimination,
)
from models.validation.doubt import Doubt, DoubtBand, doubt_bands
from models.validation.fairness import Group, fairness
from models.validation.leaks import suspicious_columns
from models.validation.reject import Trial
from models.validation.samples import Sample
from models.validation.shapes import Shape, shapes
from models.validation.slices import Slice, level_of, months, score_index, segments
from models.validation.stability import Drift, drift
from models.validation.truth import Truth, against_truth

MASTER_SCALE = (
    ("A1", 0.005),
    ("A2", 0.01),
    ("B1", 0.015),
    ("B2", 0.025),
    ("C1", 0.04),
    ("C2", 0.06),
    ("D1", 0.09),
    ("D2", 0.14),
    ("E", 1.0),
)
_REFUSED_SHARE = 0.2


class Window(msgspec.Struct, frozen=True):
    """One sample: its rows, its known bads, and its first and last day of application."""

    sample: str
    rows: int
    bads: int
    first: str | None
    last: str | None


class Step(msgspec.Struct, frozen=True):
    """One step of the population's way from application to label."""

    name: str
    rows: int


class Calibration(msgspec.Struct, frozen=True):
    """Expected against observed out of time; ``error`` is the expected calibration error.

    ``low`` and ``high`` bound the true rate at 95 % (Jeffreys).
    """

    expected: float
    observed: float
    low: float
    high: float
    ratio: float
    error: float
    light: Light
    deciles: tuple[Band, ...]
    grades: tuple[Band, ...]
    test: HosmerLemeshow


class Suspicion(msgspec.Struct, frozen=True):
    """A column that alone foretells default too well."""

    column: str
    auc: float


class Validation(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one scorer. Nothing in it was measured on rows that the scorer has seen."""

    about: dict[str, str]
    cut_off: float
    windows: tuple[Window, ...]
    flow: tuple[Step, ...]
    development: Discrimination
    out_of_time: Discrimination
    curves: tuple[Curves, ...]
    calibration: Calibration
    score_index: float
    drift: tuple[Drift, ...]
    months: tuple[Slice, ...]
    segments: tuple[Slice, ...]
    truth: tuple[Truth, ...]
    faithfulness: Faithfulness | None
    violations: tuple[Violation, ...]
    survives_saving: bool
    suspicious: tuple[Suspicion, ...]
    fairness: tuple[Group, ...]
    shapes: tuple[Shape, ...]
    rivals: tuple[Rival, ...] = ()
    doubt: tuple[DoubtBand, ...] = ()
    inference: tuple[Trial, ...] = ()

    def to_json(self) -> bytes:
        """The record as JSON, the same bytes for the same figures."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1)

    @classmethod
    def from_json(cls, content: bytes) -> "Validation":
        """The record that `to_json` wrote."""
        return msgspec.json.decode(content, type=cls)

    def metrics(self) -> dict[str, float]:
        """The leading figures under flat names, as a register of models wants them."""
        return {
            **_flat("development", self.development),
            **_flat("out_of_time", self.out_of_time),
            "out_of_time.observed_over_expected": self.calibration.ratio,
            "out_of_time.calibration_error": self.calibration.error,
            "out_of_time.hosmer_lemeshow_p": self.calibration.test.p_value,
            "stability.score_index": self.score_index,
            "suspicious_columns": float(len(self.suspicious)),
            "direction_violations": float(len(self.violations)),
            **({"faithfulness": self.faithfulness.share} if self.faithfulness else {}),
            **{
                f"truth.{name}.{_key(truth.population)}": figure
                for truth in self.truth
                for name, figure in (("gini_share", truth.share), ("error", truth.error))
            },
            **{
                f"rival.{_key(rival.name)}.{name}": figure
                for rival in self.rivals
                if rival.figures
                for name, figure in msgspec.structs.asdict(rival.figures).items()
            },
        }


def validate(
    scorer: Scorer,
    development: Sample,
    out_of_time: Sample,
    *,
    applicants: Sample | None = None,
    directions: Mapping[str, int] | None = None,
    cut_off: float | None = None,
    scale: Sequence[tuple[str, float]] = MASTER_SCALE,
    flow: Mapping[str, int] | None = None,
    about: Mapping[str, str] | None = None,
    rivals: Sequence[Rival] = (),
    doubt: Doubt | None = None,
    inference: Sequence[Trial] = (),
) -> Validation:
    """Measure a scorer on rows it has not seen.

    ``development`` holds out-of-fold probabilities of the rows it was fitted on, ``out_of_time``
    later rows with outcomes, ``applicants`` everyone of the later period, declined ones included
    (their ``bad`` is NaN), for fairness and, in a province, the truth. Declines are probabilities
    from ``cut_off`` on; by default a fifth of the later rows. ``directions`` are those that must
    hold, by default the scorer's own; ``scale`` names grades with the upper bounds of their
    probabilities; ``rivals`` is what `challengers` says of the same ``out_of_time``, ``doubt`` what
    `fit_doubt` made of the scorer, ``inference`` what `reject.compare` found.
    """
    directions = dict(scorer.directions or {} if directions is None else directions)
    cut_off = _cut_off(cut_off, applicants or out_of_time)
    then = development.scored_by(scorer)
    samples = [development, out_of_time, *([applicants] if applicants is not None else [])]
    everyone = applicants or out_of_time
    leaks = suspicious_columns(development.features, development.bad, development.weight)
    return Validation(
        about=dict(about or {}),
        cut_off=cut_off,
        windows=tuple(_window(sample) for sample in samples),
        flow=tuple(Step(name, rows) for name, rows in (flow or {}).items()),
        development=discrimination(development),
        out_of_time=discrimination(out_of_time),
        curves=(curves(development), curves(out_of_time)),
        calibration=_calibration(out_of_time, scale),
        score_index=score_index(then, out_of_time),
        drift=drift(development.features, out_of_time.features),
        months=months(then, out_of_time),
        segments=segments(then, out_of_time),
        truth=tuple(against_truth(one) for one in samples if one.true_pd is not None),
        faithfulness=faithfulness(scorer, everyone, cut_off),
        violations=violations(scorer, out_of_time.features, directions),
        survives_saving=survives_saving(scorer, out_of_time.features.head(1000)),
        suspicious=tuple(Suspicion(name, auc) for name, auc in leaks),
        fairness=fairness(everyone, cut_off),
        shapes=shapes(scorer, out_of_time.features, directions),
        rivals=tuple(rivals),
        doubt=doubt_bands(everyone, doubt.of(scorer, everyone.features)) if doubt else (),
        inference=tuple(inference),
    )


def _cut_off(asked: float | None, judged: Sample) -> float:
    """Where declines begin; without any from the one asked for, the riskiest fifth is judged."""
    if asked is not None and (judged.probability >= asked).any():
        return asked
    return float(np.nextafter(np.quantile(judged.probability, 1 - _REFUSED_SHARE), 1))


def _window(sample: Sample) -> Window:
    days = [] if sample.applied_on is None else sample.applied_on.drop_nulls().sort().to_list()
    first, last = (str(days[0]), str(days[-1])) if days else (None, None)
    return Window(sample.name, len(sample), int(np.nansum(sample.bad)), first, last)


def _calibration(sample: Sample, scale: Sequence[tuple[str, float]]) -> Calibration:
    columns = sample.bad, sample.probability, sample.weight
    table = deciles(*columns)
    level = level_of(sample)
    return Calibration(
        **level._asdict(),
        ratio=level.observed / level.expected,
        error=metrics.expected_calibration_error(*columns),
        deciles=table,
        grades=grades(scale, *columns),
        test=hosmer_lemeshow(table),
    )


def _flat(prefix: str, figures: Discrimination) -> dict[str, float]:
    intervals = {name: getattr(figures, name) for name in ("auc", "gini", "ks", "h_measure")}
    return {
        **{f"{prefix}.{name}": interval.value for name, interval in intervals.items()},
        f"{prefix}.auc_low": figures.auc.low,
        f"{prefix}.auc_high": figures.auc.high,
        f"{prefix}.brier": figures.brier,
        f"{prefix}.log_loss": figures.log_loss,
        f"{prefix}.rows": float(figures.rows),
        f"{prefix}.bads": float(figures.bads),
        f"{prefix}.bad_rate": figures.bad_rate,
    }


def _key(name: str) -> str:
    return name.replace(" ", "_")
