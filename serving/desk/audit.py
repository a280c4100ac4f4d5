"""Recompute what the journal holds with the bundles it names, and say where it differs."""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from serving.bundles.bundle import Bundle, read_bundle
from serving.bundles.release import BadBundle
from serving.desk.replay import Record, replay
from serving.journal.entries import Stored

BUNDLES_AT_HAND = 8


class Recomputed(NamedTuple):
    """A decision made anew: the fields that differ, or why it could not be made."""

    sequence: int
    decision_id: str
    differing: tuple[str, ...]
    failure: str = ""
    is_erased: bool = False

    @property
    def differs(self) -> bool:
        """Whether record and answer did not come out byte for byte."""
        return bool(self.differing or self.failure)

    def __str__(self) -> str:
        said = self.failure or "other " + ", ".join(self.differing)
        return f"{self.decision_id} (entry {self.sequence}): {said}"


def recompute(
    decisions: Iterable[Stored], bundles: Path, gate_keys: Sequence[bytes]
) -> Iterator[Recomputed]:
    """Make every decision again with the bundle and the policy that made it, in order."""

    @lru_cache(BUNDLES_AT_HAND)
    def bundle(release: str) -> Bundle:
        return read_bundle(bundles / "releases" / release, gate_keys)

    for stored in decisions:
        if stored.is_erased:
            yield Recomputed(stored.sequence, stored.decision_id, (), is_erased=True)
            continue
        try:
            named = msgspec.json.decode(stored.record, type=_Named)
            differing = _differing(stored, bundle(named.bundle_id))
            yield Recomputed(stored.sequence, stored.decision_id, differing)
        except (BadBundle, msgspec.MsgspecError) as error:
            yield Recomputed(stored.sequence, stored.decision_id, (), str(error))


class _Named(msgspec.Struct):
    """The part of a record that names the bundle."""

    bundle_id: str


def _differing(stored: Stored, bundle: Bundle) -> tuple[str, ...]:
    """Names of the fields that came out otherwise; the answer is compared byte for byte."""
    kept = msgspec.json.decode(stored.record, type=Record)
    decision, answered = replay(stored.record, bundle)
    if answered == stored.response and decision == kept.decision:
        return ()
    inside = _fields(msgspec.to_builtins(kept.decision), msgspec.to_builtins(decision))
    outside = _fields(msgspec.json.decode(stored.response), msgspec.json.decode(answered))
    return tuple(dict.fromkeys((*inside, *outside))) or ("the bytes of the answer",)


def _fields(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    missing = object()
    for name in {**before, **after}:
        if before.get(name, missing) != after.get(name, missing):
            yield name
