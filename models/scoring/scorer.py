"""A scikit-learn classifier for credit: calibrated, monotone, additive, and saved as text."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from features.errors import MicroloanError, UnknownName
from models.scoring.boosting import TUNABLE, Form, Recipe, learning_rate
from models.scoring.columns import Columns, Matrix, frame_or_array
from models.scoring.files import read_files, write_files
from models.scoring.fitting import Fitted, fit_recipe
from models.scoring.free_trees import FreeTrees
from models.scoring.points import Points
from models.scoring.rows import UnfitRows, training_rows
from models.scoring.tables import ScoreTables

Vector = NDArray[np.float64]


class BadSetting(MicroloanError, ValueError):
    """A parameter of the scorer outside its bounds."""


class Scorer(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """Probability of default, points, and reasons that add up to the score.

    The second of the two classes (1, True, "bad" after "good") is default. Frames may come from
    pandas, Polars or Arrow, with missing values, text and dates (which count as days since 1970);
    arrays of numbers work too.

    Args:
        directions: By feature, 1 if risk rises with it, -1 if risk falls, 0 if unknown.
        form: "pairs" lets at most two features act together, so that tables explain exactly and
            fast; "free" lets any, "deep" any in large trees, both explained by TreeSHAP and seeing
            how common a level of text is and which levels meet (`models.scoring.text_terms`).
            "auto" is "pairs" unless another is better out of fold beyond doubt; see `fitted_.form`.
        seeds: Boosters averaged into the one model.
        calibrate: Fit slope and intercept of the log-odds out of fold.
        pdo: Points to double the odds.
        base_points: Points at `base_odds`.
        base_odds: Good:bad odds at `base_points`.
        random_state: Seed of folds and boosters.
        settings: Parameters of LightGBM in place of the house settings, those of
            `models.scoring.boosting.TUNABLE`.
        n_jobs: Threads; None or -1 for all cores. The model does not depend on it.
        cluster: Address of a Dask scheduler whose workers grow the final trees, in place of this
            machine; rounds are chosen here. See `models.scoring.on_cluster`.
    """

    fitted_: Fitted
    served_: ScoreTables | FreeTrees

    def __init__(
        self,
        directions: Mapping[str, int] | None = None,
        form: Form | Literal["auto"] = "auto",
        seeds: int = 5,
        calibrate: bool = True,
        pdo: float = 20.0,
        base_points: float = 600.0,
        base_odds: float = 50.0,
        random_state: int = 0,
        settings: Mapping[str, float] | None = None,
        n_jobs: int | None = None,
        cluster: str | None = None,
    ) -> None:
        self.directions = directions
        self.form = form
        self.seeds = seeds
        self.calibrate = calibrate
        self.pdo = pdo
        self.base_points = base_points
        self.base_odds = base_odds
        self.random_state = random_state
        self.settings = settings
        self.n_jobs = n_jobs
        self.cluster = cluster

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        applied_on: Any = None,
        groups: Any = None,
        sample_weight: Any = None,
    ) -> "Scorer":
        """Learn from rows `X` and outcomes `y`, whose order is irrelevant.

        `out_of_fold_` then has, row by row as given, the log-odds of trees that have not seen the
        row; NaN where there are none (too few rows for folds, or no weight).

        Args:
            X: Frame or array, shape (rows, features).
            y: Two classes, shape (rows,).
            applied_on: When each row applied; folds then never judge the past by the future.
            groups: Rows of one group (a business, say) are never on both sides of a fold.
            sample_weight: Weights, shape (rows,); only their proportions count.
        """
        X = frame_or_array(X)
        validate_data(self, X, skip_check_array=True, reset=True)
        columns = Columns.of(X)
        self.classes_, bad = _outcomes(y)
        rows = training_rows(
            columns,
            X,
            bad,
            applied_on=applied_on,
            groups=groups,
            sample_weight=sample_weight,
        )
        if rows.fewest == 0:
            raise UnfitRows("y holds only one class; default and no default are both needed.")
        fitted = fit_recipe(self.recipes(columns, len(rows)), columns, rows)
        self.out_of_fold_ = np.full(len(bad), np.nan)
        self.out_of_fold_[rows.places] = fitted.out_of_fold
        return _serving(self, fitted)

    def predict_proba(self, X: Any) -> Matrix:
        """Probability of no default and of default, shape (rows, 2)."""
        default = expit(self.decision_function(X))
        return np.column_stack([1.0 - default, default])

    def decision_function(self, X: Any) -> Vector:
        """Calibrated log-odds of default, shape (rows,)."""
        return np.asarray(self._served.score(self._matrix(X)))

    def predict(self, X: Any) -> NDArray[Any]:
        """The likelier class, shape (rows,)."""
        risky = self.decision_function(X) > 0
        return np.asarray(self.classes_[risky.astype(int)])

    def score_points(self, X: Any) -> Vector:
        """Points, more for less risk, shape (rows,)."""
        return self.points.score(self.decision_function(X))

    def explain(self, X: Any) -> pd.DataFrame:
        """What each feature adds in log-odds, and last `base`; a row sums to `decision_function`.

        A feature that is itself called base leaves that column the name `base_`.
        """
        name = "base_" if "base" in self.names_ else "base"
        return self.contributions(X).assign(**{name: self._served.base})

    def contributions(self, X: Any) -> pd.DataFrame:
        """What each feature adds in log-odds to `base_`."""
        added = self._served.contributions(self._matrix(X))
        return pd.DataFrame(added, columns=list(self.names_), index=_index(X))

    def reasons(self, X: Any, top: int = 4, neutral: Any = None) -> pd.DataFrame:
        """The features that raise each row's risk most: columns row, rank, feature, contribution.

        Harm is counted against the contributions of the frame `neutral` (its mean row), such as
        applicants at the cut-off; without it against the average applicant of the training data,
        who contributes nothing. Features that do no harm are no reasons.
        """
        harm = self.contributions(X)
        if neutral is not None:
            harm = harm - self.contributions(neutral).mean()
        values = harm.to_numpy()
        order = np.argsort(-values, axis=1, kind="stable")[:, :top]
        row, rank = np.nonzero(np.take_along_axis(values, order, axis=1) > 0)
        feature = order[row, rank]
        return pd.DataFrame(
            {
                "row": harm.index[row],
                "rank": rank + 1,
                "feature": np.array(self.names_, dtype=object)[feature],
                "contribution": values[row, feature],
            }
        )

    def encode_row(self, values: Mapping[str, Any]) -> Vector:
        """One applicant's values by name, as `explain_row` takes them; absent means missing."""
        return self.fitted_.encoding.row(values)

    def explain_row(self, row: Vector) -> Vector:
        """What each feature of an encoded row adds to `base_`, shape (features,)."""
        return self._served.row_contributions(row)

    def score_moved(self, values: Mapping[str, Any], moves: Sequence[Mapping[str, Any]]) -> Vector:
        """Log-odds of one applicant's values by name after each of some moves, shape (moves,).

        A move has the new values of some features, the same ones in each; others than the scorer's
        are passed over. The bits are those of the whole rows alone.
        """
        if isinstance(self._served, ScoreTables):
            at = [place for place, name in enumerate(self.names_) if moves and name in moves[0]]
            moved = self.fitted_.encoding.rows(moves, at)
            return self._served.moved(self.encode_row(values), np.array(at, np.intp), moved)
        rows = (self.encode_row({**values, **move}) for move in moves)
        return np.array([self.base_ + self.explain_row(row).sum() for row in rows])

    @property
    def base_(self) -> float:
        """Log-odds before any feature has spoken."""
        return float(self._served.base)

    @property
    def names_(self) -> tuple[str, ...]:
        """The features, in the order they were fitted."""
        check_is_fitted(self, "fitted_")
        return self.fitted_.encoding.columns.names

    @property
    def points(self) -> Points:
        """The scale of `score_points`."""
        return Points(self.pdo, self.base_points, self.base_odds)

    def scorecard(self) -> pd.DataFrame:
        """The scorer as tables of bins and points, see `models.scoring.scorecard.scorecard`."""
        from models.scoring.scorecard import scorecard

        return scorecard(self)

    def to_sql(self, table: str, *, keys: Sequence[str] = (), dialect: str = "duckdb") -> str:
        """The score as one SELECT, see `models.scoring.sql.to_sql`."""
        from models.scoring.sql import to_sql

        return to_sql(self, table, keys=keys, dialect=dialect)

    def save(self, folder: str | Path) -> Path:
        """Write `model.txt` (LightGBM's own text) and `scorer.json` into `folder`."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in self.to_bytes().items():
            (folder / name).write_bytes(content)
        return folder

    @classmethod
    def load(cls, folder: str | Path) -> "Scorer":
        """Read what `save` wrote."""
        names = ("model.txt", "scorer.json")
        return cls.from_bytes({name: (Path(folder) / name).read_bytes() for name in names})

    def to_bytes(self) -> dict[str, bytes]:
        """The files of a saved scorer, by name."""
        check_is_fitted(self, "fitted_")
        return write_files(self.fitted_, self.get_params(), self.classes_)

    @classmethod
    def from_bytes(cls, files: Mapping[str, bytes]) -> "Scorer":
        """A scorer from the files of `to_bytes`; nothing is executed and no path is opened."""
        fitted, parameters, classes = read_files(files)
        scorer = cls(**parameters)
        scorer.classes_ = classes
        scorer.n_features_in_ = len(fitted.encoding.columns.names)
        if not _is_positional(fitted.encoding.columns.names):
            scorer.feature_names_in_ = np.array(fitted.encoding.columns.names, dtype=object)
        return _serving(scorer, fitted)

    @property
    def _served(self) -> ScoreTables | FreeTrees:
        if not hasattr(self, "served_"):  # asked for each row: the check takes half its time
            check_is_fitted(self, "fitted_")
        return self.served_

    def _matrix(self, X: Any) -> Matrix:
        check_is_fitted(self, "fitted_")
        X = frame_or_array(X)
        validate_data(self, X, skip_check_array=True, reset=False)
        return self.fitted_.encoding.matrix(X)

    def recipes(self, columns: Columns, rows: int) -> list[Recipe]:
        """What a fit on so many rows would try, the preferred form first."""
        forms = get_args(Form)
        if self.form not in ("auto", *forms):
            raise BadSetting(f"form is {self.form!r}; it must be one of auto, {', '.join(forms)}.")
        if self.seeds < 1:
            raise BadSetting(f"seeds is {self.seeds}; it must be at least 1.")
        return [
            Recipe(
                form=form,
                directions=_directions(self.directions or {}, columns),
                seeds=self.seeds,
                calibrate=self.calibrate,
                random_state=self.random_state,
                learning_rate=learning_rate(rows),
                threads=self.n_jobs if self.n_jobs and self.n_jobs > 0 else 0,
                tuned=_tuned(self.settings or {}),
                cluster=self.cluster,
            )
            for form in (forms if self.form == "auto" else [self.form])
        ]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        tags.classifier_tags.multi_class = False
        return tags


def _serving(scorer: Scorer, fitted: Fitted) -> Scorer:
    scorer.fitted_ = fitted
    scorer.served_ = fitted.served()
    return scorer


def _outcomes(y: Any) -> tuple[NDArray[Any], Vector]:
    y = column_or_1d(np.asarray(y), warn=True)
    check_classification_targets(y)
    kind = type_of_target(y, input_name="y")
    if kind != "binary":
        raise UnfitRows(
            f"Only binary classification is supported. The type of the target is {kind}."
        )
    classes, code = np.unique(y, return_inverse=True)
    return classes, code.astype(np.float64) if len(classes) == 2 else np.zeros(len(y))


def _directions(directions: Mapping[str, int], columns: Columns) -> tuple[int, ...]:
    for name, direction in directions.items():
        if name not in columns.names:
            raise UnknownName("feature", name, columns.names)
        if direction not in (-1, 0, 1):
            raise BadSetting(f"The direction of {name!r} is {direction!r}; it must be -1, 0 or 1.")
        if direction and columns.levels[columns.names.index(name)] is not None:
            raise BadSetting(f"{name!r} holds text, which has no direction. Set it to 0.")
    return tuple(int(directions.get(name, 0)) for name in columns.names)


def _tuned(settings: Mapping[str, float]) -> dict[str, float]:
    for name in settings:
        if name not in TUNABLE:
            raise UnknownName("setting", name, TUNABLE)
    return dict(settings)


def _is_positional(names: tuple[str, ...]) -> bool:
    return names == tuple(f"x{at}" for at in range(len(names)))


def _index(X: Any) -> Any:
    return X.index if isinstance(X, pd.DataFrame) else None
