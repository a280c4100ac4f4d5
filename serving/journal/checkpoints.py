"""Signed checkpoints: how large the journal was and what its tree's root was, to be kept elsewhere.

A checkpoint is a note of the C2SP formats `tlog-checkpoint` and `signed-note` (Ed25519), so the
programs of transparency logs read it too. Whoever holds one sees a tail that was cut off, and a
journal that was hashed anew from some entry on, which the journal alone cannot show.
"""

import base64
import hashlib
import re
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from features.errors import MicroloanError
from serving import durable
from serving.journal.database import At
from serving.journal.entries import Whole
from serving.journal.reading import verify

ED25519 = b"\x01"
_NOTE = re.compile(r"(microloan/[0-9a-f]+\n([0-9]{1,18})\n([A-Za-z0-9+/=]+)\n)\n— (\S+) (\S+)\n")


class BadCheckpoint(MicroloanError):
    """A checkpoint that is not signed by the journal's key, or that the journal contradicts."""


class Key(NamedTuple):
    """Who signs: the journal's name and its public key."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """The first bytes of its hash, which lead a signature."""
        return hashlib.sha256(self.name.encode() + b"\n" + ED25519 + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{_base64(ED25519 + self.public)}"

    @classmethod
    def of(cls, identity: str, signer: Ed25519PrivateKey) -> "Key":
        """The public half of a journal's signing key."""
        return cls(_origin(identity), signer.public_key().public_bytes_raw())

    @classmethod
    def parse(cls, text: str) -> "Key":
        """A key as ``str`` writes it. Raises ``BadCheckpoint``."""
        wrong = BadCheckpoint(
            f"{text!r} is no key of a journal, which reads microloan/<name>+<8 hexadecimal "
            "digits>+<base64>. Hint: `microloan journal checkpoint` and every receipt tell it."
        )
        name, _, rest = text.strip().partition("+")
        hashed, _, encoded = rest.partition("+")
        try:
            content = base64.b64decode(encoded, validate=True)
            key = cls(name, content[1:])
            Ed25519PublicKey.from_public_bytes(key.public)
        except ValueError:
            raise wrong from None
        if content[:1] != ED25519 or key.id.hex() != hashed:
            raise wrong
        return key


def sign(whole: Whole, signer: Ed25519PrivateKey) -> str:
    """The checkpoint of a journal, as a signed note."""
    key = Key.of(whole.identity, signer)
    text = f"{key.name}\n{whole.size}\n{_base64(whole.root)}\n"
    return f"{text}\n— {key.name} {_base64(key.id + signer.sign(text.encode()))}\n"


def read(note: str, key: Key) -> Whole:
    """What a signed note says of the journal ``key`` belongs to. Raises ``BadCheckpoint``."""
    found = _NOTE.fullmatch(note)
    if found is None or found[4] != key.name or not found[1].startswith(key.name + "\n"):
        raise BadCheckpoint("This is no checkpoint of this journal.")
    try:
        signature = base64.b64decode(found[5], validate=True)
        public = Ed25519PublicKey.from_public_bytes(key.public)
        public.verify(signature.removeprefix(key.id), found[1].encode())
        root = base64.b64decode(found[3], validate=True)
    except (ValueError, InvalidSignature):
        raise BadCheckpoint("The signature of the checkpoint is not that of the journal.") from None
    return Whole(key.name.removeprefix(_origin("")), int(found[2]), root)


def verify_against(journal: At, notes: list[str], key: Key) -> Whole:
    """Walk the whole journal, and hold it against checkpoints that were kept elsewhere.

    Raises:
        BadJournal: naming the first entry that is not what was recorded.
        BadCheckpoint: a checkpoint is forged, or the journal is not the one it was signed for.
    """
    signed = sorted((read(note, key) for note in notes), key=lambda each: each.size)
    whole, roots = verify(journal, {each.size for each in signed})
    good = 0
    for each in signed:
        if each.identity != whole.identity:
            raise BadCheckpoint("The checkpoint is of another journal.")
        if each.size > whole.size:
            raise BadCheckpoint(
                f"The journal has {whole.size} entries and had {each.size}: its tail was cut off. "
                f"The first entry that is missing is {whole.size + 1}."
            )
        if each.size and roots[each.size] != each.root:
            raise BadCheckpoint(
                f"An entry from {good + 1} to {each.size} was changed, and what follows hashed "
                f"anew: the journal is not the one whose checkpoint of {each.size} was signed."
            )
        good = each.size
    return whole


def beside(files: Path) -> Path:
    """Where the newest checkpoint of a journal is kept, by what its files are named after."""
    return files.with_name(files.name + ".checkpoint")


def write(path: Path, note: str) -> None:
    """Put the checkpoint in place of an older one, durably; makes its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    durable.write(path, note.encode())


def _origin(identity: str) -> str:
    return f"microloan/{identity}"


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
