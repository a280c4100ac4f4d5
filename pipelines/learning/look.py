"""Looking at one feature: on all applications, and on the loans that a training learns from."""

import ast
import inspect
from dataclasses import dataclass
from typing import Any

from features.catalog import CATALOG, MODULES, directions, select
from features.definition import Feature
from features.reasons import REASONS
from models.validation.profile import Default, Profile, default_by, profile
from models.validation.profile_plot import profile_plot
from pipelines.learning.plan import Plan
from pipelines.learning.study import study
from pipelines.settings import Var
from pipelines.tabulate import read_features


@dataclass(frozen=True)
class Look:
    """A feature's profile and where its picture lies."""

    profile: Profile
    plot: str


def declared(feature: Feature) -> dict[str, Any]:
    """All that the declaration says."""
    reason = REASONS[feature.reason]
    return {
        "feature": feature.name,
        "meaning": feature.meaning,
        "department": feature.department,
        "table": feature.source.name if feature.source else "the row",
        "unit": feature.unit,
        "risk": feature.risk or f"no direction: {feature.undirected}",
        "plausible": "–"
        if feature.plausible is None
        else "{:g} to {:g}".format(*feature.plausible),
        "reason": reason.code,
        "reason_told_if": feature.told_if or "any value",
        "reason_english": reason.english,
        "reason_chinese": reason.chinese,
    }


def source_of(feature: Feature) -> str:
    """The declaration as it is written."""
    [module] = [one for one in MODULES if vars(one).get(feature.name) is feature]
    text = inspect.getsource(module)
    functions = (node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef))
    [found] = [node for node in functions if node.name == feature.name]
    first = min(each.lineno for each in found.decorator_list)
    return "\n".join(text.splitlines()[first - 1 : found.end_lineno])


def look(paths: Var, name: str) -> Look:
    """Measure a feature and draw its picture.

    Values, drift and related features are those of all applications; how default goes with it is
    told by the matured loans before the test, which stays unseen.

    Raises:
        MicroloanError: no such feature, no feature table, or too few loans.
    """
    [feature] = select([name])
    table, _ = read_features(paths.features, CATALOG)
    columns = table.select(one.name for one in CATALOG)
    measured = profile(columns, name, table["applied_on"], _default(paths, feature))
    paths.plots.mkdir(parents=True, exist_ok=True)
    file = paths.plots / f"{name}.png"
    file.write_bytes(profile_plot(measured, feature.unit))
    return Look(measured, str(file))


def _default(paths: Var, feature: Feature) -> Default:
    learnt = study(paths, Plan(method="flag")).train
    return default_by(
        learnt.features[feature.name], learnt.outcomes, directions([feature])[feature.name]
    )
