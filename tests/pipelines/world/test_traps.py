"""The traps: each one is there, is listed, and would fool somebody who does not look."""

import numpy as np
import polars as pl

from features.tables import is_credit_code
from pipelines.world import ProvinceSummary
from pipelines.world.bank import Bias, held_against
from pipelines.world.businesses import draw_businesses
from pipelines.world.gaming import INVOICES, METER, RING, Schemes, invoiced, schemes
from pipelines.world.months import month_index
from pipelines.world.traps import hidden_by_bureaus


def test_every_trap_is_planted(truth: dict[str, pl.DataFrame]) -> None:
    planted = truth["traps"].group_by("number").agg(pl.col("planted").sum()).sort("number")
    assert planted["number"].to_list() == list(range(1, 18))
    assert planted.filter(pl.col("planted") == 0).is_empty()


def test_what_a_bureau_hides_from_2026_on_stays_in_the_banks_own_book(
    feeds: dict[str, pl.DataFrame],
) -> None:
    book = feeds["repayments"]
    hidden = hidden_by_bureaus(book)
    last = book.sort("period", "known_on").unique("application_id", keep="last")
    told = last.join(hidden, on="application_id", how="semi")["worst_days_past_due"]
    assert len(told) > 50
    assert (told > 0).all()
    owed = hidden["due_fen"] - hidden["paid_fen"]
    assert owed.is_between(1, 1_000_000).all()


def test_a_household_reborn_as_a_company_leaves_its_history_under_the_old_code(
    feeds: dict[str, pl.DataFrame], truth: dict[str, pl.DataFrame]
) -> None:
    reborn = truth["rebirths"].filter(pl.col("day") < pl.date(2025, 10, 1))
    assert reborn.height > 20
    assert all(is_credit_code(code) for code in reborn["reborn_as"])
    state = feeds["registrations"].with_columns(pl.col("status", "legal_form").cast(pl.String))
    old = state.join(reborn, on="business_id").sort("known_on").unique("business_id", keep="last")
    assert set(old["status"]) <= {"cancelled", "revoked"}
    new = state.join(reborn.select("reborn_as", "day"), left_on="business_id", right_on="reborn_as")
    assert new["business_id"].n_unique() == reborn.height
    assert set(new["legal_form"]) == {"company"}
    assert (new["established_on"] == new["day"]).all()
    for table in ("tax_returns", "invoices"):
        rows = feeds[table].join(reborn, on="business_id")
        assert (rows["period"] < rows["day"]).all()
        later = feeds[table].join(reborn, left_on="business_id", right_on="reborn_as")
        assert (later["period"] >= later["day"]).all()
        assert later.height > 20


def test_no_loan_runs_across_a_rebirth(
    feeds: dict[str, pl.DataFrame], truth: dict[str, pl.DataFrame]
) -> None:
    loans = feeds["repayments"].select("application_id", "business_id").unique()
    applications = feeds["applications"].select("application_id", "business_id")
    both = loans.join(applications, on="application_id")
    assert (both["business_id"] == both["business_id_right"]).all()
    assert loans["application_id"].is_unique().all()
    assert set(applications["business_id"]) <= set(truth["businesses"]["business_id"])


def test_one_owner_asks_for_the_same_with_two_businesses_in_one_month(
    feeds: dict[str, pl.DataFrame], truth: dict[str, pl.DataFrame]
) -> None:
    asked = feeds["applications"].select(
        "application_id", "business_id", "amount_fen", "term_months", "applied_at"
    )
    owners = truth["businesses"].select("business_id", "owner", "woman", "migrant")
    known = asked.join(owners, on="business_id")
    pairs = (
        truth["duplicates"]
        .join(known, on="application_id")
        .join(known, left_on="application_id_of_sibling", right_on="application_id", suffix="_2")
    )
    assert pairs.height >= 10
    for column in ("owner", "woman", "migrant", "amount_fen", "term_months"):
        assert (pairs[column] == pairs[f"{column}_2"]).all(), column
    assert (pairs["business_id"] != pairs["business_id_2"]).all()
    apart = (pairs["applied_at"] - pairs["applied_at_2"]).dt.total_days().abs()
    assert apart.max() < 31  # type: ignore[operator]


