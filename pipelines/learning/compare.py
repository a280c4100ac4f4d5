"""Two versions of the scorer side by side, on rows that neither has learnt from."""

from dataclasses import dataclass, field
from typing import Any

from features.catalog import CATALOG
from features.errors import MicroloanError
from models.registry import MODEL, Registry
from models.validation.metrics import PairedTest
from models.validation.plots import comparison
from models.validation.versus import Side, versus
from pipelines.learning.learn import told
from pipelines.learning.paired import on_the_same_rows
from pipelines.settings import Var
from pipelines.tabulate import read_features


@dataclass(frozen=True)
class Comparison:
    """Figures of both versions, tests of their differences, and where the plot is."""

    rows: int
    bads: int
    plot: str
    figures: list[dict[str, Any]] = field(default_factory=list)
    tests: list[dict[str, Any]] = field(default_factory=list)


def compare(paths: Var, first: int | str, second: int | str) -> Comparison:
    """Judge two versions (numbers, or an alias such as ``champion``) on the first one's test.

    Raises:
        MicroloanError: one is not registered, or no row can judge both.
    """
    registry = Registry(paths.mlflow)
    one, two = (registry.version(MODEL, which) for which in (first, second))
    table, _ = read_features(paths.features, CATALOG)
    pair = on_the_same_rows(registry, one, two, table)
    if pair is None:
        raise MicroloanError(
            f"Versions {one.version} and {two.version} have no test rows in common with both "
            "outcomes. Hint: train them with the same --as-of and --test-months."
        )
    judged = versus(
        pair.bad, (f"version {one.version}", pair.first), (f"version {two.version}", pair.second)
    )
    plot = paths.plots / f"compare-{one.version}-{two.version}.png"
    plot.parent.mkdir(parents=True, exist_ok=True)
    plot.write_bytes(comparison(judged))
    return Comparison(
        rows=len(pair.bad),
        bads=int(pair.bad.sum()),
        plot=str(plot),
        figures=[_figures(side) for side in (judged.first, judged.second)],
        tests=[_test("AUC", judged.auc), _test("log loss", judged.log_loss)],
    )


def _figures(side: Side) -> dict[str, Any]:
    return {
        "scorer": side.figures.sample,
        **told(side.figures),
        "observed/expected": side.observed_over_expected,
        "calibration error": side.calibration_error,
    }


def _test(name: str, test: PairedTest) -> dict[str, Any]:
    return {
        "figure": name,
        "first less second": test.difference,
        "standard error": test.standard_error,
        "z": test.z,
        "p": test.p_value,
    }
