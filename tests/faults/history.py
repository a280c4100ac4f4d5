"""What the callers were told, held against what the journal holds."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from serving.journal.database import At, BadJournal
from serving.journal.entries import Stored
from serving.journal.reading import entries, verify
from tests.faults.writer import entry


@dataclass(frozen=True)
class Finding:
    """Counts of one run; ``lost`` and ``doubled`` must be zero."""

    acknowledged: int
    unknown: int
    came_back: int
    lost: int
    doubled: int
    refused_yet_there: int


def told(history: Path) -> dict[str, set[int]]:
    """Numbers by what was said of them; a line that was cut off says nothing."""
    said: dict[str, set[int]] = defaultdict(set)
    for line in history.read_text().split("\n")[:-1]:
        word, number = line.split()
        said[word].add(int(number))
    return said


def compare(history: Path, journal: At) -> Finding:
    """Look for every acknowledged entry, byte for byte; a journal that breaks has lost all."""
    found = _readable(journal)
    held = {int(stored.decision_id.removeprefix("dec_")): stored for stored in found}
    said = told(history)
    right = {n for n, stored in held.items() if stored.response == entry(n).response}
    return Finding(
        acknowledged=len(said["ok"]),
        unknown=len(said["unknown"]),
        came_back=len(said["unknown"] & right),
        lost=len(said["ok"] - right),
        doubled=len(found) - len(held),
        refused_yet_there=len(said["refused"] & set(held)),
    )


def _readable(journal: At) -> list[Stored]:
    try:
        verify(journal)
    except BadJournal:
        return []
    return list(entries(journal))
