"""What a training was asked for: kept with its run, so that it can be asked for again."""

from datetime import date
from typing import TYPE_CHECKING, Literal

import msgspec

from features.errors import MicroloanError

if TYPE_CHECKING:  # the command line reads plans, and should not wait for trees and frames
    from features.definition import Feature
    from models.loans.outcomes import Definition

Method = Literal["hazard", "flag"]
Form = Literal["auto", "pairs", "free", "deep"]
GrownBy = Literal["local", "dask"]
Inference = Literal["none", "fuzzy", "parcelling", "propensity"]


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A training. The same plan on the same data gives the same scorer, byte for byte.

    Args:
        method: "hazard" learns from loans of every age, "flag" from matured ones alone.
        form: of the trees; "auto" tries them all out of fold.
        label: definition of default, days past due and months on book.
        features: names of the catalogue; none for all of them.
        as_of: what is known of the loans is cut here; None for the newest day of the loan book.
        since: first day of the applications learnt from.
        until: last day of the applications learnt from.
        test_months: newest matured months of applications, kept for the test.
        inference: how the declined are learnt from, by "flag" alone; "none" leaves them out.
        trials: settings of the trees to try (Optuna); none for those of the house.
        seed: of folds, trees and trials.
        engine: what grows the final trees; "dask" takes a cluster, whose sums are its own: figures
            come out alike, bytes do not.
    """

    method: Method = "hazard"
    form: Form = "pairs"
    label: str = "dpd90_12m"
    features: tuple[str, ...] = ()
    as_of: date | None = None
    since: date | None = None
    until: date | None = None
    test_months: int = 6
    inference: Inference = "none"
    trials: int = 0
    seed: int = 0
    engine: GrownBy = "local"

    def __post_init__(self) -> None:
        """Refuse what cannot be done."""
        if self.since and self.until and self.since > self.until:
            raise MicroloanError(f"--since {self.since} lies after --until {self.until}.")
        if self.test_months < 1:
            raise MicroloanError(f"--test-months is {self.test_months}; a test takes 1 at least.")
        if self.inference != "none" and (self.method != "flag" or self.trials):
            raise MicroloanError(
                "The declined have no months at risk. Hint: --inference goes with --method flag, "
                "without --trials."
            )

    @property
    def definition(self) -> "Definition":
        """The definition of default. Raises MicroloanError where it is none."""
        from models.loans.outcomes import Definition

        return Definition.parse(self.label)

    @property
    def chosen(self) -> "tuple[Feature, ...]":
        """The features to learn from. Raises UnknownName for one that the catalogue has not."""
        from features.catalog import CATALOG, select

        return select(self.features) if self.features else CATALOG
