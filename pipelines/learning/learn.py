"""From rows with outcomes to a registered scorer: one way for feeds and for flat tables."""

import hashlib
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models import Scorer
from models.registry import Registry
from models.scoring.rows import UnfitRows
from models.validation.card import card
from models.validation.challengers import Rival, challengers
from models.validation.discrimination import Discrimination
from models.validation.doubt import Doubt, fit_doubt
from models.validation.reject import Trial, trials
from models.validation.report import html, plot_summary
from models.validation.samples import Sample
from models.validation.validation import Validation, validate

Progress = Callable[[int, int], None]
STEPS = 4
DOUBT = "doubt.json"  # beside the scorer's own files: how unsure it is
TESTED = "out_of_time.parquet"  # artefact: which rows the scorer was tested on


@dataclass(frozen=True)
class Part:
    """Rows with outcomes; ``names`` and what else is known stay apart from ``features``."""

    features: pl.DataFrame
    bad: pl.Series
    applied_on: pl.Series | None = None
    groups: pl.Series | None = None
    names: pl.Series | None = None
    weight: pl.Series | None = None
    segments: pl.DataFrame | None = None
    sensitive: pl.DataFrame | None = None
    true_pd: pl.Series | None = None

    @property
    def outcomes(self) -> NDArray[np.float64]:
        """1 for bad, 0 for good, NaN where it is not known."""
        return self.bad.cast(pl.Float64).fill_null(float("nan")).to_numpy()

    @property
    def known(self) -> dict[str, Any]:
        """What a sample holds beside features and outcomes."""
        more = {
            "applied_on": self.applied_on,
            "weight": self.weight,
            "segments": self.segments,
            "sensitive": self.sensitive,
            "true_pd": self.true_pd,
        }
        return {name: value for name, value in more.items() if value is not None}


@dataclass(frozen=True)
class Fitted:
    """A fitted scorer, its doubt where there is one, and further files of its making, by name.

    ``granted`` is the scorer of the granted alone where ``inference`` taught it more.
    """

    scorer: Scorer
    doubt: Doubt | None
    files: Mapping[str, bytes] = field(default_factory=dict)
    granted: Scorer | None = None
    inference: str = ""

    @property
    def belongings(self) -> dict[str, bytes]:
        """The files that it serves with beside its own."""
        return {DOUBT: b"null" if self.doubt is None else self.doubt.to_json()}


Fit = Callable[[Part], Fitted]


def by_flag(scorer: Scorer) -> Fit:
    """Learn from the flag ``bad`` of each row."""

    def fit(train: Part) -> Fitted:
        scorer.fit(
            train.features,
            train.bad,
            applied_on=train.applied_on,
            groups=train.groups,
            sample_weight=train.weight,
        )
        return Fitted(scorer, doubt_of(scorer, train.features, train.weight))

    return fit


def doubt_of(scorer: Scorer, features: pl.DataFrame, weight: Any) -> Doubt | None:
    """The scorer's doubt; None where the rows are too few to tell it."""
    try:
        return fit_doubt(scorer, features, weight=weight, seed=int(scorer.random_state))
    except UnfitRows:
        return None


@dataclass(frozen=True)
class Learnt:
    """A registered scorer, its leading figures and where to look."""

    name: str
    version: int
    run_id: str
    auc_out_of_time: float
    gini_out_of_time: float
    ks_out_of_time: float
    log_loss_out_of_time: float
    observed_over_expected: float
    calibration_error: float
    gini_share_of_truth: float | None
    feature_fingerprint: str
    data_sha256: str
    report: str
    plot: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def learn(
    registry: Registry,
    fit: Fit,
    train: Part,
    test: Part,
    *,
    name: str,
    fingerprint: str,
    fingerprints: Mapping[str, str],
    parameters: Mapping[str, object],
    plots: Path,
    applicants: Part | None = None,
    judging: Mapping[str, Any] | None = None,
    artifacts: Mapping[str, bytes] | None = None,
    rivals: bool = True,
    flow: Mapping[str, int] | None = None,
    warnings: Sequence[str] = (),
    progress: Progress | None = None,
) -> Learnt:
    """Fit a scorer on ``train``, validate it on ``test``, register it and draw its report.

    ``applicants`` are all of the test's period, declined ones included (null outcome). ``judging``
    goes to `validate`: a policy's grades and cut-off. ``rivals`` fits challengers of other makes to
    the same rows.
    """
    step = stepper(progress, STEPS)
    fitted = fit(train)
    scorer = fitted.scorer
    step()
    development = Sample.out_of_fold(
        "development", scorer, train.features, train.outcomes, **train.known
    ).known()
    step()
    tested = Sample.scored("out of time", scorer, test.features, test.outcomes, **test.known)
    everyone = _everyone(scorer, applicants)
    seed = int(scorer.random_state)
    validation = validate(
        scorer,
        development,
        tested,
        rivals=_rivals(train, tested, seed) if rivals else (),
        applicants=everyone,
        inference=_inference(fitted, everyone),
        doubt=fitted.doubt,
        flow=flow,
        **(judging or {}),
        about={"model": name, **{key: str(value) for key, value in parameters.items()}},
    )
    step()
    report, plot = _draw(validation, plots)
    data = data_hash(train, test)
    version = registry.register(
        scorer,
        validation,
        fingerprint=fingerprint,
        name=name,
        parameters=parameters,
        fingerprints={"data_sha256": data, **fingerprints},
        belongings=fitted.belongings,
        artifacts={
            "report.html": report.read_bytes(),
            "plots/summary.png": plot.read_bytes(),
            "card.md": card(validation).encode(),
            TESTED: _tested(test, scorer),
            **fitted.files,
            **(artifacts or {}),
        },
    )
    step()
    return Learnt(
        name=version.name,
        version=version.version,
        run_id=version.run_id,
        **_leading(validation),
        feature_fingerprint=fingerprint,
        data_sha256=data,
        report=str(report),
        plot=str(plot),
        rows=summary_rows(validation),
        warnings=[*warnings, *_suspicions(validation)],
    )


