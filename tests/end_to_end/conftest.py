"""One small province, taken through the whole path once for all end-to-end tests."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from features.catalog import CATALOG
from models.gate_record import Limits
from pipelines.intake.ingest import IngestSummary, ingest
from pipelines.learning.learn import Learnt
from pipelines.learning.plan import Plan
from pipelines.learning.promote import Promoted, promote
from pipelines.learning.train import train
from pipelines.score import BatchSummary, score
from pipelines.settings import Var
from pipelines.tabulate import tabulate
from pipelines.world import make_province

BUSINESSES = 5_000
SEED = 11
FEATURES = tuple(feature.name for feature in CATALOG[::4])  # a quarter, in a quarter of the time
# so small a book cannot show more
FEW_BADS = Limits(bads=5, auc=0.3, calibration_error=0.1, level=(0.3, 3.0))


@dataclass(frozen=True)
class Travelled:
    """What each step of the path left behind."""

    paths: Var
    ingested: IngestSummary
    learnt: Learnt
    promoted: Promoted
    batch: BatchSummary


def travel(root: Path) -> Travelled:
    """Take a small province from feeds to a scored batch."""
    paths = Var(root)
    make_province(paths.province, businesses=BUSINESSES, seed=SEED)
    ingested = ingest(paths.feeds, paths.store, paths.quarantine)
    tabulate(paths.store, paths.features, CATALOG)
    learnt = train(paths, Plan(features=FEATURES, seed=SEED), rivals=False)
    promoted = promote(paths, limits=FEW_BADS)
    return Travelled(paths, ingested, learnt, promoted, score(paths, table=paths.features))


@pytest.fixture(scope="session")
def travelled(tmp_path_factory: pytest.TempPathFactory) -> Travelled:
    """The path, travelled."""
    return travel(tmp_path_factory.mktemp("path"))
