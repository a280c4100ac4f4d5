"""From departments' feeds to a recorded decision, through the front doors."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from features.build import build
from features.catalog import select
from features.definition import Feature, feature
from features.tables import REPAYMENTS
from models.gate_record import GateClosed, Override
from models.registry import MODEL, Registry
from pipelines.learning.backtest import backtest
from pipelines.learning.compare import compare
from pipelines.learning.leakage import audit
from pipelines.learning.learn import Learnt
from pipelines.learning.plan import Plan
from pipelines.learning.promote import promote
from pipelines.learning.register import report, rollback, versions
from pipelines.learning.reproduce import reproduce
from pipelines.learning.study import study
from pipelines.learning.train import train
from pipelines.run import free_port
from pipelines.service import (
    ask,
    invite,
    invited_day,
    new_key,
    running,
    settings,
    today,
)
from serving.bundles.bundle import read_champion
from serving.bundles.release import read_gate_keys
from serving.journal.reading import verify
from tests.end_to_end.conftest import FEATURES, SEED, Travelled, travel
from tests.end_to_end.journals import record
from tests.pipelines.test_cli import run

MICROLOAN = "from pipelines.cli import main; main()"


@feature(REPAYMENTS, unit="days", risk="rises", reason="R34", plausible=(0, 10_000))
def worst_delay_of_this_loan() -> pl.Expr:
    """The canary: what only the months after the application can tell, once they are let in."""
    return pl.col("worst_days_past_due").max().cast(pl.Float64)


def loan_book_known_years_early(
    applications: pl.DataFrame, tables: Mapping[str, pl.DataFrame], features: Sequence[Feature]
) -> pl.DataFrame:
    """A build that prepares the loan book as if each month had been known before it came."""
    early = tables["repayments"].with_columns(pl.col("known_on").dt.offset_by("-3y"))
    return build(applications, {**tables, "repayments": early}, features)


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


def test_a_back_test_decides_each_application_by_what_was_known_before(
    travelled: Travelled,
) -> None:
    plan = Plan(features=FEATURES, seed=SEED)
    found = backtest(travelled.paths, plan, months=6, periods=1)
    decided = pl.read_parquet(found.path)
    first, whole = found.periods
    assert decided["application_id"].is_unique().all()
    assert whole.applications == decided.height > whole.matured > whole.bads > 0
    assert first.learnt_from == study(travelled.paths, plan).train.features.height
    approved, _, declined = whole.decided
    assert approved.true_pd is not None
    assert declined.true_pd is not None
    assert approved.true_pd < declined.true_pd


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
    asked_at = datetime.fromisoformat(str(invitation.request["applied_at"]))
    assert invited_day(paths) == today(lambda: asked_at), "the rows of a demo are made for it"
    with running(served):
        answer = ask(invitation)
    batch = pl.read_parquet(paths.scores).sort("outcome", "application_id").row(0, named=True)
    assert answer["outcome"] == batch["outcome"]
    assert answer["limit"] == batch["limit"]
    assert [reason["code"] for reason in answer["reasons"]] == batch["reasons"]
    whole, _ = verify(served.journal)
    assert whole.size == 1


def test_nothing_known_after_the_test_began_is_learnt(travelled: Travelled) -> None:
    rows = study(travelled.paths, Plan(features=FEATURES, seed=SEED))
    tested = rows.test.applied_on
    assert tested is not None
    assert rows.start <= tested.min()  # type: ignore[operator]
    assert rows.loans["granted_on"].max() <= rows.start  # type: ignore[operator]
    assert rows.train.names is not None
    assert rows.test.names is not None
    assert set(rows.train.names).isdisjoint(rows.test.names)
    on_book = (pl.lit(rows.start) - pl.col("granted_on")).dt.total_days() / 28 + 1
    assert rows.loans.filter(pl.col("months_at_risk") > on_book).is_empty()


def test_a_planted_leak_is_caught_by_the_bomb_and_alone_and_honest_features_by_neither(
    travelled: Travelled,
) -> None:
    features = [
        *select(["term", "balance_owed", "sales_growth_position"]),
        worst_delay_of_this_loan,
    ]
    honest = audit(travelled.paths, features)
    assert honest.applications > 100
    assert honest.is_clean
    found = audit(travelled.paths, features, build=loan_book_known_years_early)
    assert "worst_delay_of_this_loan" in found.changed_by_the_future
    assert set(found.changed_by_the_future) <= {"worst_delay_of_this_loan", "balance_owed"}
    assert found.foretelling_alone["worst_delay_of_this_loan"] > 0.9
    assert set(found.foretelling_alone) <= {"worst_delay_of_this_loan", "balance_owed"}


def test_a_feature_is_shown_with_its_figures_and_picture(
    travelled: Travelled, capsys: pytest.CaptureFixture[str]
) -> None:
    var = ["--var", str(travelled.paths.root), "--json"]
    assert run("feature", "show", "declared_sales_yoy_6m", *var) == 0
    shown = json.loads(capsys.readouterr().out)
    study_rows = study(travelled.paths, Plan(method="flag")).train
    assert shown["default"]["loans"] == len(study_rows.bad)
    assert shown["default"]["bads"] == study_rows.bad.sum()
    assert shown["rows"] == pl.read_parquet(travelled.paths.features).height
    assert 0 < shown["missing"] < 1
    assert shown["related"][0][0] == "sales_growth_position"
    assert Path(shown["plot"]).read_bytes()[1:4] == b"PNG"


def test_a_version_is_made_again_byte_for_byte_from_what_its_run_kept(travelled: Travelled) -> None:
    made = reproduce(travelled.paths, travelled.learnt.run_id)
    assert (made.version, made.changed) == (travelled.learnt.version, "nothing")


@pytest.fixture(scope="module")
def second(travelled: Travelled) -> Learnt:
    """Another version: learnt from matured loans alone, with some of the features."""
    plan = Plan(method="flag", features=FEATURES[::2], seed=SEED)
    return train(travelled.paths, plan, rivals=False)


def test_two_versions_are_compared_on_the_same_rows(travelled: Travelled, second: Learnt) -> None:
    judged = compare(travelled.paths, second.version, travelled.learnt.version)
    assert [row["scorer"] for row in judged.figures] == ["version 2", "version 1"]
    area = {row["scorer"]: row["AUC"] for row in judged.figures}
    (test,) = (row for row in judged.tests if row["figure"] == "AUC")
    assert test["first less second"] == pytest.approx(area["version 2"] - area["version 1"])
    assert Path(judged.plot).read_bytes().startswith(b"\x89PNG")


def test_a_version_that_fails_serves_only_if_somebody_answers_for_it_and_a_rollback_ends_it(
    travelled: Travelled, second: Learnt
) -> None:
    paths, keys = travelled.paths, read_gate_keys(travelled.paths.gate_keys)
    with pytest.raises(GateClosed):
        promote(paths, version=second.version)
    override = Override("head of risk", "a trial of one week")
    promote(paths, version=second.version, override=override)
    assert read_champion(paths.bundles, keys).model.override == override
    restored = rollback(paths)
    served = read_champion(paths.bundles, keys).model
    assert (restored.version, served.override) == (str(travelled.learnt.version), None)
    first, other = versions(paths)
    assert (first["aliases"], other["aliases"], other["gate"]) == ("champion", "–", "overridden")


def test_an_alias_moved_by_hand_changes_nothing_that_serves(
    travelled: Travelled, second: Learnt
) -> None:
    registry, paths = Registry(travelled.paths.mlflow), travelled.paths
    registry.set_alias(registry.version(MODEL, second.version), "champion")
    served = read_champion(paths.bundles, read_gate_keys(paths.gate_keys)).model
    registry.set_alias(registry.version(MODEL, travelled.learnt.version), "champion")
    assert served.version == str(travelled.learnt.version)


def test_the_report_comes_out_of_the_register(travelled: Travelled) -> None:
    file = report(travelled.paths, "champion")
    assert "<svg" in file.read_text(encoding="utf-8")


def test_a_batch_and_the_journal_of_the_same_decisions_are_monitored_alike(
    travelled: Travelled, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths, batch, at = travelled.paths, tmp_path / "some.parquet", tmp_path / "journal.db"
    start = study(paths, Plan(features=FEATURES, seed=SEED)).start
    days = pl.read_parquet(paths.features, columns=["application_id", "applied_on"])
    newer = days.filter(pl.col("applied_on") >= start).head(120)["application_id"].to_list()
    older = days.filter(pl.col("applied_on") < start).head(5)["application_id"].to_list()
    decided = pl.read_parquet(paths.scores)
    decided.filter(pl.col("application_id").is_in([*newer, *older])).write_parquet(batch)
    record(paths, at, [*newer, *older])
    told = []
    for source in (["--batch", str(batch)], ["--journal", str(at)]):
        assert run("monitor", *source, "--var", str(paths.root), "--json") == 0
        told.append(json.loads(capsys.readouterr().out))
    for one in told:
        one["population"]["features"].sort(key=lambda feature: feature["name"])
    assert told[0]["population"] == told[1]["population"]
    assert [one["left_out"]["of days that it was developed on"] for one in told] == [5, 5]
    assert told[0]["population"]["decisions"] == 120
    assert (told[0]["people"], told[1]["people"]["overridden"]) == (None, 0)
    assert told[0]["performance"]["loans"] > told[1]["performance"]["loans"] == 0
    page = Path(told[0]["page"]).read_text(encoding="utf-8")
    assert not any(name in page or name in json.dumps(told) for name in newer)
    figures = Registry(paths.mlflow)._client.get_run(told[1]["run"]).data.metrics
    assert figures["decisions"] == 120


def test_a_timer_fails_where_something_is_red_and_is_told_what(
    travelled: Travelled, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths, batch = travelled.paths, tmp_path / "risky.parquet"
    decided = pl.read_parquet(paths.scores)
    risky = decided.sort("probability_of_default").tail(decided.height // 2)
    risky.write_parquet(batch)
    asked = ["monitor", "--batch", str(batch), "--var", str(paths.root)]
    assert run(*asked) == 0
    capsys.readouterr()
    assert run(*asked, "--strict") == 1
    told = " ".join(capsys.readouterr().err.split())
    assert "Red: score: Stability index" in told


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


@pytest.mark.slow
def test_a_run_that_cannot_learn_ends_with_one_sentence(tmp_path: Path) -> None:
    asked = ["run", "--once", "--businesses", "200", "--months", "24", "--var", str(tmp_path)]
    ended = subprocess.run(
        [sys.executable, "-c", MICROLOAN, *asked], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert ended.stderr.count("Hint: ") == 1
