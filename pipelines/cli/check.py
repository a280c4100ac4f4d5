"""Commands that look for what should not be there."""

from cyclopts import App

from features.errors import MicroloanError
from pipelines import console
from pipelines.cli.root import DEFAULT, Common, app

check = App(name="check", help="Audit features: none may see the future.")
app.command(check)


@check.command(help_epilogue="Example: microloan check leakage")
def leakage(*, common: Common = DEFAULT) -> None:
    """Make all that was known later absurd, and see whether a feature moves; try each one alone."""
    from pipelines.learning.leakage import audit

    found = audit(common.paths)
    if found.foretelling_alone:
        console.table("Foretell default alone, with AUC", found.foretelling_alone)
    common.tell("Leakage audit", found)
    if not found.is_clean:
        names = [*found.changed_by_the_future, *found.foretelling_alone]
        raise MicroloanError(
            f"{len(names)} of {found.features} features know too much: {', '.join(names)}. "
            "Hint: see what each reads in docs/features.md, and when that was known."
        )
