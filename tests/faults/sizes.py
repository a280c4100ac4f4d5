"""How much of each fault is tried; MICROLOAN_FAULTS=0.1 tries a tenth, for a quick look."""

import os

_SHARE = float(os.environ.get("MICROLOAN_FAULTS", "1"))


def full(size: int) -> int:
    """``size``, or the share of it that was asked for, one at least."""
    return max(1, round(size * _SHARE))
