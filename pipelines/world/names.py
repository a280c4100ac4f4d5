"""Made-up names, addresses and telephones of businesses, and how a utility spells the names."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from pipelines.world.businesses import Businesses
from pipelines.world.economy import DISTRICTS
from pipelines.world.frames import NEVER
from pipelines.world.months import Ints
from pipelines.world.trades import TRADE_NAMES

TOWNS = dict(zip(DISTRICTS, ("吴兴区", "南浔区", "德清县", "长兴县", "安吉县"), strict=True))
MARKS = pl.Series(
    list(
        "鑫盛隆泰恒瑞祥和顺达丰源嘉锦华荣兴旺福茂宏远诚信优美佳悦晨曦博雅凯越金鼎银河天宇地海"
        "江南北东西山川云星月明光辉煌腾飞龙凤麒麟鸿鹏翔宝玉珠翠碧青红紫康宁安平乐欣怡春夏秋冬"
    )
)
STREETS = pl.Series(
    ["太湖路", "红丰路", "环渚路", "苕溪路", "织里大道", "栋梁路", "富民路", "晟舍街", "利济路",
     "爱山街", "龙溪路", "凤凰路", "青铜路", "湖织路"]
)  # fmt: skip
SURNAMES = pl.Series(list("王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗"))
GIVEN = pl.Series(list("明丽伟芳军敏静强磊洋艳勇娟涛霞超平刚桂英华建红玉兰飞"))
LINES = {
    "retail": "百货", "wholesale": "商贸", "garments": "制衣", "weaving": "纺织",
    "machinery": "机械", "catering": "餐饮", "lodging": "宾馆", "services": "家政",
    "transport": "运输", "construction": "建筑工程", "leasing": "咨询",
    "information": "信息技术", "agriculture": "农业",
}  # fmt: skip
COMPANY = "有限公司"
ENDINGS = pl.Series([COMPANY, "经营部", "厂", "合伙企业", "专业合作社"])
RARE = {"鑫": "金鑫", "隆": "龙", "盛": "晟", "源": "元", "嘉": "佳", "旺": "望", "华": "花"}
CITY = "湖州"
RENAMED = 0.06  # of the businesses have had another name, since some day of the last six years
SPELLINGS = 6


@dataclass(frozen=True)
class Signs:
    """What a business goes by, an entry each: names, owner, registered address, hashed telephone.

    ``former`` is the name it had before ``renamed``, NEVER where it always had the one.
    """

    name: pl.Series
    former: pl.Series
    renamed: Ints
    owner: pl.Series
    address: pl.Series
    phone: pl.Series


def draw_signs(b: Businesses, last_day: int, rng: np.random.Generator) -> Signs:
    """Names, owners, addresses and telephones of all businesses; siblings share the owner's."""
    n, place = len(b), np.arange(len(b))
    first = pl.Series(np.where(b.sibling >= 0, np.minimum(b.sibling, place), place))
    name, other = business_names(b, rng), business_names(b, rng)
    day = last_day - rng.integers(0, 6 * 365, n)
    renamed = np.where((rng.random(n) < RENAMED) & (day > b.established + 200), day, NEVER)
    former = name.zip_with(pl.Series(renamed == NEVER), other)
    owner, phone = people(n, rng), phones(n, rng)
    return Signs(
        name, former, renamed, owner.gather(first), addresses(b.district, rng), phone.gather(first)
    )


def business_names(b: Businesses, rng: np.random.Generator) -> pl.Series:
    """A name as registered: city, town, two or three characters, line of trade, ending."""
    marks = pl.DataFrame(
        {f"m{k}": _drawn(MARKS, len(b), rng) for k in range(3)}
        | {"long": rng.random(len(b)) < 0.5, "district": b.district, "trade": b.trade}
        | {"ending": ENDINGS.gather(pl.Series(b.form))}
    )
    towns = [TOWNS[district][:2] for district in DISTRICTS]
    lines = [LINES[trade] for trade in TRADE_NAMES]
    return marks.select(
        pl.concat_str(
            pl.lit(CITY),
            pl.lit(pl.Series(towns)).gather("district"),
            "m0",
            "m1",
            pl.when("long").then("m2").otherwise(pl.lit("")),
            pl.lit(pl.Series(lines)).gather("trade"),
            "ending",
        )
    ).to_series()


def addresses(district: Ints, rng: np.random.Generator) -> pl.Series:
    """An address in each district: city, town, street, number."""
    n = len(district)
    towns = pl.Series(list(TOWNS.values())).gather(pl.Series(district))
    rows = pl.DataFrame(
        {"town": towns, "street": _drawn(STREETS, n, rng), "number": rng.integers(1, 1_999, n)}
    )
    return rows.select(pl.format("湖州市{}{}{}号", "town", "street", "number")).to_series()


def people(n: int, rng: np.random.Generator) -> pl.Series:
    """Made-up names of ``n`` people."""
    return _drawn(SURNAMES, n, rng) + _drawn(GIVEN, n, rng) + _drawn(GIVEN, n, rng)


def phones(n: int, rng: np.random.Generator) -> pl.Series:
    """Hashes of ``n`` telephone numbers: under a key nobody here has, they look like chance."""
    digits, size = rng.bytes(16 * n).hex(), 32
    return pl.Series([digits[at : at + size] for at in range(0, size * n, size)], dtype=pl.String)


def _drawn(words: pl.Series, n: int, rng: np.random.Generator) -> pl.Series:
    return words.gather(pl.Series(rng.integers(0, len(words), n), dtype=pl.UInt32))


def account_names(name: pl.Series, owner: pl.Series, kind: Ints) -> pl.Series:
    """The name on a utility account: as registered, or spelt in one of five imperfect ways."""
    whole = pl.col("name")
    bare = whole.str.slice(4)  # without city and town
    spellings = [
        whole,
        pl.col("owner"),
        whole.str.strip_prefix(CITY).str.replace(COMPANY, "有限责任公司", literal=True),
        pl.format("{}（{}）", bare, pl.col("owner").str.head(1)),
        whole.str.replace_many(RARE),
        bare,
    ]
    return _chosen(pl.DataFrame({"name": name, "owner": owner}), spellings, kind)


def account_addresses(address: pl.Series, kind: Ints) -> pl.Series:
    """The address of supply: as registered, without the city, or with the room spelt out."""
    whole = pl.col("address")
    forms = [whole, whole.str.strip_prefix("湖州市"), whole.str.replace("号$", "-1号底层")]
    return _chosen(pl.DataFrame({"address": address}), forms, kind)


def _chosen(rows: pl.DataFrame, ways: list[pl.Expr], kind: Ints) -> pl.Series:
    """Each row in the way of its ``kind``."""
    chosen = pl.Series("kind", kind)
    told = ways[0]
    for number, way in enumerate(ways[1:], start=1):
        told = pl.when(pl.col("kind") == number).then(way).otherwise(told)
    return rows.with_columns(chosen).select(told.alias("told")).to_series()
