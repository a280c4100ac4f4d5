"""The project's own policies, and from when each decides."""

from datetime import date
from pathlib import Path

from features.errors import MicroloanError
from serving.decision.revision import valid_from_of

POLICIES = Path(__file__).resolve().parents[2] / "policies"


def newest_policy(on: date = date.max, folder: Path = POLICIES) -> Path:
    """The policy file in force on a day; without one, the last of them all.

    Raises:
        MicroloanError: there is none.
    """
    dated = [(valid_from_of(path), path) for path in sorted(folder.glob("*.yaml"))]
    in_force = [(day, path) for day, path in dated if day is not None and day <= on]
    if not in_force:
        raise MicroloanError(f"No policy in {folder} is in force on {on}. Name one with --policy.")
    return max(in_force)[1]


def demand_in_force(path: Path, on: date) -> None:
    """Refuse a policy before its day. Raises MicroloanError."""
    day = valid_from_of(path)
    if day is not None and day > on:
        raise MicroloanError(
            f"{path.name} is valid from {day}, after today ({on}). Hint: promote it on that day, "
            "or set an earlier valid_from."
        )
