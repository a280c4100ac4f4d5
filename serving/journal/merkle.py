"""The Merkle tree of RFC 6962 (section 2.1) over the entries of the journal: roots and proofs.

A tree of ``size`` leaves is kept as its complete subtrees: ``(level, number)`` names the subtree
over the leaves ``number * 2**level`` and the ``2**level - 1`` after it. Appending a leaf completes
two subtrees on average; a proof reads about log2(size) of them. The tree replaces a chain of
hashes: it costs the same to append to, and can prove one entry, or that one journal continues
another, without reading all of it.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

LEAF = b"\x00"  # a leaf can never be taken for an inner node
INNER = b"\x01"
EMPTY = hashlib.sha256().digest()

Subtrees = Callable[[int, int], bytes]


class Subtree(NamedTuple):
    """A complete subtree and its hash."""

    level: int
    number: int
    hash: bytes


def leaf_hash(content: bytes) -> bytes:
    """Hash of a leaf."""
    return hashlib.sha256(LEAF + content).digest()


def inner_hash(left: bytes, right: bytes) -> bytes:
    """Hash of a subtree from its two halves."""
    return hashlib.sha256(INNER + left + right).digest()


def grow(peaks: Sequence[bytes], size: int, leaf: bytes) -> tuple[tuple[bytes, ...], list[Subtree]]:
    """Append a leaf to a tree of ``size``: its new peaks, and the subtrees it completes.

    ``peaks`` are the hashes of the largest complete subtrees, from left to right.
    """
    left, made = list(peaks), [Subtree(0, size, leaf)]
    while (last := made[-1]).number % 2:
        joined = inner_hash(left.pop(), last.hash)
        made.append(Subtree(last.level + 1, last.number // 2, joined))
    return (*left, made[-1].hash), made


def peaks_of(size: int, subtrees: Subtrees) -> tuple[bytes, ...]:
    """The peaks of a tree of ``size``."""
    levels = [level for level in reversed(range(size.bit_length())) if size >> level & 1]
    return tuple(subtrees(level, (size >> level) - 1) for level in levels)


def root_of(peaks: Sequence[bytes]) -> bytes:
    """Root of the tree with these peaks."""
    if not peaks:
        return EMPTY
    *others, root = peaks
    for peak in reversed(others):
        root = inner_hash(peak, root)
    return root


def inclusion(index: int, size: int, subtrees: Subtrees) -> list[bytes]:
    """Audit path of the leaf ``index`` in the tree of ``size`` (RFC 6962, section 2.1.1)."""
    if not 0 <= index < size:
        raise IndexError(f"leaf {index} is not in a tree of {size}")
    return _path(index, 0, size, subtrees)


def consistency(old: int, new: int, subtrees: Subtrees) -> list[bytes]:
    """Proof that the tree of ``new`` continues that of ``old`` (RFC 6962, section 2.1.2)."""
    if not 0 < old <= new:
        raise IndexError(f"a tree of {new} does not continue one of {old}")
    return _subproof(old, 0, new, subtrees, is_whole=True)


def is_included(leaf: bytes, index: int, size: int, path: Iterable[bytes], root: bytes) -> bool:
    """Whether ``path`` proves that ``leaf`` stands at ``index`` under ``root`` (RFC 9162, 2.1.3.2).

    Nothing is trusted but ``root`` and ``size``, which come from a checkpoint.
    """
    if not 0 <= index < size:
        return False
    at, last, found = index, size - 1, leaf
    for hashed in path:
        if last == 0:
            return False
        if at % 2 or at == last:
            found = inner_hash(hashed, found)
            while at % 2 == 0 and at:
                at, last = at // 2, last // 2
        else:
            found = inner_hash(found, hashed)
        at, last = at // 2, last // 2
    return last == 0 and found == root


def is_consistent(
    old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes
) -> bool:
    """Whether ``proof`` shows that ``new_root`` continues ``old_root`` (RFC 9162, 2.1.4.2)."""
    if old == new:
        return not proof and old_root == new_root
    if not 0 < old < new or not proof:
        return False
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    at, last = old - 1, new - 1
    while at % 2:
        at, last = at // 2, last // 2
    before = after = path[0]
    for hashed in path[1:]:
        if last == 0:
            return False
        if at % 2 or at == last:
            before, after = inner_hash(hashed, before), inner_hash(hashed, after)
            while at % 2 == 0 and at:
                at, last = at // 2, last // 2
        else:
            after = inner_hash(after, hashed)
        at, last = at // 2, last // 2
    return last == 0 and before == old_root and after == new_root


def _split(size: int) -> int:
    """The largest power of two below ``size``."""
    return 1 << (size - 1).bit_length() - 1


def _range(start: int, size: int, subtrees: Subtrees) -> bytes:
    """Hash over ``size`` leaves from ``start``, where RFC 6962 splits the tree."""
    if size & (size - 1) == 0:
        level = size.bit_length() - 1
        return subtrees(level, start >> level)
    left = _split(size)
    return inner_hash(_range(start, left, subtrees), _range(start + left, size - left, subtrees))


def _path(index: int, start: int, size: int, subtrees: Subtrees) -> list[bytes]:
    if size == 1:
        return []
    left = _split(size)
    if index < left:
        path = _path(index, start, left, subtrees)
        return [*path, _range(start + left, size - left, subtrees)]
    path = _path(index - left, start + left, size - left, subtrees)
    return [*path, _range(start, left, subtrees)]


def _subproof(
    old: int, start: int, size: int, subtrees: Subtrees, *, is_whole: bool
) -> list[bytes]:
    if old == size:
        return [] if is_whole else [_range(start, size, subtrees)]
    left = _split(size)
    if old <= left:
        proof = _subproof(old, start, left, subtrees, is_whole=is_whole)
        return [*proof, _range(start + left, size - left, subtrees)]
    proof = _subproof(old - left, start + left, size - left, subtrees, is_whole=False)
    return [*proof, _range(start, left, subtrees)]
