"""Receipts: the proof that an entry stands in the journal whose checkpoint is signed."""

import base64
from functools import partial

import msgspec

from serving.journal.entries import Stored, Whole
from serving.journal.journal import Journal
from serving.journal.merkle import Subtrees, inclusion


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """Place and leaf of an entry, its audit path (RFC 6962), and the tree's signed checkpoint.

    Hashes are SHA-256 in base64. ``serving.journal.merkle.is_included`` checks the path, any
    program for transparency logs the checkpoint.
    """

    entry_id: str
    leaf_index: int
    leaf: str
    tree_size: int
    root: str
    path: tuple[str, ...]
    checkpoint: str
    key: str


def receipt(journal: Journal, stored: Stored) -> Receipt:
    """The receipt of an entry, in the journal as it is now."""
    made: Receipt = journal.tree(partial(_receipt, journal, stored))
    return made


def checkpoint(journal: Journal) -> str:
    """The signed checkpoint of the journal as it is now."""
    note: str = journal.tree(lambda whole, _: journal.sign(whole))
    return note


def _receipt(journal: Journal, stored: Stored, whole: Whole, subtrees: Subtrees) -> Receipt:
    index = stored.sequence - 1
    return Receipt(
        entry_id=stored.entry_id,
        leaf_index=index,
        leaf=_base64(stored.leaf),
        tree_size=whole.size,
        root=_base64(whole.root),
        path=tuple(_base64(hashed) for hashed in inclusion(index, whole.size, subtrees)),
        checkpoint=journal.sign(whole),
        key=str(journal.key),
    )


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
