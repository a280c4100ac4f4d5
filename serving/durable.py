"""Files that survive a power cut: whole or not at all, and there once we said so."""

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace(unfinished: Path, path: Path) -> None:
    """Move a file of the same file system over ``path``, its content being on the disk first.

    The new name is durable once its folder is synced too.
    """
    sync(unfinished)
    unfinished.replace(path)


def write(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Put ``content`` in place of what ``path`` held, if anything; its folder must exist.

    A reader sees the old or the new file, and nobody ever sees it with more rights than ``mode``.
    """
    aside = path.with_name(f".{path.name}-{os.getpid()}")
    aside.unlink(missing_ok=True)
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    replace(aside, path)
    sync(path.parent)
