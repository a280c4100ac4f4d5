"""What the linker believes of spellings: how much each level of agreement counts.

Fellegi and Sunter (1969), "A theory for record linkage": each comparison has levels, and a level
counts by the ratio of its chance among true pairs (m) to that among others (u).
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from features.errors import MicroloanError

SHIPPED = Path(__file__).with_name("weights.json")
# What is compared, with the conditions of its levels from the strictest on; "else" is all the rest.
LEVELS: Mapping[str, Mapping[str, str]] = {
    "holder": {
        "unknown": "core_l is null or core_r is null",
        "same name": "full_name_l = full_name_r",
        "name of the person": "full_name_l = person_r or person_l = full_name_r",
        "same core": "core_l = core_r and coalesce(ending_l = ending_r, true)",
        "same core, other ending": "core_l = core_r",
        "alike": "jaro_winkler_similarity(core_l, core_r) >= 0.8",
        "else": "else",
    },
    "phone": {
        "unknown": "phone_hash_l is null or phone_hash_r is null",
        "same": "phone_hash_l = phone_hash_r",
        "else": "else",
    },
    "place": {
        "unknown": "street_l is null or street_r is null",
        "same premises": "premises_l = premises_r",
        "same street": "street_l = street_r",
        "else": "else",
    },
}
UNKNOWN = "unknown"  # a level that counts neither way and has no weight


class Level(msgspec.Struct, frozen=True):
    """Chances of one level of a comparison among true pairs and among all others."""

    m: float
    u: float


class Weights(msgspec.Struct, frozen=True):
    """What the linker believes of spellings: ``prior`` of two records at random, and the levels.

    They are fixed before a link is made, so that what is delivered later never changes a link.
    """

    prior: float
    levels: dict[str, dict[str, Level]]


def weights_in_force(learnt: Path) -> Path:
    """The file ``learnt`` where there is one, else the weights that come with the project."""
    return learnt if learnt.exists() else SHIPPED


def read_weights(path: Path) -> Weights:
    """Weights as ``learn`` gave them.

    Raises:
        MicroloanError: the file is not one of weights for the comparisons of this code.
    """
    try:
        weights = msgspec.json.decode(path.read_bytes(), type=Weights)
    except (msgspec.DecodeError, OSError) as error:
        raise MicroloanError(
            f"{path} has no weights for linking ({error}). Hint: `microloan link --learn`."
        ) from None
    asked = {name: set(levels) - {UNKNOWN} for name, levels in LEVELS.items()}
    if {name: set(levels) for name, levels in weights.levels.items()} != asked:
        raise MicroloanError(
            f"{path} weighs other comparisons than this version makes. "
            "Hint: `microloan link --learn` makes it anew."
        )
    return weights