def summary_rows(validation: Validation) -> list[dict[str, Any]]:
    """The validation's discrimination by sample, as rows of a table."""
    return [
        {"sample": one.sample, "rows": one.rows, "bads": one.bads, **told(one)}
        for one in (validation.development, validation.out_of_time)
    ]


def told(figures: Discrimination) -> dict[str, Any]:
    """Figures of discrimination, as columns of a table."""
    return {
        "AUC": figures.auc.value,
        "AUC 95 %": f"{figures.auc.low:.3f} – {figures.auc.high:.3f}",
        "Gini": figures.gini.value,
        "KS": figures.ks.value,
        "Brier": figures.brier,
        "log loss": figures.log_loss,
    }


def _leading(validation: Validation) -> dict[str, Any]:
    test = validation.out_of_time
    truth = {figures.population: figures.share for figures in validation.truth}
    return {
        "auc_out_of_time": test.auc.value,
        "gini_out_of_time": test.gini.value,
        "ks_out_of_time": test.ks.value,
        "log_loss_out_of_time": test.log_loss,
        "observed_over_expected": validation.calibration.ratio,
        "calibration_error": validation.calibration.error,
        "gini_share_of_truth": truth.get("applicants"),
    }


def _suspicions(validation: Validation) -> list[str]:
    return [
        f"column {found.column!r} alone foretells default with AUC {found.auc:.3f}; "
        "it may be written after the outcome. Hint: drop it and compare."
        for found in validation.suspicious
    ]


def _everyone(scorer: Scorer, applicants: Part | None) -> Sample | None:
    if applicants is None:
        return None
    return Sample.scored(
        "applicants", scorer, applicants.features, applicants.outcomes, **applicants.known
    )


def _inference(fitted: Fitted, everyone: Sample | None) -> tuple[Trial, ...]:
    """What the declined taught beside the granted alone, judged on all who applied."""
    if fitted.granted is None or everyone is None:
        return ()
    return trials(everyone, fitted.granted, {fitted.inference: fitted.scorer})


def _rivals(train: Part, tested: Sample, seed: int) -> tuple[Rival, ...]:
    """Challengers learnt from the rows whose outcome is known."""
    known = train.bad.is_not_null()
    return challengers(
        train.features.filter(known),
        train.bad.filter(known),
        tested,
        weight=None if train.weight is None else train.weight.filter(known),
        seed=seed,
    )


def _draw(validation: Validation, plots: Path) -> tuple[Path, Path]:
    plots.mkdir(parents=True, exist_ok=True)
    report, plot = plots / "report.html", plots / "summary.png"
    report.write_text(html(validation), encoding="utf-8")
    plot_summary(validation, plot)
    return report, plot


def data_hash(*parts: Part) -> str:
    """SHA-256 over the values that were learnt from and tested on, in their order."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(json.dumps(part.features.columns).encode())
        digest.update(part.features.hash_rows(seed=0).to_numpy().tobytes())
        digest.update(part.outcomes.tobytes())
    return digest.hexdigest()


def _tested(test: Part, scorer: Scorer) -> bytes:
    """Names (or numbers), outcomes and log-odds of the test's rows, as Parquet."""
    names = pl.int_range(len(test.bad), eager=True) if test.names is None else test.names
    log_odds = pl.Series(scorer.decision_function(test.features))
    content = io.BytesIO()
    tested = pl.DataFrame({"application_id": names, "bad": test.bad, "log_odds": log_odds})
    tested.write_parquet(content)
    return content.getvalue()


def stepper(progress: Progress | None, steps: int) -> Callable[[], None]:
    """Tells ``progress`` of one step more each time it is called."""
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done, steps)

    return step
