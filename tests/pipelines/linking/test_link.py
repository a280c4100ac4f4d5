"""Accounts are linked by what fits, by codes where there are any, and as of each day."""

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from features.errors import MicroloanError
from features.tables import LINKS, METERS, REGISTERED_NAMES
from pipelines.intake.ingest import ingest
from pipelines.intake.relink import relink
from pipelines.linking import pairs
from pipelines.linking.link import account_signs, entry_signs, link
from pipelines.linking.weights import LEVELS, SHIPPED, UNKNOWN, read_weights
from pipelines.world import ProvinceSummary, make_province
from pipelines.world.report.linking import score
from serving.records import Records
from tests.pipelines.feeds import credit_code

MILL, SHOP = credit_code(1), credit_code(2)
NAME, ADDRESS, PHONE = "湖州吴兴鑫盛百货经营部", "湖州市吴兴区太湖路12号", "0123456789abcdef"
WEIGHTS = read_weights(SHIPPED)


def account(known: date = date(2024, 1, 5), **signs: Any) -> dict[str, Any]:
    """A version of the account of meter M, as kept by a utility without codes."""
    kept = {"account_name": NAME, "address": ADDRESS, "phone_hash": PHONE, "business_id": None}
    fixed = {"meter_id": "M", "service": "water", "from_on": date(2024, 1, 1), "to_on": None}
    return {**fixed, **kept, **signs, "known_on": known}


def entry(business: str = MILL, known: date = date(2020, 1, 5), **signs: Any) -> dict[str, Any]:
    """A name in the register."""
    own = {"name": NAME, "representative": "王小明", "address": ADDRESS, "phone_hash": PHONE}
    return {"business_id": business, "effective_on": known, **own, **signs, "known_on": known}


