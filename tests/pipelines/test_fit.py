"""Any flat table goes through the same training, and is warned of what it should not learn from."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from features.errors import MicroloanError
from models.registry import Registry
from pipelines.learning.fit import fit_table
from pipelines.settings import Var

ROWS = 800


def loans() -> pl.DataFrame:
    """A book whose risk falls with income; `term` was written after the outcome."""
    random = np.random.default_rng(3)
    income = random.lognormal(10, 0.6, ROWS)
    risk = 1 / (1 + np.exp(2.0 + 1.5 * (np.log(income) - 10)))
    bad = random.random(ROWS) < risk
    return pl.DataFrame(
        {
            "loan": [f"L{i}" for i in range(ROWS)],
            "opened": [date(2020, 1, 1) + timedelta(days=i) for i in range(ROWS)],
            "income": income,
            "trade": random.choice(["shop", "cafe", "mill"], ROWS),
            "term": np.where(bad & (random.random(ROWS) < 0.9), random.integers(1, 13, ROWS), 12),
            "closed": [date(2024, 1, 1)] * ROWS,
            "state": np.where(bad, "LOST", "PAID"),
        }
    )


def test_a_leak_is_named_and_its_absence_leaves_an_honest_figure(tmp_path: Path) -> None:
    table = tmp_path / "loans.csv"
    loans().write_csv(table)
    leaky = fit_table(
        Var(tmp_path), table, target="state", bad="LOST", time="opened", id_column="loan",
        form="pairs", rivals=False,
    )  # fmt: skip
    assert any("'term' alone foretells default" in warning for warning in leaky.warnings)
    assert any("'closed' is left out" in warning for warning in leaky.warnings)
    honest = fit_table(
        Var(tmp_path), table, target="state", bad="LOST", time="opened", drop=("term", "loan"),
        form="pairs", rivals=False,
    )  # fmt: skip
    assert not any("foretells" in warning for warning in honest.warnings)
    assert 0.6 < honest.auc_out_of_time < 0.9 < leaky.auc_out_of_time
    assert [v.version for v in Registry(Var(tmp_path).mlflow).list_versions("loans")] == [1, 2]


def test_without_a_time_a_random_quarter_is_the_test(tmp_path: Path) -> None:
    table = tmp_path / "loans.parquet"
    loans().drop("term", "opened").write_parquet(table)
    fitted = fit_table(
        Var(tmp_path), table, target="state", bad="LOST", id_column="loan", prior=0.05
    )
    learnt, tested = (row["rows"] for row in fitted.rows)
    assert learnt + tested == ROWS
    assert abs(tested - ROWS // 4) <= 1  # stratified: a quarter of the bads and of the goods


@pytest.mark.parametrize(
    ("name", "content", "rule"),
    [
        ("loans.csv", b"state,income\nPAID,1\nLOST,2\n", "holds 'LOST', 'PAID'"),
        ("loans.parquet", b"PAR1, but no more", "cannot be read as Parquet"),
    ],
)
def test_a_table_that_cannot_be_learnt_from_is_told_by_its_rule(
    name: str, content: bytes, rule: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(MicroloanError, match=rule):
        fit_table(Var(tmp_path), tmp_path / name, target="state")


def test_rows_that_are_alike_stay_on_one_side_of_the_test(tmp_path: Path) -> None:
    book = loans().drop("term", "opened", "closed", "loan").with_columns(urban=pl.lit(value=True))
    noise = pl.Series("noise", np.random.default_rng(0).random(ROWS))
    pl.concat([book.with_columns(noise)] * 3).write_parquet(tmp_path / "loans.parquet")
    fitted = fit_table(
        Var(tmp_path), tmp_path / "loans.parquet", target="state", bad="LOST", form="pairs",
        rivals=False,
    )  # fmt: skip
    assert "1,600 rows repeat another one" in " ".join(fitted.warnings)
    assert fitted.auc_out_of_time < 0.85  # known by heart they are foretold at .9 and more


@pytest.mark.parametrize(
    ("asked", "rule"),
    [
        ({"drop": ("state",)}, "takes 'state' away, which is --target"),
        ({"time": "opened", "id_column": "opened"}, "takes 'opened' away, which is --time"),
        ({"time": "state"}, "both 'state'"),
        ({"time": "opened", "gap_days": -1}, "--gap-days is -1"),
    ],
)
def test_options_that_contradict_each_other_are_told(
    asked: dict[str, Any], rule: str, tmp_path: Path
) -> None:
    loans().write_csv(tmp_path / "loans.csv")
    with pytest.raises(MicroloanError, match=rule):
        fit_table(Var(tmp_path), tmp_path / "loans.csv", target="state", bad="LOST", **asked)


def test_a_name_over_two_columns_is_told(tmp_path: Path) -> None:
    text = (
        loans().drop("loan", "closed", "opened").write_csv().replace("income,trade", "trade,trade")
    )
    (tmp_path / "loans.csv").write_text(text)
    fitted = fit_table(
        Var(tmp_path),
        tmp_path / "loans.csv",
        target="state",
        bad="LOST",
        form="pairs",
        rivals=False,
    )
    assert any("another column is named 'trade'" in warning for warning in fitted.warnings)
