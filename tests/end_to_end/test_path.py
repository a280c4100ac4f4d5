"""From departments' feeds to a recorded decision, through the front doors."""

import hashlib
from pathlib import Path

import polars as pl
import pytest

from models.gate import GateClosed
from pipelines.promote import promote
from pipelines.run import free_port
from pipelines.service import ask, invite, new_key, running, settings
from serving.entries import verify
from tests.end_to_end.conftest import Travelled, travel


def test_every_delivered_row_is_accepted_duplicate_or_quarantined(travelled: Travelled) -> None:
    total = travelled.ingested.total
    assert total.delivered == total.accepted + total.duplicate + total.quarantined
    assert total.duplicate > 0


def test_the_scorer_ranks_later_applications_better_than_chance(travelled: Travelled) -> None:
    share = travelled.learnt.gini_share_of_truth
    assert share is not None
    assert 0.1 < share < 1, "of the Gini that the true probabilities reach, through the door"


def test_a_scorer_judged_on_too_few_bads_is_not_promoted_and_the_champion_stays(
    travelled: Travelled,
) -> None:
    before = (travelled.paths.bundles / "champion").readlink()
    with pytest.raises(GateClosed, match=r"bads out of time is \d+, asked at least 30"):
        promote(travelled.paths)
    assert (travelled.paths.bundles / "champion").readlink() == before


def test_the_champion_passed_every_check_of_the_gate(travelled: Travelled) -> None:
    assert travelled.promoted.checks
    assert all(check["passed"] for check in travelled.promoted.checks)


def test_a_batch_decides_each_application_once(travelled: Travelled) -> None:
    decided = pl.read_parquet(travelled.paths.scores)
    wanted = pl.read_parquet(travelled.paths.features)["application_id"]
    assert decided["application_id"].sort().equals(wanted.sort())
    assert travelled.batch.decided == (
        travelled.batch.approve + travelled.batch.refer + travelled.batch.decline
    )


def test_a_served_decision_equals_the_batch_and_is_in_the_journal(travelled: Travelled) -> None:
    paths = travelled.paths
    served = settings(paths, port=free_port())
    invitation = invite(paths, f"http://127.0.0.1:{served.port}", new_key(paths))
    with running(served):
        answer = ask(invitation)
    batch = pl.read_parquet(paths.scores).sort("outcome", "application_id").row(0, named=True)
    assert answer["outcome"] == batch["outcome"]
    assert answer["limit"] == batch["limit"]
    assert [reason["code"] for reason in answer["reasons"]] == batch["reasons"]
    entries, _ = verify(served.journal)
    assert entries == 1


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes(travelled: Travelled, tmp_path: Path) -> None:
    again = travel(tmp_path)
    assert _hashes(again.paths.root) == _hashes(travelled.paths.root)


def _hashes(root: Path) -> dict[str, str]:
    """Hashes of feeds, truth, store, features, scores and published model."""
    kept = ("province", "store", "features", "scores.parquet")
    files = [file for name in kept for file in sorted((root / name).rglob("*")) or [root / name]]
    champion = (root / "bundles" / "champion").resolve()
    models = [champion / name for name in ("model.txt", "scorer.json", "golden.json")]
    return {
        str(file.relative_to(root)) if file not in models else file.name: hashlib.sha256(
            file.read_bytes()
        ).hexdigest()
        for file in [*files, *models]
        if file.is_file() and file.name != "about.json"
    }
