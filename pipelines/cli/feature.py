"""Commands over the catalogue: what is in it, what one feature tells, how a new one begins."""

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from cyclopts import App, Parameter

from pipelines import console
from pipelines.cli.root import DATA, DEFAULT, Common, app

if TYPE_CHECKING:  # the command line should not wait for frames and trees
    from models.validation.profile import Default, Profile

feature = App(group=DATA, name="feature", help="List features, look at one, start a new one.")
app.command(feature)


@feature.command(name="list", help_epilogue="Example: microloan feature list --department tax")
def list_(*, department: str = "", common: Common = DEFAULT) -> None:
    """List the catalogue by department: meaning, unit, direction of risk.

    Parameters
    ----------
    department
        One department only: registry, tax, utility, bank, peers or request.
    """
    from features.catalog import CATALOG
    from features.errors import UnknownName

    departments = {one.department for one in CATALOG}
    if department and department not in departments:
        raise UnknownName("department", department, departments)
    wanted = (one for one in CATALOG if not department or one.department == department)
    listed = sorted(wanted, key=lambda one: one.department)
    rows = [
        {
            "feature": one.name,
            "department": one.department,
            "unit": one.unit,
            "risk": one.risk or "–",
            "meaning": one.meaning,
        }
        for one in listed
    ]
    for name, group in groupby(rows, key=lambda row: row["department"]):
        console.table(name, [{k: v for k, v in row.items() if k != "department"} for row in group])
    console.emit({"features": rows}, as_json=common.json)


@feature.command(help_epilogue="Example: microloan feature show declared_sales_yoy_6m")
def show(
    name: Annotated[str, Parameter(help="Name of the feature.")],
    /,
    *,
    common: Common = DEFAULT,
) -> None:
    """Show a feature: definition, values, missing, bad rate by bin, drift, what it goes with."""
    from features.catalog import select
    from pipelines.learning.look import declared, look, source_of

    [chosen] = select([name])
    told = declared(chosen)
    console.table(name, told)
    console.code(source_of(chosen))
    if not common.paths.features.exists():
        console.people.print(
            f"No feature table at {common.paths.features}, so no figures: run `microloan features`."
        )
        console.emit({**told, "definition": source_of(chosen)}, as_json=common.json)
        return
    found = look(common.paths, name)
    tell(found.profile)
    console.people.print(f"Picture: {found.plot}", soft_wrap=True)
    figures = msgspec.to_builtins(found.profile)
    emitted = {**told, "definition": source_of(chosen), **figures, "plot": found.plot}
    console.emit(emitted, as_json=common.json)


@feature.command(
    help_epilogue="Example: microloan feature new electricity_peak_share_12m --table linked_bills "
    "--unit share --risk rises --reason R42"
)
def new(
    name: Annotated[str, Parameter(help="Its name: <what>_<how>_<window>.")],
    /,
    *,
    table: str,
    unit: str,
    reason: str,
    risk: Literal["rises", "falls"] | None = None,
    undirected: str = "",
    root: Path = Path(),
    common: Common = DEFAULT,
) -> None:
    """Begin a feature: write its skeleton and a drawn table that fails until it is filled in.

    Parameters
    ----------
    table
        The table it reads, or "request" for the request and other features.
    unit
        Unit of its values.
    reason
        Code of the reason told when it counts against an applicant.
    risk
        Whether risk rises or falls with it.
    undirected
        Why it has no direction of risk, where it has none.
    root
        Folder of the project.
    """
    from pipelines.skeleton import Skeleton, begin

    begun = begin(root, Skeleton(name, table, unit, reason, risk, undirected))
    console.people.print(
        "Next: write the expression and the drawn table, reckon it plainly in "
        "tests/features/oracle.py, then `make test docs` (docs/adding-a-feature.md)."
    )
    common.tell(f"{name} begun", begun)


def tell(profile: "Profile") -> None:
    """Print a profile for people: histogram, bins, drift, what it goes with."""
    unknown = f"{profile.missing:.1%} of {profile.rows:,} applications do not know it"
    most = max((cell.share for cell in profile.cells), default=0.0)
    cells = [
        {"values": cell.label, "share": f"{cell.share:.1%}", "": console.bar(cell.share, most)}
        for cell in profile.cells
    ]
    console.table(f"Values; {unknown}", cells)
    if profile.quantiles:
        console.table("Quantiles", [dict(profile.quantiles)])
    if profile.default:
        _tell_default(profile.default)
    drift = [
        {"quarter": one.quarter, "applications": one.rows, "PSI": one.index, "light": one.light}
        for one in profile.quarters
    ]
    console.table("Stability against the first year", drift)
    if profile.related:
        console.table("Ranks most like (Spearman)", dict(profile.related))


def _tell_default(default: "Default") -> None:
    most = max(one.bad_rate for one in default.bins)
    bins = [
        {
            "bin": one.label,
            "loans": one.rows,
            "bad": one.bads,
            "bad rate": f"{one.bad_rate:.1%}",
            "95 % range": f"{one.low:.1%} – {one.high:.1%}",
            "": console.bar(one.bad_rate, most),
        }
        for one in default.bins
    ]
    console.table(f"Bad rate of {default.loans:,} matured loans by bin", bins)
    told = {
        "information value": default.information_value,
        "bad rate from bin to bin": default.trend,
        "chance that a bad loan has more": default.rank_auc,
        "p-value of no direction": default.p_value,
        "held against the declaration": default.agreement,
    }
    console.table("Default", told)
