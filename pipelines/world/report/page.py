"""The report of a province: JSON for machines, one self-contained page for people."""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined

from pipelines.world.report import difficulty, lending, linking, power, register, taxes
from pipelines.world.report.evidence import Evidence
from pipelines.world.report.marginal import Marginal
from pipelines.world.report.pictures import pictures

TOPICS = (lending, taxes, power, linking, register, difficulty)
# Why the default province misses what it misses.
KNOWN_MISSES = {
    "share with less than a month of cash": (
        "here little cash is what makes a loan default: a third of all businesses under a month, "
        "as surveyed, would put the bad rate far above 6 %"
    ),
    "returns filed late or missing": (
        "lateness is bunched on those short of cash, who stay late quarter after quarter, and on "
        "those that have stopped trading; the share ever late in 24 months is as asked"
    ),
    "AUC: registry, tax and utility, through the door": (
        "late filings, arrears and late bills all tell of the same cash, so the departments add "
        "little to one another"
    ),
}
HEADLINE = (
    "bad rate through the door",
    "bad rate of the granted",
    "AUC: true probability, through the door",
    "AUC: registry, tax and utility, through the door",
    "AUC: registry, tax and utility, the granted alone",
)


class Report(msgspec.Struct, frozen=True):
    """All figures of one province, with how many of those that could be judged are inside."""

    marginals: tuple[Marginal, ...]

    @property
    def judged(self) -> int:
        """Figures that the province can tell."""
        return sum(one.measured is not None for one in self.marginals)

    @property
    def inside(self) -> int:
        """Of them within their tolerance."""
        return sum(one.verdict == "inside" for one in self.marginals)

    @property
    def share(self) -> float:
        """Share inside of those that can be judged."""
        return self.inside / max(self.judged, 1)

    @property
    def misses(self) -> tuple[Marginal, ...]:
        """Those outside or not measurable."""
        return tuple(one for one in self.marginals if one.verdict != "inside")


def measure(
    province: Path,
    *,
    topics: Sequence[Any] = TOPICS,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Report, Evidence]:
    """Measure a finished province in its folder; ``topics`` are modules with ``marginals``.

    Raises:
        MicroloanError: the folder holds no province, or one of an older version.
    """
    evidence, found = Evidence(province), []
    for done, topic in enumerate(topics, start=1):
        found += topic.marginals(evidence)
        if progress:
            progress(done, len(topics))
    return Report(tuple(map(_explained, found))), evidence


def _explained(one: Marginal) -> Marginal:
    """A known miss with its reason."""
    known = one.verdict == "outside" and one.name in KNOWN_MISSES
    return msgspec.structs.replace(one, note=KNOWN_MISSES[one.name]) if known else one


def write(report: Report, evidence: Evidence, folder: Path) -> tuple[Path, Path]:
    """Write ``report.json`` and ``report.html``; the same province gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    data, page = folder / "report.json", folder / "report.html"
    data.write_bytes(msgspec.json.format(msgspec.json.encode(told(report)), indent=2) + b"\n")
    page.write_text(html(report, pictures(evidence)), encoding="utf-8")
    return data, page


def html(report: Report, drawn: dict[str, str]) -> str:
    """The page; ``drawn`` has SVG elements by title."""
    environment = Environment(
        loader=PackageLoader("pipelines.world.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
    )
    return environment.get_template("page.html").render(
        report=report,
        headline=[one for one in report.marginals if one.name in HEADLINE],
        misses=report.misses,
        topics=_by_topic(report.marginals),
        pictures=drawn,
    )


def _by_topic(marginals: Iterable[Marginal]) -> dict[str, list[Marginal]]:
    ordered = sorted(marginals, key=lambda one: one.topic)
    return {topic: list(each) for topic, each in groupby(ordered, lambda one: one.topic)}


def told(report: Report) -> dict[str, object]:
    """The report for machines."""
    return {
        "inside": report.inside,
        "judged": report.judged,
        "share": report.share,
        "marginals": [
            msgspec.to_builtins(one) | {"verdict": one.verdict} for one in report.marginals
        ],
    }
