"""Commands that look for what should not be there."""

from dataclasses import asdict

from cyclopts import App

from features.errors import MicroloanError
from pipelines import console
from pipelines.cli.root import DATA, DEFAULT, Common, app

check = App(
    group=DATA, name="check", help="Audit features and links: none may see the future, few may err."
)
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


@check.command(help_epilogue="Example: microloan check links")
def links(*, common: Common = DEFAULT) -> None:
    """Hold the store's links of meters to businesses against the made-up province's truth."""
    from features.tables import LINKS
    from pipelines.world.report.evidence import Evidence
    from pipelines.world.report.linking import score
    from serving.records import Records

    truth = Evidence(common.paths.province).truth
    believed = Records.open(common.paths.store).table(LINKS.name)
    found = score(believed, truth("links"), truth("rebirths"))
    console.table("Links by what was believed of them", [asdict(band) for band in found.bands])
    shares = {"precision": found.precision, "recall": found.recall}
    common.tell("Links", asdict(found) | shares)
