"""The inbox: a folder per delivery, taken once, when it is whole.

A delivery is whole once it holds ``_SUCCESS``, the empty file that Spark and Hadoop write last.
What was taken is noted by its name, a line each; a correction is a delivery of another name. Killed
between taking and noting, a delivery is taken again, and its rows are duplicates.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from features.errors import MicroloanError
from serving import durable

WHOLE = "_SUCCESS"


class Taken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A delivery that was taken in: its name, when, and the state of the store after it."""

    delivery: str
    taken_at: datetime
    snapshot: str


@dataclass(frozen=True)
class Inbox:
    """Deliveries of ``folder``, of which those noted in ``notes`` (JSON lines) were taken."""

    folder: Path
    notes: Path

    def whole(self) -> list[Path]:
        """Deliveries to take in, by name.

        Raises:
            MicroloanError: there is no such folder.
        """
        return [delivery for delivery in self._new() if (delivery / WHOLE).exists()]

    def incomplete(self) -> list[Path]:
        """Deliveries that are still being written, by name."""
        return [delivery for delivery in self._new() if not (delivery / WHOLE).exists()]

    def taken(self) -> list[Taken]:
        """What was taken in, oldest first."""
        if not self.notes.exists():
            return []
        return msgspec.json.Decoder(Taken).decode_lines(self.notes.read_bytes())

    def note(self, delivery: Path, snapshot: str, now: datetime) -> None:
        """Never take this delivery again."""
        noted = [*self.taken(), Taken(delivery.name, now, snapshot)]
        durable.write(self.notes, msgspec.json.Encoder().encode_lines(noted))

    def _new(self) -> list[Path]:
        if not self.folder.is_dir():
            raise MicroloanError(
                f"There is no inbox {self.folder}. Hint: make the folder; each delivery is a folder"
                f" in it, whole once it holds {WHOLE}."
            )
        known = {one.delivery for one in self.taken()}
        folders = (entry for entry in self.folder.iterdir() if entry.is_dir())
        return sorted(f for f in folders if f.name not in known and not f.name.startswith("."))