def test_consent_is_withdrawn_after_the_application_and_before_the_decision_is_known(
    feeds: dict[str, pl.DataFrame], truth: dict[str, pl.DataFrame]
) -> None:
    rows = truth["consents"].join(feeds["applications"], on="application_id")
    decided = rows.filter(pl.col("outcome").is_not_null())
    assert decided.height > 30
    assert set(decided["outcome"].cast(pl.String)) == {"withdrawn"}
    assert (decided["withdrawn_on"] > decided["applied_at"].dt.date()).all()
    assert (decided["withdrawn_on"] <= decided["known_on"]).all()


def test_the_bias_of_the_old_policy_is_listed_and_costs_its_groups_approvals(
    truth: dict[str, pl.DataFrame],
) -> None:
    told = truth["policy_bias"]
    assert dict(told.select("attribute", "points").iter_rows()) == {
        "owner_is_local": 0.35, "owner_sex": 0.10, "district": 0.15,
    }  # fmt: skip
    rows = truth["applications"].join(
        truth["businesses"].select("business_id", "migrant"), on="business_id"
    )
    lost = pl.col("granted_without_bias").cast(pl.Int8) - pl.col("passed").cast(pl.Int8)
    assert rows.select(lost.min()).item() == 0
    by = dict(rows.group_by("migrant").agg(lost.mean()).iter_rows())
    assert by[True] > by[False] + 0.02


def test_without_bias_nothing_is_held_against_anybody() -> None:
    b = draw_businesses(np.arange(500), month_index("2025-12"), np.random.default_rng(0), 0)
    who = np.arange(500)
    assert not held_against(b, who, Bias(0.0, 0.0, 0.0)).any()
    only = held_against(b, who, Bias(0.0, 0.2, 0.0))
    assert ((only == 0.2) == b.woman).all()


def test_who_games_is_listed_and_shows_in_the_feeds(
    province: ProvinceSummary, feeds: dict[str, pl.DataFrame], truth: dict[str, pl.DataFrame]
) -> None:
    listed = truth["schemes"]
    assert set(listed["scheme"]) == {
        "inflated invoices", "prepaid tax", "invoice ring", "shared meter",
    }  # fmt: skip
    assert 0.01 < listed.height / truth["applications"].height < 0.04
    sold = feeds["invoices"].filter(pl.col("direction").cast(pl.String) == "sales")
    inflated = listed.filter(pl.col("scheme") == "inflated invoices").join(sold, on="business_id")
    since = (pl.col("since") - pl.col("period")).dt.total_days() / 30.4
    during = inflated.filter(since.is_between(-2.5, 0.5))["amount_fen"].mean()
    before = inflated.filter(since.is_between(0.6, 6.5))["amount_fen"].mean()
    assert during > 1.4 * before  # type: ignore[operator]


def test_shells_share_a_meter_from_half_a_year_before_they_apply(
    feeds: dict[str, pl.DataFrame], truth: dict[str, pl.DataFrame]
) -> None:
    shells = truth["schemes"].filter(pl.col("scheme") == "shared meter")
    names = truth["businesses"].select("business_id", "name")
    named = feeds["meters"].join(
        shells.join(names, on="business_id"),
        left_on=["account_name", "from_on"],
        right_on=["name", "since"],
    )
    assert named.height >= 5
    behind = feeds["meters"].filter(pl.col("meter_id").is_in(named["meter_id"].implode()))
    several = behind.group_by("meter_id").agg(pl.col("account_name").n_unique().alias("firms"))
    assert several["firms"].max() >= 2  # type: ignore[operator]


def test_rings_are_formed_in_order_and_lift_both_directions() -> None:
    kind = np.array([0, RING, RING, INVOICES, RING, METER, RING, RING])
    found = schemes(kind, np.arange(8), np.full(8, 6))
    assert isinstance(found, Schemes)
    assert found.group.tolist() == [0, 0, -1, 0, 0, 0, 1]
    issued, received = invoiced(found, (12, 8))
    assert (issued[2:6, 1] > 1.5).all()
    assert (received[2:6, 1] > 1.5).all()
    assert (issued[3:6, 3] > 2).all()
    assert (received[:, 3] == 1).all()
    assert (issued[:, 0] == 1).all()
    assert (issued[6:] == 1).all()
