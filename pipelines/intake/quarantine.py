"""Broken rows on disk, one JSON line each: file, row, broken rules, and the row as delivered."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from pipelines.intake.check import BrokenRow, BrokenRule
from serving import durable


class QuarantinedRow(msgspec.Struct, frozen=True):
    """One line of a quarantine file."""

    file: str
    row: int
    broken: tuple[BrokenRule, ...]
    record: dict[str, Any]


class Quarantine:
    """The broken rows of one feed in one delivery; gathered aside, in place only once published."""

    def __init__(self, name: str, staging: Path) -> None:
        self.name = f"{name}.jsonl"
        self._gathered = staging / self.name

    def add(self, file: str, rows: Iterable[BrokenRow]) -> None:
        """Append broken rows of one file."""
        lines = [
            msgspec.json.encode(QuarantinedRow(file, each.row, each.broken, each.record)) + b"\n"
            for each in rows
        ]
        if lines:
            with self._gathered.open("ab") as out:
                out.writelines(lines)

    def publish(self, folder: Path) -> Path | None:
        """Put the file in ``folder``, whole; None if no row is broken.

        Its name says what was delivered, so a second run of one delivery replaces its file.
        """
        place = folder / self.name
        if not self._gathered.exists():
            place.unlink(missing_ok=True)
            return None
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = folder / f".{self.name}"
        shutil.copyfile(self._gathered, unfinished)
        durable.replace(unfinished, place)
        return place


def read_quarantine(path: Path) -> list[QuarantinedRow]:
    """The rows of one quarantine file."""
    with path.open("rb") as lines:
        return [msgspec.json.decode(line, type=QuarantinedRow) for line in lines]
