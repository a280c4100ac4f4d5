"""The bundle that decides now: a newly published one is picked up, a bad one is refused once."""

import logging
from collections.abc import Sequence
from pathlib import Path

from serving.bundles.bundle import Bundle, read_bundle, read_champion
from serving.bundles.canary import Start
from serving.bundles.release import BadBundle, champion

_log = logging.getLogger("microloan.serving")


class Champion:
    """Holds a verified bundle; ``bundle`` may be read by any thread at any time."""

    def __init__(
        self, folder: Path, gate_keys: Sequence[bytes], start: Start = "forkserver"
    ) -> None:
        self._folder = folder
        self._gate_keys = gate_keys
        self._refused = ""
        self.bundle: Bundle = read_champion(folder, gate_keys, start)

    def refresh(self) -> bool:
        """Turn to the published bundle if it is another; says whether it did.

        A bundle that must not serve leaves the old one in place, and is logged once.
        """
        try:
            release = champion(self._folder)
            if release.name in (self.bundle.id, self._refused):
                return False
            fresh = read_bundle(release, self._gate_keys)
        except BadBundle as error:
            self._refuse(error)
            return False
        self.bundle, self._refused = fresh, ""
        _log.info("bundle %s decides from now on", fresh.id)
        return True

    def _refuse(self, error: BadBundle) -> None:
        try:
            name = champion(self._folder).name
        except BadBundle:
            name = "none"
        if name != self._refused:
            self._refused = name
            _log.error("bundle refused, %s still decides: %s", self.bundle.id, error)
