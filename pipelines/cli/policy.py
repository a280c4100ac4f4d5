"""Commands of who keeps the policy: does it hold, and what does it change."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from pipelines import console
from pipelines.cli.root import DECIDE, DEFAULT, Common, app

policy = App(group=DECIDE, name="policy", help="Check policy files.")
app.command(policy)


@policy.command(help_epilogue="Example: microloan policy check policies/2026-11.yaml")
def check(
    file: Annotated[Path, Parameter(help="Policy file.")],
    /,
    *,
    against: Path | None = None,
    common: Common = DEFAULT,
) -> None:
    """Validate a policy file, work its cases, and show what it changes against the one before.

    Parameters
    ----------
    against
        File to compare with; default: the one of the same folder in force before it.
    """
    from serving.decision.revision import check as check_file

    checked = check_file(file, against)
    changes = [change._asdict() for change in checked.changes]
    if changes:
        console.table(f"Changes against {checked.previous}", changes)
    common.tell(f"{file} holds", asdict(checked) | {"changes": changes})
