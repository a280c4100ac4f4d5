"""Spellings of one name and address come out alike, and different ones do not."""

import polars as pl
import pytest

from pipelines.linking.spelling import signs

REGISTERED = ("湖州吴兴鑫盛百货有限公司", "湖州市吴兴区太湖路123号")


def reduced(name: str, address: str) -> dict[str, str | None]:
    rows = pl.DataFrame({"name": [name], "address": [address], "phone": ["0123456789abcdef"]})
    return rows.select(*signs(pl.col("name"), pl.col("address"), pl.col("phone"))).row(
        0, named=True
    )


@pytest.mark.parametrize(
    "name",
    [
        "湖州吴兴鑫盛百货有限责任公司", "吴兴鑫盛百货有限公司", "鑫盛百货有限公司",
        "鑫盛百货有限公司（王）", "湖州吴兴鑫盛百货 有限公司", "鑫盛百货",
        "湖州市吴兴鑫盛百货有限公司",
    ],
)  # fmt: skip
def test_a_name_without_places_form_and_brackets_has_one_core(name: str) -> None:
    assert reduced(name, REGISTERED[1])["core"] == reduced(*REGISTERED)["core"] == "鑫盛百货"


@pytest.mark.parametrize(
    "address",
    ["吴兴区太湖路123号", "湖州市吴兴区太湖路123-1号底层", "浙江省湖州市吴兴区太湖路１２３号"],
)
def test_premises_are_street_and_number_in_their_district(address: str) -> None:
    assert reduced("店", address)["premises"] == reduced(*REGISTERED)["premises"] == "吴兴太湖路123"


@pytest.mark.parametrize(
    ("sign", "name", "address"),
    [
        ("ending", "湖州吴兴鑫盛百货经营部", REGISTERED[1]),
        ("core", "湖州吴兴鑫隆百货有限公司", REGISTERED[1]),
        ("premises", REGISTERED[0], "湖州市南浔区太湖路123号"),
        ("premises", REGISTERED[0], "湖州市吴兴区太湖路124号"),
        ("street", REGISTERED[0], "湖州市吴兴区红丰路123号"),
    ],
)
def test_what_differs_stays_different(sign: str, name: str, address: str) -> None:
    assert reduced(name, address)[sign] != reduced(*REGISTERED)[sign]


def test_letters_of_full_width_are_letters() -> None:
    assert reduced("ＡＢ百货店", REGISTERED[1])["core"] == "AB百货"


def test_an_address_without_a_street_has_no_premises() -> None:
    assert reduced(REGISTERED[0], "某处")["premises"] is None
