"""The tree is that of RFC 6962, and its proofs prove nothing else."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.journal.merkle import (
    EMPTY,
    Subtrees,
    consistency,
    grow,
    inclusion,
    inner_hash,
    is_consistent,
    is_included,
    leaf_hash,
    peaks_of,
    root_of,
)

# The leaves and roots of Certificate Transparency's reference test vectors.
LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657",
          "606162636465666768696a6b6c6d6e6f"]  # fmt: skip
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


class Tree:
    """A tree in memory, grown leaf by leaf."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.peaks: tuple[bytes, ...] = ()
        self.kept: dict[tuple[int, int], bytes] = {}
        self.roots = [EMPTY]
        for size, leaf in enumerate(leaves):
            self.peaks, made = grow(self.peaks, size, leaf)
            self.kept |= {(subtree.level, subtree.number): subtree.hash for subtree in made}
            self.roots.append(root_of(self.peaks))

    @property
    def subtrees(self) -> Subtrees:
        return lambda level, number: self.kept[level, number]


def by_definition(leaves: Sequence[bytes]) -> bytes:
    """The tree hash as RFC 6962 writes it."""
    if not leaves:
        return EMPTY
    if len(leaves) == 1:
        return leaves[0]
    left = max(1 << power for power in range(64) if 1 << power < len(leaves))
    return inner_hash(by_definition(leaves[:left]), by_definition(leaves[left:]))


HASHES = [leaf_hash(bytes([number % 256, number // 256])) for number in range(300)]
TREE = Tree(HASHES)


def test_roots_are_the_published_ones() -> None:
    leaves = [leaf_hash(bytes.fromhex(leaf)) for leaf in LEAVES]
    assert [root.hex() for root in Tree(leaves).roots[1:]] == ROOTS


def test_every_size_has_the_root_of_the_definition() -> None:
    for size in range(140):
        assert TREE.roots[size] == by_definition(HASHES[:size])
        assert root_of(peaks_of(size, TREE.subtrees)) == TREE.roots[size]


def test_every_leaf_of_every_size_is_proved_by_its_path() -> None:
    for size in range(1, 70):
        for index in range(size):
            path = inclusion(index, size, TREE.subtrees)
            assert is_included(HASHES[index], index, size, path, TREE.roots[size])


def test_every_tree_is_proved_to_continue_every_earlier_one() -> None:
    for new in range(1, 70):
        for old in range(1, new + 1):
            proof = consistency(old, new, TREE.subtrees)
            assert is_consistent(old, new, proof, TREE.roots[old], TREE.roots[new])


@settings(max_examples=300)
@given(st.integers(2, 300), st.data())
def test_a_path_proves_no_other_leaf_place_or_tree(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    path = inclusion(index, size, TREE.subtrees)
    other = data.draw(st.integers(0, size - 1).filter(lambda drawn: drawn != index))
    root = TREE.roots[size]
    assert not is_included(HASHES[other], index, size, path, root)
    assert not is_included(HASHES[index], other, size, path, root)
    assert not is_included(HASHES[index], index, size, path, TREE.roots[size - 1])
    assert not is_included(HASHES[index], index, size, [*path, HASHES[0]], root)
    assert not is_included(HASHES[index], index, size, path[:-1], root)
    spoilt = list(path)
    spoilt[data.draw(st.integers(0, len(path) - 1))] = HASHES[other]
    assert spoilt == path or not is_included(HASHES[index], index, size, spoilt, root)


@settings(max_examples=300)
@given(st.integers(2, 300), st.data())
def test_a_proof_continues_no_other_tree(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, new - 1))
    proof = consistency(old, new, TREE.subtrees)
    forged = Tree([leaf_hash(b"forged"), *HASHES[1:new]])  # everything re-hashed from the start
    assert not is_consistent(old, new, proof, TREE.roots[old], forged.roots[new])
    theirs = consistency(old, new, forged.subtrees)
    assert not is_consistent(old, new, theirs, TREE.roots[old], forged.roots[new])
    assert not is_consistent(old, new, proof[:-1], TREE.roots[old], TREE.roots[new])
    assert not is_consistent(old, new, [*proof, proof[0]], TREE.roots[old], TREE.roots[new])


@pytest.mark.parametrize(("index", "size"), [(0, 0), (3, 3), (-1, 3)])
def test_a_leaf_outside_the_tree_has_no_path(index: int, size: int) -> None:
    with pytest.raises(IndexError):
        inclusion(index, size, TREE.subtrees)
    assert not is_included(HASHES[0], index, size, [], TREE.roots[1])
