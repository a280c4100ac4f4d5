"""LightGBM's text format: read its trees, and merge boosters into one whose score is their mean."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

_DEFAULT_LEFT = 2  # bits of LightGBM's decision_type
_MISSING_IS_NAN = 8


@dataclass(frozen=True)
class Split:
    """One question on the way to a leaf, and the side the leaf is on."""

    feature: int
    threshold: float
    decision_type: int
    left: bool

    def holds(self, x: Vector) -> NDArray[np.bool_]:
        """Whether each value goes to the leaf's side; LightGBM sends equality to the left."""
        missing = np.isnan(x)
        # where training had no missing value, LightGBM reads NaN as zero
        goes_left = np.where(missing, 0.0, x) <= self.threshold
        if self.decision_type & _MISSING_IS_NAN:
            goes_left = np.where(missing, bool(self.decision_type & _DEFAULT_LEFT), goes_left)
        return np.asarray(goes_left if self.left else ~goes_left)


@dataclass(frozen=True)
class Leaf:
    """A box of the feature space, bounded by the splits above it, and the log-odds it adds."""

    splits: tuple[Split, ...]
    value: float

    @property
    def features(self) -> tuple[int, ...]:
        """The features it depends on, sorted."""
        return tuple(sorted({split.feature for split in self.splits}))


def read_leaves(model: str) -> list[Leaf]:
    """All leaves of a LightGBM text model whose splits are numerical; its score is their sum."""
    return [leaf for block in _tree_blocks(model) for leaf in _leaves(_fields(block))]


def merge_models(models: Sequence[str]) -> str:
    """One text model with all trees of `models`, leaf values divided by the number of models."""
    blocks = [block for model in models for block in _tree_blocks(model)]
    trees = [_renumber(block, number, len(models)) for number, block in enumerate(blocks)]
    sizes = " ".join(str(len(tree.encode())) for tree in trees)
    header = re.sub(r"tree_sizes=.*", lambda _: f"tree_sizes={sizes}", models[0].split("Tree=")[0])
    return header + "".join(trees) + "end of trees\n"


def _tree_blocks(model: str) -> list[str]:
    body = model[model.index("Tree=0\n") : model.index("end of trees")]
    return re.split(r"(?=^Tree=\d+$)", body, flags=re.MULTILINE)[1:]


def _fields(block: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in block.splitlines() if "=" in line)


def _leaves(fields: dict[str, str]) -> Iterator[Leaf]:
    values = [float(value) for value in fields["leaf_value"].split()]
    if len(values) == 1:  # a tree without a split adds a constant
        yield Leaf((), values[0])
        return
    feature, kind, left, right = (
        [int(number) for number in fields[name].split()]
        for name in ("split_feature", "decision_type", "left_child", "right_child")
    )
    threshold = [float(number) for number in fields["threshold"].split()]

    def below(node: int, path: tuple[Split, ...]) -> Iterator[Leaf]:
        if node < 0:
            yield Leaf(path, values[~node])
            return
        for child, is_left in ((left[node], True), (right[node], False)):
            split = Split(feature[node], threshold[node], kind[node], is_left)
            yield from below(child, (*path, split))

    yield from below(0, ())


def _renumber(block: str, number: int, models: int) -> str:
    fields = _fields(block) | {"Tree": str(number)}
    for name in ("leaf_value", "internal_value"):
        values = [float(value) / models for value in fields.get(name, "").split()]
        fields[name] = " ".join(map(repr, values))
    return "\n".join(f"{name}={value}" for name, value in fields.items()) + "\n\n\n"
