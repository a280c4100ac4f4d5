"""The report of a province: every figure has a target, a source and a verdict it can lose."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from features.errors import MicroloanError
from pipelines.cli import main
from pipelines.world import ProvinceSummary
from pipelines.world.report.difficulty import expected_auc
from pipelines.world.report.evidence import Evidence
from pipelines.world.report.marginal import Marginal, steps_back
from pipelines.world.report.page import TOPICS, measure, told, write


def marginal(measured: float | None, low: float = 0.05, high: float = 0.08) -> Marginal:
    return Marginal("default", "bad rate", low, high, "published", measured, unit="%")


@pytest.mark.parametrize(
    ("measured", "verdict"),
    [
        (0.05, "inside"), (0.08, "inside"), (0.04999, "outside"), (0.0801, "outside"),
        (None, "not measurable"),
    ],
)  # fmt: skip
def test_the_bounds_of_a_tolerance_are_inside_it(measured: float | None, verdict: str) -> None:
    assert marginal(measured).verdict == verdict


def test_figures_are_told_in_their_unit() -> None:
    assert marginal(0.0612).found == "6.12 %"
    assert marginal(None).found == "–"
    assert marginal(0.06).target == "5.00 % to 8.00 %"


def test_a_row_that_should_fall_is_told_how_often_it_rises() -> None:
    assert steps_back([0.13, 0.09, 0.09, 0.04]) == 0
    assert steps_back([0.13, 0.14, 0.09, 0.10]) == 2


def test_an_area_counts_each_row_as_bad_by_its_true_probability() -> None:
    certain = pl.DataFrame({"true_pd": [0.0, 0.0, 1.0, 1.0]})
    assert expected_auc(certain, np.array([0.1, 0.3, 0.2, 0.4])) == 0.75
    assert expected_auc(pl.DataFrame({"true_pd": [0.5, 0.5]}), np.array([1.0, 2.0])) == 0.5


def test_a_folder_without_a_province_names_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(MicroloanError, match="microloan world"):
        measure(tmp_path)


def test_the_report_tells_each_figure_with_its_target_source_and_verdict(
    province: ProvinceSummary, tmp_path: Path
) -> None:
    report, evidence = measure(province.folder, topics=TOPICS[:-1])
    data, page = write(report, evidence, tmp_path)
    figures = json.loads(data.read_text())["marginals"]
    assert len(figures) == len(report.marginals) > 80
    assert all(f["source"] and f["low"] <= f["high"] for f in figures)
    assert {f["verdict"] for f in figures} <= {"inside", "outside", "not measurable"}
    assert report.inside + len(report.misses) == len(report.marginals)
    assert report.share > 0.75  # 5,000 businesses: the small trades are noise
    shown = page.read_text(encoding="utf-8")
    assert all(f["name"].replace("'", "&#39;") in shown for f in figures)
    assert shown.count("<svg") == 11
    assert told(report)["judged"] == report.judged


@pytest.mark.slow
def test_the_departments_together_rank_better_than_any_alone_and_worse_than_the_truth(
    province: ProvinceSummary,
) -> None:
    report, _ = measure(province.folder, topics=TOPICS[-1:])
    area = {m.name.removeprefix("AUC: "): m.measured or 0.0 for m in report.marginals}
    together = area["registry, tax and utility, through the door"]
    assert area["true probability, through the door"] > together + 0.05
    assert together > max(area["registry, through the door"], area["tax, through the door"])
    assert area["registry, tax and utility, the granted alone"] < together
    assert area["outcomes shuffled, mean of 12"] == pytest.approx(0.5, abs=0.03)


def test_the_figures_come_from_the_feeds_and_not_from_the_settings(
    province: ProvinceSummary, tmp_path: Path
) -> None:
    """A bureau that delivers no late return changes the figure of late filings."""
    from pipelines.world.report import taxes

    for folder in ("feeds", "truth"):
        (tmp_path / folder).symlink_to(province.folder / folder)
    (tmp_path / "feeds").unlink()
    (tmp_path / "feeds").mkdir()
    for feed in (province.folder / "feeds").iterdir():
        (tmp_path / "feeds" / feed.name).symlink_to(feed)
    (tmp_path / "feeds" / "tax_returns").unlink()
    (tmp_path / "feeds" / "tax_returns").mkdir()
    rows = pl.read_parquet(province.folder / "feeds" / "tax_returns" / "*.parquet")
    punctual = rows.filter(pl.col("filed_on") <= pl.col("due_on"))
    punctual.write_parquet(tmp_path / "feeds" / "tax_returns" / "part-00000.parquet")
    found = {m.name: m.measured for m in taxes.marginals(Evidence(tmp_path))}
    assert found["applicants with a late filing in 24 months"] == 0.0


def test_the_command_measures_the_province_that_is_there(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["world", "--report", "--var", str(tmp_path)])
    assert stop.value.code == 1
    assert "microloan world" in " ".join(capsys.readouterr().err.split())
