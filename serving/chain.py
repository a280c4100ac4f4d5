"""The hash chain of the journal: what an entry's leaf is, and how leaves link."""

import hashlib
from collections.abc import Iterable

LEAF = b"\x00"  # RFC 6962 prefixes: a leaf can never be taken for a link
LINK = b"\x01"


def leaf(fields: Iterable[bytes]) -> bytes:
    """SHA-256 over the stored bytes of an entry, each field led by its length (8 bytes)."""
    digest = hashlib.sha256(LEAF)
    for field in fields:
        digest.update(len(field).to_bytes(8, "big"))
        digest.update(field)
    return digest.digest()


def link(previous: bytes, leaf: bytes) -> bytes:
    """Head of the chain after an entry, from the head before it and the entry's leaf."""
    return hashlib.sha256(LINK + previous + leaf).digest()


def genesis(identity: str) -> bytes:
    """Head of an empty journal; journals of other identities share no head."""
    return hashlib.sha256(b"microloan journal " + identity.encode()).digest()
