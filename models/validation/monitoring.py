"""A scorer in use: what it decided, held against the population that it was developed on."""

from collections.abc import Iterator

import msgspec

from features.errors import MicroloanError
from models.validation.bands import Band, Light
from models.validation.discrimination import Interval
from models.validation.people import People, people
from models.validation.performance import Performance, performance
from models.validation.population import (
    FEWEST,
    Decided,
    Development,
    Population,
    Terms,
    population,
)

HEARD = 0.1  # of the mean log-odds: a tenth of the odds
_NAMED = 3  # of what moved most


class TooFew(MicroloanError):
    """Decisions too few for anything to be told of them."""


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at; no light where it cannot be judged yet."""

    about: str
    light: Light | None
    text: str


class Monitoring(msgspec.Struct, frozen=True):
    """Everything that was found of a model's decisions; aggregates alone, dates as ISO text.

    ``about`` names model, policy and data, ``left_out`` counts decisions not looked at, by why.
    ``people`` is None of a batch, which nobody overrides.
    """

    about: dict[str, str]
    first: str
    last: str
    developed_first: str
    developed_last: str
    left_out: dict[str, int]
    population: Population
    people: People | None
    performance: Performance
    findings: tuple[Finding, ...] = ()

    @property
    def light(self) -> Light:
        """The worst of all."""
        lights = {one.light for one in self.findings}
        return "red" if "red" in lights else "amber" if "amber" in lights else "green"

    def metrics(self) -> dict[str, float]:
        """Leading figures, for a register."""
        seen, told = self.population, self.performance
        figures = {
            "decisions": float(seen.decisions),
            "score_index": seen.score.index,
            "features_red": float(sum(one.light == "red" for one in seen.features)),
            "mean_probability": seen.mean_probability,
            **{f"share.{one.name}": one.share for one in seen.outcomes},
            "matured": float(told.rows),
            "bads": float(told.bads),
        }
        if told.level:
            figures |= {"expected": told.level.expected, "observed": told.level.observed}
        if told.auc:
            figures["auc"] = told.auc.value
        return figures


def monitor(
    decided: Decided, then: Development, terms: Terms, auc_then: Interval, about: dict[str, str]
) -> Monitoring:
    """Look at decisions as a model-risk team does every month.

    Raises:
        TooFew: there are under 50.
    """
    made = decided.made
    if made.height < FEWEST:
        left = "; ".join(f"{number:,} {why}" for why, number in decided.left_out.items() if number)
        raise TooFew(
            f"Decisions to look at: {made.height}; {FEWEST} are needed to tell anything"
            f"{f' (left out: {left})' if left else ''}. Hint: widen --since and --until, or look "
            "at a batch: `microloan score`, then `microloan monitor --batch var/scores.parquet`."
        )
    overrides = decided.overrides
    found = Monitoring(
        about=about,
        first=str(made["decided_on"].min()),
        last=str(made["decided_on"].max()),
        developed_first=str(then.first),
        developed_last=str(then.last),
        left_out=dict(decided.left_out),
        population=population(decided, then, terms),
        people=None if overrides is None else people(made, overrides),
        performance=performance(made, [name for name, _ in terms.scale], auc_then),
    )
    return msgspec.structs.replace(found, findings=tuple(findings(found)))


def findings(found: Monitoring) -> Iterator[Finding]:
    """What was looked at, in the order of the page."""
    yield from _of_population(found.population)
    yield from _of_sources(found.population)
    if found.people:
        yield _of_people(found.people)
    yield from _of_performance(found.performance)


def _of_population(seen: Population) -> Iterator[Finding]:
    score = seen.score
    yield Finding(
        "score",
        score.light,
        f"Stability index {score.index:.3f} of {score.rows:,} decisions against "
        f"{seen.developed_on:,} applications of development (chance reaches {score.chance:.3f}); "
        f"mean probability {seen.mean_probability:.2%}, then {seen.mean_probability_then:.2%}.",
    )
    for month in seen.months:
        if month.score and month.score.light != "green":
            yield Finding(
                f"score {month.month}",
                month.score.light,
                f"Stability index {month.score.index:.3f} of {month.decisions:,} decisions (chance "
                f"reaches {month.score.chance:.3f}).",
            )
    lights = [one.light for one in seen.features]
    loudest = sorted(seen.features, key=lambda one: -abs(one.added or 0.0))[:_NAMED]
    most = ", ".join(f"{one.name} {one.added:+.2f}" for one in loudest)
    yield Finding(
        "features",
        _features_light(seen),
        f"{lights.count('red')} red and {lights.count('amber')} amber of {len(lights)}; what moved "
        f"the mean log-odds most: {most}.",
    )
    doubt = seen.referred_for_doubt
    yield Finding(
        "doubt",
        None,
        f"{doubt.decisions:,} of {seen.decisions:,} referred for doubt ({doubt.share:.1%}).",
    )


def _features_light(seen: Population) -> Light:
    """Red where a red one moves the odds, amber where one merely is other than it was.

    Histories grow by themselves: what the scorer does not hear is no alarm.
    """
    red = [one for one in seen.features if one.light == "red"]
    if any(abs(one.added or 0.0) > HEARD for one in red):
        return "red"
    return "green" if all(one.light == "green" for one in seen.features) else "amber"


def _of_sources(seen: Population) -> Iterator[Finding]:
    for source in seen.sources:
        if source.light != "green":
            yield Finding(
                f"source {source.table}",
                source.light,
                f"Missing for {source.missing:.1%} (then {source.missing_then:.1%}) and stale for "
                f"{source.stale:.1%} (then {source.stale_then:.1%}) of {source.decisions:,}.",
            )
    if all(source.light == "green" for source in seen.sources):
        yield Finding("sources", "green", f"All {len(seen.sources)} arrive as in development.")


def _of_people(seen: People) -> Finding:
    return Finding(
        "overrides",
        seen.light,
        f"{seen.overturned:,} of {seen.clear:,} approvals and declines turned over "
        f"({seen.overturned_share:.1%}); {seen.overridden:,} overrides in force, "
        f"{seen.awaiting_approval:,} await approval.",
    )


def _of_performance(told: Performance) -> Iterator[Finding]:
    if told.level is None:
        yield Finding(
            "defaults",
            None,
            f"Not known yet: of {told.loans:,} loans {told.immature:,} are immature and "
            f"{told.indeterminate:,} indeterminate.",
        )
        return
    yield Finding("defaults", told.level.light, _level(told.level, told))
    for band in told.grades:
        if band.light != "green":
            yield Finding(f"grade {band.name}", band.light, _level(band, None))
    if told.auc is None:
        text = f"{told.bads:,} bads of {told.rows:,} are too few to judge it."
    else:
        now = told.auc
        text = (
            f"AUC {now.value:.3f} ({now.low:.3f} to {now.high:.3f}) of {told.rows:,} loans with "
            f"{told.bads:,} bads; validated with {told.auc_then.value:.3f}."
        )
    yield Finding("ranking", told.ranking, text)


def _level(band: Band, told: Performance | None) -> str:
    rest = f"; {told.immature:,} immature left out" if told else ""
    return (
        f"{band.observed:.2%} ({band.low:.2%} to {band.high:.2%}) where {band.expected:.2%} were "
        f"expected, {band.bads:,.0f} of {band.rows:,.0f}{rest}."
    )