def links(accounts: list[dict[str, Any]], entries: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """(day, business) of what is believed of the account, oldest first."""
    meters = pl.DataFrame(accounts, schema=METERS.dtypes)
    found = link(meters, pl.DataFrame(entries, schema=REGISTERED_NAMES.dtypes), WEIGHTS)
    LINKS.schema.validate(found)
    return list(found.sort("from_on", "known_on").select("known_on", "business_id").iter_rows())


@pytest.mark.parametrize(
    "spelt",
    [
        {}, {"account_name": "鑫盛百货经营部（王）"}, {"account_name": "王小明"},
        {"phone_hash": None}, {"address": "吴兴区太湖路12-1号底层"},
        {"account_name": "湖州吴兴金鑫盛百货经营部"}, {"phone_hash": "fedcba9876543210"},
    ],
)  # fmt: skip
def test_an_account_that_bears_the_name_in_some_spelling_is_linked(spelt: dict[str, Any]) -> None:
    other = entry(SHOP, name="湖州吴兴川流餐饮厂", address=None, phone_hash=None)
    assert links([account(**spelt)], [entry(), other]) == [(date(2024, 1, 5), MILL)]


@pytest.mark.parametrize(
    "borne",
    [
        {"account_name": "何玉兰", "phone_hash": None},
        {"account_name": "何玉兰", "phone_hash": "fedcba9876543210"},
        {"account_name": "王小明", "phone_hash": None, "address": "湖州市德清县爱山街7号"},
    ],
)
def test_a_landlord_at_the_same_address_and_a_namesake_elsewhere_are_nobody(
    borne: dict[str, Any],
) -> None:
    assert links([account(**borne)], [entry()]) == [(date(2024, 1, 5), None)]


def test_a_credit_code_on_the_account_is_believed_whatever_the_name_says() -> None:
    coded = account(business_id=SHOP)
    assert links([coded], [entry()]) == [(date(2024, 1, 5), SHOP)]
    assert links([coded], []) == [(date(2024, 1, 5), SHOP)]


def test_a_code_that_comes_later_ends_the_link_by_name() -> None:
    later = account(date(2024, 6, 1), business_id=SHOP)
    assert links([account(), later], [entry()]) == [
        (date(2024, 1, 5), MILL),
        (date(2024, 6, 1), SHOP),
    ]


def test_a_business_registered_after_the_account_is_linked_from_that_day() -> None:
    assert links([account()], [entry(known=date(2024, 3, 1))]) == [
        (date(2024, 1, 5), None),
        (date(2024, 3, 1), MILL),
    ]


def test_two_businesses_that_fit_alike_leave_the_account_with_nobody() -> None:
    twin = entry(SHOP, known=date(2024, 3, 1))
    assert links([account()], [entry(), twin]) == [
        (date(2024, 1, 5), MILL),
        (date(2024, 3, 1), None),
    ]


def test_a_company_reborn_of_a_household_does_not_take_its_account_before_it_is_renamed() -> None:
    company = "湖州吴兴鑫盛百货有限公司"
    reborn = entry(SHOP, known=date(2024, 3, 1), name=company)
    renamed = account(date(2024, 9, 1), account_name=company)
    assert links([account(), renamed], [entry(), reborn]) == [
        (date(2024, 1, 5), MILL),
        (date(2024, 9, 1), SHOP),
    ]


def test_without_registered_names_an_account_without_a_code_is_nobodys() -> None:
    assert links([account()], []) == [(date(2024, 1, 5), None)]


def test_a_link_by_name_and_telephone_alone_allows_for_a_tenant_who_has_left() -> None:
    entries = pl.DataFrame([entry()], schema=REGISTERED_NAMES.dtypes)
    sure, unsure = (
        link(pl.DataFrame([one], schema=METERS.dtypes), entries, WEIGHTS)["link_probability"].item()
        for one in (account(), account(address="湖州市长兴县青铜路7号"))
    )
    assert 0.9 < unsure < 0.98 < 0.9999 < sure


@pytest.fixture(scope="module")
def province(tmp_path_factory: pytest.TempPathFactory) -> ProvinceSummary:
    return make_province(tmp_path_factory.mktemp("linked"), businesses=2_500, months=12, futures=2)


def feed(province: ProvinceSummary, name: str) -> pl.DataFrame:
    rows = pl.read_parquet(province.folder / "feeds" / name / "*.parquet")
    return rows.unique(maintain_order=True)


def test_of_a_province_nearly_all_that_can_be_linked_is_linked_and_nearly_all_rightly(
    province: ProvinceSummary,
) -> None:
    made = link(feed(province, "meters"), feed(province, "registered_names"), WEIGHTS)
    truth = [
        pl.read_parquet(province.folder / "truth" / f"{name}.parquet")
        for name in ("links", "rebirths")
    ]
    found = score(made, *truth)
    assert found.matchable > 2_500
    assert found.precision >= 0.98
    assert found.recall >= 0.90
    for band in found.bands:  # three standard errors of the share, and a hundredth for the weights
        error = (band.believed * (1 - band.believed) / band.links) ** 0.5
        assert band.right == pytest.approx(band.believed, abs=0.01 + 3 * error)
    nobodys = score(made.with_columns(business_id=pl.lit(None, pl.String)), *truth)
    assert (nobodys.linked, nobodys.recall) == (0, 0.0)


def test_what_is_delivered_later_changes_no_link_known_before(province: ProvinceSummary) -> None:
    day = date(2021, 1, 1)
    meters, names = feed(province, "meters"), feed(province, "registered_names")
    known = pl.col("known_on") <= day
    whole = link(meters, names, WEIGHTS).filter(known)
    then = link(meters.filter(known), names.filter(known), WEIGHTS)
    assert then.height > 500
    order = LINKS.schema.primary_key()
    assert whole.sort(order).equals(then.sort(order))


def test_accounts_held_against_names_in_parts_are_linked_alike(
    province: ProvinceSummary, monkeypatch: pytest.MonkeyPatch
) -> None:
    meters, names = feed(province, "meters"), feed(province, "registered_names")
    whole = link(meters, names, WEIGHTS)
    monkeypatch.setattr(pairs, "ACCOUNTS_AT_ONCE", 2_000)
    assert link(meters, names, WEIGHTS).equals(whole)


def test_weights_are_learnt_from_the_accounts_alone(
    province: ProvinceSummary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs, "PAIRS_DRAWN", 5e5)
    learnt = pairs.learn(
        account_signs(feed(province, "meters").with_row_index("id")),
        entry_signs(feed(province, "registered_names").with_row_index("id")),
    )
    for name, levels in learnt.levels.items():
        best, *_, worst = levels.values()
        assert best.m / best.u > 1_000 > 1 > worst.m / worst.u, name
        assert best.m == pytest.approx(next(iter(WEIGHTS.levels[name].values())).m, abs=0.05)


@pytest.mark.slow
def test_a_store_linked_by_its_own_weights_is_the_same_each_time(
    province: ProvinceSummary, tmp_path: Path
) -> None:
    for name in ("meters", "registered_names"):
        (tmp_path / "feeds").mkdir(exist_ok=True)
        feed(province, name).write_parquet(tmp_path / "feeds" / f"{name}.parquet")
    ingest(tmp_path / "feeds", tmp_path / "store", tmp_path / "quarantine")
    shipped = Records.open(tmp_path / "store").table("links")

    first = relink(tmp_path / "store", tmp_path / "weights.json", learn=True)
    before = (tmp_path / "weights.json").read_bytes()
    again = relink(tmp_path / "store", tmp_path / "weights.json", learn=True)

    assert (tmp_path / "weights.json").read_bytes() == before
    assert not again.changed
    assert first.linked == pytest.approx(shipped["business_id"].count(), rel=0.05)


def test_weights_of_other_comparisons_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.json"
    path.write_text('{"prior": 0.5, "levels": {"holder": {}}}')
    with pytest.raises(MicroloanError, match="link --learn"):
        read_weights(path)
    with pytest.raises(MicroloanError, match="no weights"):
        read_weights(tmp_path / "none.json")


def test_every_level_but_the_unknown_has_a_weight() -> None:
    for name, levels in LEVELS.items():
        assert list(WEIGHTS.levels[name]) == [label for label in levels if label != UNKNOWN]
        for side in ("m", "u"):
            total = sum(getattr(one, side) for one in WEIGHTS.levels[name].values())
            assert total == pytest.approx(1, abs=1e-3)
