"""What a run was made by: hashes of the code and of the lock of its dependencies."""

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("features", "models", "pipelines", "serving")


def made_by(snapshot: str) -> dict[str, str]:
    """What a run is made by: the store's snapshot, the code, and the lock of its dependencies."""
    return {"store": snapshot, "code": code_sha256(), "lock": lock_sha256()}


def code_sha256() -> str:
    """SHA-256 over every source file of the rooms; a changed comment is other code too."""
    return _hash(file for room in ROOMS for file in sorted((ROOT / room).rglob("*.py")))


def lock_sha256() -> str:
    """SHA-256 of the lock of the dependencies; of nothing where the project was installed bare."""
    return _hash(file for file in [ROOT / "requirements.lock"] if file.exists())


def _hash(files: Iterable[Path]) -> str:
    digest = sha256()
    for file in files:
        digest.update(
            f"{file.relative_to(ROOT)} {sha256(file.read_bytes()).hexdigest()}\n".encode()
        )
    return digest.hexdigest()
