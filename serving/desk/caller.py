"""Who asks, and what of the journal that lets it see."""

from typing import NamedTuple

from serving.journal.entries import Stored


class Caller(NamedTuple):
    """Whoever holds a key: the bank, the branch ("" is all of it), the person or system."""

    organisation: str
    key_id: str
    name: str = ""
    branch: str = ""

    def may_see(self, stored: Stored) -> bool:
        """Whether the entry exists for the caller: it is of the own bank and of the own branch."""
        is_own = stored.organisation == self.organisation
        return is_own and self.branch in ("", stored.branch)
