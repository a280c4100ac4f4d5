"""Where an installation's journal of decisions is."""

from pathlib import Path

from features.errors import MicroloanError
from pipelines.settings import Var
from serving.journal.database import At, located

JOURNAL = "MICROLOAN_JOURNAL"  # in the environment: a file, or the URL of a server


class NoJournal(MicroloanError):
    """Nothing was decided yet."""


def existing_journal(paths: Var, named: str | None) -> At:
    """The journal that is named, a file or a URL, or var's own.

    Raises:
        NoJournal: there is none.
    """
    at = located(named or str(paths.journal / "journal.db"), paths.journal)
    if isinstance(at, Path) and not at.is_file():
        raise NoJournal(
            f"There is no journal {at}. Hint: `microloan serve` makes one at its first decision."
        )
    return at
