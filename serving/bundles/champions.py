"""Who was champion when: each promotion and rollback is a line, and a rollback is one step."""

from datetime import datetime
from pathlib import Path

import msgspec

from serving.bundles.release import BadBundle, champion, point
from serving.durable import sync


class Reign(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From when a release was the champion."""

    release: str
    since: datetime


def crown(folder: Path, release: str, now: datetime) -> None:
    """Make ``release`` the champion and remember when. Raises ``BadBundle`` if there is none."""
    point(folder, release)
    with _log(folder).open("ab") as log:
        log.write(msgspec.json.encode(Reign(release, now)) + b"\n")
    sync(_log(folder))


def reigns(folder: Path) -> list[Reign]:
    """All that were champion, oldest first."""
    if not _log(folder).exists():
        return []
    return msgspec.json.Decoder(Reign).decode_lines(_log(folder).read_bytes())


def predecessor(folder: Path) -> str:
    """The release that was champion before the one that is. Raises ``BadBundle`` if none was."""
    current = champion(folder).name
    before = [reign.release for reign in reigns(folder) if reign.release != current]
    if not before:
        raise BadBundle(f"Nothing was champion before {current[:12]}.")
    return before[-1]


def _log(folder: Path) -> Path:
    return folder / "champions.jsonl"
