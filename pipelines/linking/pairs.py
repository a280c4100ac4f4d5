"""How likely an account and a registered name are one, reckoned and learnt by Splink."""

from collections.abc import Mapping
from typing import Any

import duckdb
import polars as pl
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

from pipelines.linking.weights import LEVELS, UNKNOWN, Level, Weights

ODDS_WORTH_KEEPING = 1e-4
PAIRS_DRAWN = 2e7
ACCOUNTS_AT_ONCE = 250_000  # held against all names together, in about a gigabyte
MATCHABLE = 0.75  # of the accounts are those of some business in the register
STALE = 0.01  # of the accounts still bear name and telephone of who used them before
CANDIDATES = ("full_name", "core", "phone_hash", "premises")  # pairs that agree in one are compared


def pairs(accounts: pl.DataFrame, names: pl.DataFrame, weights: Weights) -> pl.DataFrame:
    """Candidates among ``accounts`` and ``names``, both as for ``learn``.

    Returns:
        ``account`` and ``entry`` (their ids), sorted, with ``odds`` that this business uses the
        account and ``bears`` that it does or has done so; hopeless pairs are left out.
    """
    linker = _linker(accounts, names.drop("business_id"), weights)
    floor = ODDS_WORTH_KEEPING / (1 + ODDS_WORTH_KEEPING)
    found = linker.inference.predict(
        threshold_match_probability=floor,
        num_chunks_left=max(1, -(-accounts.height // ACCOUNTS_AT_ONCE)),
        warning_mode="never",
    )
    rows: Any = pl.from_arrow(found.as_duckdbpyrelation().to_arrow_table())
    if not isinstance(rows, pl.DataFrame) or rows.is_empty():
        none = {"account": pl.Int64, "entry": pl.Int64, "odds": pl.Float64, "bears": pl.Float64}
        return pl.DataFrame(schema=none)
    odds = pl.lit(2.0).pow(pl.col("match_weight"))
    # Name and telephone agree for a tenant who has left as well as for one who stays; only the
    # premises speak against the former.
    left = STALE * pl.lit(2.0).pow(-pl.col("mw_place"))
    # Splink calls left what sorts first: "accounts" before "names".
    return rows.select(
        pl.col("unique_id_l").alias("account"),
        pl.col("unique_id_r").alias("entry"),
        odds.alias("odds"),
        (odds * (1 + left)).alias("bears"),
    ).sort("account", "entry")


def learn(accounts: pl.DataFrame, names: pl.DataFrame) -> Weights:
    """Estimate the weights from the records themselves, without any known pair.

    m comes from expectation maximisation among pairs that agree on the telephone and among those
    that agree on the name, so that each comparison is learnt where it is free. It is learnt from
    businesses that neither moved nor changed their name: of others the entries of another time
    make a true pair look worse than the best entry does, by which it will be judged. u comes from
    pairs of different businesses in the register, which are no pairs by their codes; among accounts
    and names at random, most of the few that agree are true.

    Args:
        accounts: with ``spelling.signs`` and an ``id``.
        names: the same, and ``business_id``.
    """
    kept = pl.struct("full_name", "premises", "phone_hash").n_unique().over("business_id") == 1
    settled = names.filter(kept).unique("business_id", keep="last", maintain_order=True)
    linker = _linker(accounts, settled.drop("business_id"), None, threads=1)
    linker.training.estimate_u_using_random_sampling(max_pairs=PAIRS_DRAWN, seed=1)
    for free in ("phone_hash", "full_name"):
        linker.training.estimate_parameters_using_expectation_maximisation(block_on(free))
    businesses = names.unique("business_id", keep="last", maintain_order=True).drop("business_id")
    halves = _linker(businesses[::2], businesses[1::2], None, threads=1)
    halves.training.estimate_u_using_random_sampling(max_pairs=PAIRS_DRAWN, seed=1)
    return _weights(_chances(linker), _chances(halves), MATCHABLE / businesses.height)


def _chances(linker: Linker) -> dict[str, dict[str, Level]]:
    """Both chances of each level as Splink has them; what it never saw has the chance 0."""
    return {
        comparison["output_column_name"]: {
            level["label_for_charts"]: Level(
                _chance(level.get("m_probability")), _chance(level.get("u_probability"))
            )
            for level in comparison["comparison_levels"]
            if not level.get("is_null_level")
        }
        for comparison in linker.misc.save_model_to_json()["comparisons"]
    }


def _chance(told: Any) -> float:
    return float(told) if isinstance(told, float | int) else 0.0


def _weights(
    learnt: Mapping[str, Mapping[str, Level]],
    apart: Mapping[str, Mapping[str, Level]],
    prior: float,
) -> Weights:
    """The weights to six digits; a level that no business shares with another takes the other u."""
    least = 1 / PAIRS_DRAWN

    def weight(level: Level, strangers: Level) -> Level:
        u = strangers.u if strangers.u > least else level.u - prior * level.m
        return Level(*(float(f"{max(chance, least):.6g}") for chance in (level.m, u)))

    return Weights(
        float(f"{prior:.6g}"),
        {
            name: {label: weight(level, apart[name][label]) for label, level in levels.items()}
            for name, levels in learnt.items()
        },
    )


def _linker(
    accounts: pl.DataFrame, names: pl.DataFrame, weights: Weights | None, threads: int = 2
) -> Linker:
    database = DuckDBAPI(duckdb.connect(config={"threads": threads}))
    tables = [
        database.register(rows.rename({"id": "unique_id"}).to_arrow(), dataset_display_name=name)
        for name, rows in (("accounts", accounts), ("names", names))
    ]
    return Linker(tables, _settings(weights), log_level=None)


def _settings(weights: Weights | None) -> SettingsCreator:
    comparisons = [
        {
            "output_column_name": name,
            "comparison_levels": [
                _level(label, condition, weights.levels[name].get(label) if weights else None)
                for label, condition in levels.items()
            ],
        }
        for name, levels in LEVELS.items()
    ]
    return SettingsCreator(
        link_type="link_only",
        comparisons=comparisons,  # type: ignore[arg-type]
        blocking_rules_to_generate_predictions=[block_on(column) for column in CANDIDATES],
        probability_two_random_records_match=weights.prior if weights else 1e-4,
        retain_matching_columns=False,
        retain_intermediate_calculation_columns=True,  # for what the place alone says
    )


def _level(label: str, condition: str, weight: Level | None) -> dict[str, Any]:
    level: dict[str, Any] = {"sql_condition": condition, "label_for_charts": label}
    if label == UNKNOWN:
        return level | {"is_null_level": True}
    return level | ({"m_probability": weight.m, "u_probability": weight.u} if weight else {})
