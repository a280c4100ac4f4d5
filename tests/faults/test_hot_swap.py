"""Champions changed under load: nobody is refused, and every answer is of the one it names."""

import logging
import os
import shutil
import signal
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from models import Scorer
from serving.bundles.champions import crown
from serving.bundles.release import champion as champion_of
from serving.desk.audit import recompute
from serving.journal.entries import DECISIONS
from serving.journal.reading import entries
from tests.faults.conftest import Kitchen, Load, Service, Told
from tests.faults.sizes import full
from tests.serving.conftest import GATE_KEYS, publish_in

pytestmark = pytest.mark.slow
_log = logging.getLogger(__name__)

SWAPS = full(60)
CALLERS = 2
MOST_GROWTH = 10 << 20  # bytes
PAGE = os.sysconf("SC_PAGE_SIZE")


def resident(service: Service) -> int:
    """Bytes of memory that the process holds."""
    return int(Path(f"/proc/{service.pid}/statm").read_text().split()[1]) * PAGE


def serving(told: Told, bundle: str) -> bool:
    """Whether the newest answers are of a bundle."""
    newest = list(told.answers.values())[-3:]
    return bool(newest) and all(f'"bundle_id":"{bundle}"'.encode() in each for each in newest)


def test_sixty_swaps_under_load_refuse_nobody_and_mix_nothing(
    kitchen: Kitchen, bundles: Path, scorer: Scorer, tmp_path: Path
) -> None:
    folder = tmp_path / "bundles"
    shutil.copytree(bundles, folder, symlinks=True)
    releases = [champion_of(folder).name, publish_in(folder, scorer, version="2").name]
    kitchen.settings["MICROLOAN_SERVING_BUNDLES"] = str(folder)
    service, told = kitchen.start(), Told()
    load = Load(service, told, first=0, callers=CALLERS)
    sizes = []
    for swap in range(SWAPS):
        crown(folder, releases[swap % 2], datetime.now(UTC))
        until = time.monotonic() + 60
        while not serving(told, releases[swap % 2]):
            assert time.monotonic() < until, "the service does not turn to its champion"
            assert service.process.poll() is None
            time.sleep(0.02)
        sizes.append(resident(service))
    os.kill(service.pid, signal.SIGTERM)
    assert service.ended() == 0
    load.stop()
    codes = {problem["code"] for problem in told.problems.values()}
    assert codes <= {"draining"}, "of requests that came while it stopped"
    made = list(recompute(entries(kitchen.journal, DECISIONS), folder, GATE_KEYS))
    assert [each for each in made if each.differs] == []
    assert len(made) == len(told.answers)
    grown = max(sizes[-5:]) - max(sizes[:10])
    _log.info("%d swaps, %d decisions, %.1f MB grown", SWAPS, len(made), grown / (1 << 20))
    assert grown <= MOST_GROWTH
