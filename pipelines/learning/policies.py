"""The project's own policies."""

from pathlib import Path

from features.errors import MicroloanError

POLICIES = Path(__file__).resolve().parents[2] / "policies"


def newest_policy() -> Path:
    """The policy file that is in force last.

    Raises:
        MicroloanError: there is none.
    """
    files = sorted(POLICIES.glob("*.yaml"))
    if not files:
        raise MicroloanError(f"No policy in {POLICIES}. Name one with --policy.")
    return files[-1]
