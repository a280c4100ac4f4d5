"""What the journal says when it did not record, or cannot know; each says what is known.

NotRecorded            nothing was written; the same request may be tried again
├── QueueFull          too many entries are waiting
├── Erased             the decision it is about was erased
└── JournalUnavailable the database is locked, full, read-only, or failed earlier
OutcomeUnknown         a commit failed: the entry may or may not be there after a restart
AlreadyDecided         the key or the application has an entry; carries it
"""

from serving.journal.entries import Stored


class NotRecorded(Exception):
    """Nothing was written."""


class QueueFull(NotRecorded):
    """More entries wait than the writer can take."""


class JournalUnavailable(NotRecorded):
    """The database refused the entry."""


class Erased(NotRecorded):
    """The decision was erased; nothing is recorded of it any more."""


class OutcomeUnknown(Exception):
    """The commit failed; only a reopened journal can tell whether the entry is there."""


class AlreadyDecided(Exception):
    """The idempotency key, or the application's revision, already has an entry."""

    def __init__(self, stored: Stored) -> None:
        super().__init__(stored.decision_id)
        self.stored = stored
