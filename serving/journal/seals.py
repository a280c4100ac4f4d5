"""What is personal in the journal is sealed: each decision has a key, and is erased with it.

The journal's file ``<journal>.key`` holds one secret, from which a master key and a signing key are
derived. The master key wraps the keys of the decisions, which lie in the journal's one table that
may be changed. Hashes are taken over sealed bytes, so that a journal is verified without any key,
and stays whole when a decision is erased.
"""

import hmac
import secrets
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from serving import durable
from serving.journal.database import BadJournal, Reader

WRAPPED = "SELECT wrapped FROM seal WHERE owner = ?"
INSERT_SEAL = "INSERT INTO seal VALUES (?, ?)"
DESTROY = "DELETE FROM seal WHERE owner = ?"
LENGTH = 32
NONCE = 12

Random = Callable[[int], bytes]


class Secret:
    """The secret of one journal, and what is derived from it."""

    def __init__(self, content: bytes) -> None:
        self.master = _derive(content, b"microloan journal master key")
        self.signer = Ed25519PrivateKey.from_private_bytes(
            _derive(content, b"microloan journal signing key")
        )

        self._pepper = _derive(content, b"microloan journal hashes")

    def hashed(self, purpose: bytes, content: bytes) -> bytes:
        """Keyed hash of ``content``; those of two purposes do not join."""
        return hmac.digest(self._pepper, purpose + b"\n" + content, "sha256")

    @classmethod
    def of(cls, files: Path, make: Random | None = None) -> "Secret":
        """The secret of the journal whose files are named so; made with ``make``, if it is new.

        Raises:
            BadJournal: it is gone, damaged, or others can read it.
        """
        path = files.with_name(files.name + ".key")
        if make and not path.exists():
            durable.write(path, make(LENGTH), mode=0o600)
        try:
            content, is_private = path.read_bytes(), not path.stat().st_mode & 0o077
        except FileNotFoundError:
            raise BadJournal(
                f"{path} is gone; without it the journal cannot be read. Hint: restore it."
            ) from None
        if len(content) != LENGTH:
            raise BadJournal(f"{path} is damaged. Hint: restore it.")
        if not is_private:
            raise BadJournal(f"{path} can be read by others. Hint: chmod 600 {path}")
        return cls(content)


class Seal:
    """The key of one owner."""

    def __init__(self, key: bytes, owner: int, random: Random) -> None:
        self._key = AESGCM(key)
        self._owner = owner.to_bytes(8, "big")
        self._random = random

    def __call__(self, content: bytes) -> bytes:
        """``content`` sealed."""
        nonce = self._random(NONCE)
        return nonce + self._key.encrypt(nonce, content, self._owner)

    def open(self, sealed: bytes) -> bytes:
        """What was sealed. Raises ``InvalidTag``."""
        return self._key.decrypt(sealed[:NONCE], sealed[NONCE:], self._owner)


class Seals:
    """The keys of decisions, by the sequence of their entry, as a connection finds them."""

    def __init__(
        self, reader: Reader, secret: Secret, random: Random = secrets.token_bytes
    ) -> None:
        self._reader = reader
        self._master = secret.master
        self._random = random

    def new(self, owner: int) -> tuple[Seal, bytes]:
        """A key for a new owner, and the key as it is kept: wrapped."""
        key = self._random(LENGTH)
        return Seal(key, owner, self._random), Seal(self._master, owner, self._random)(key)

    def of(self, owner: int) -> Seal | None:
        """The key of an owner; None if it was erased. Raises ``BadJournal``."""
        wrapped = self._reader.value(WRAPPED, owner)
        if wrapped is None:
            return None
        try:
            key = Seal(self._master, owner, self._random).open(wrapped)
        except InvalidTag:
            raise BadJournal(
                f"The key of entry {owner} is not of this journal. Hint: restore <journal>.key."
            ) from None
        return Seal(key, owner, self._random)

    def open(self, owner: int, *sealed: bytes) -> tuple[bytes, ...] | None:
        """What was sealed; None if its owner was erased. Raises ``BadJournal``."""
        if (seal := self.of(owner)) is None:
            return None
        try:
            return tuple(seal.open(content) for content in sealed)
        except InvalidTag:
            raise BadJournal(f"What is recorded of entry {owner} was changed.") from None


def _derive(secret: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=LENGTH, salt=None, info=purpose).derive(secret)
