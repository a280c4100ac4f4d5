"""A release on disk: files under a manifest of their hashes, read once and verified before use."""

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from features.errors import MicroloanError
from serving.durable import sync

FILES = (
    "model.txt",
    "scorer.json",
    "doubt.json",
    "features.json",
    "policy.yaml",
    "golden.json",
    "gate.json",
)
FORMAT = 1
GATE_KEY_BYTES = 32
LARGEST = 256 * 1024 * 1024  # bytes of one file


class BadBundle(MicroloanError):
    """A bundle that must not serve; says which file and why."""


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Hash and size of a file."""

    sha256: str
    size: int


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a release holds, and what its model is called."""

    format: int
    name: str
    version: str
    fingerprint: str
    about: dict[str, Any]
    files: dict[str, File]


def write_release(folder: Path, files: Mapping[str, bytes], **named: Any) -> Path:
    """Write ``files`` and their manifest to ``releases/<hash of the manifest>``, durably."""
    hashed = {name: File(sha256(content), len(content)) for name, content in files.items()}
    manifest = Manifest(format=FORMAT, files=hashed, **named)
    content = msgspec.json.format(msgspec.json.encode(manifest, order="deterministic"), indent=1)
    release = folder / "releases" / sha256(content)
    if not release.exists():
        _write_whole(release, {**files, "manifest.json": content})
    return release


def read_release(release: Path) -> tuple[Manifest, dict[str, bytes]]:
    """Manifest and files; each is read once, and no byte is parsed before its hash is verified.

    Raises:
        BadBundle: a file is missing, too large, or not what the manifest says.
    """
    content = _read(release / "manifest.json")
    if sha256(content) != release.name:
        raise BadBundle(f"{release.name}: manifest.json is not the published one. {_AGAIN}")
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except msgspec.DecodeError as error:
        raise BadBundle(f"{release.name}: manifest.json cannot be read ({error}).") from None
    if manifest.format != FORMAT or set(manifest.files) != set(FILES):
        raise BadBundle(f"{release.name}: not a bundle of format {FORMAT}. {_AGAIN}")
    files = {name: _read(release / name) for name in FILES}
    for name, listed in manifest.files.items():
        if len(files[name]) != listed.size or sha256(files[name]) != listed.sha256:
            raise BadBundle(f"{release.name}: {name} is not the published one. {_AGAIN}")
    return manifest, files


def point(folder: Path, release: str) -> None:
    """Make ``release`` the champion: the link moves in one step, and stays moved."""
    if not (folder / "releases" / release / "manifest.json").is_file():
        raise BadBundle(f"There is no release {release}. Hint: releases/ lists those there are.")
    link = folder / f".champion-{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(Path("releases") / release)
    link.replace(folder / "champion")
    sync(folder)


def champion(folder: Path) -> Path:
    """The release the link ``champion`` points to. Raises ``BadBundle`` if there is none."""
    try:
        target = (folder / "champion").readlink()
    except OSError:
        raise BadBundle(f"No champion in {folder}. Hint: run `microloan promote` first.") from None
    return folder / "releases" / target.name


def read_gate_keys(path: Path) -> tuple[bytes, ...]:
    """Public keys that verify the gate's records, a hexadecimal line each, retired ones included.

    Raises:
        BadBundle: there is no such file, or a line of it is no key.
    """
    try:
        keys = tuple(bytes.fromhex(line) for line in path.read_text().split())
    except FileNotFoundError:
        raise BadBundle(f"There is no {path}. Hint: run `microloan promote` first.") from None
    except ValueError as error:
        raise BadBundle(f"{path} holds a line that is no key ({error}).") from None
    if any(len(key) != GATE_KEY_BYTES for key in keys):
        raise BadBundle(f"{path} holds a key that has not {GATE_KEY_BYTES} bytes.")
    return keys


def sha256(content: bytes) -> str:
    """Hash in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


_AGAIN = "Hint: publish it again."


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise BadBundle(
            f"{path.parent.name}: {path.name} cannot be read ({error.strerror})."
        ) from None
    if len(content) > LARGEST:
        raise BadBundle(f"{path.parent.name}: {path.name} is larger than {LARGEST} bytes.")
    return content


def _write_whole(release: Path, files: Mapping[str, bytes]) -> None:
    """All files or none: written aside, flushed, then renamed."""
    aside = release.with_name(f".{release.name}-{os.getpid()}")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    for name, content in files.items():
        (aside / name).write_bytes(content)
        sync(aside / name)
    sync(aside)
    aside.rename(release)
    sync(release.parent)
