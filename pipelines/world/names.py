"""Made-up names and addresses, and the imperfect ways in which a utility spells them."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipelines.world.businesses import Businesses
from pipelines.world.economy import DISTRICTS
from pipelines.world.months import Ints
from pipelines.world.trades import TRADE_NAMES

TOWNS = dict(zip(DISTRICTS, ("吴兴区", "南浔区", "德清县", "长兴县", "安吉县"), strict=True))
MARKS = list("鑫盛隆泰恒瑞祥和顺达丰源嘉锦华荣兴旺福茂宏远诚信优美佳悦晨曦博雅凯越")
STREETS = [
    "太湖路",
    "红丰路",
    "环渚路",
    "苕溪路",
    "织里大道",
    "栋梁路",
    "富民路",
    "晟舍街",
    "利济路",
    "爱山街",
    "龙溪路",
    "凤凰路",
    "青铜路",
    "湖织路",
]
SURNAMES = list("王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗")
GIVEN = list("明丽伟芳军敏静强磊洋艳勇娟涛霞超平刚桂英华建红玉兰飞")
LINES = {
    "retail": "百货", "wholesale": "商贸", "garments": "制衣", "weaving": "纺织",
    "machinery": "机械", "catering": "餐饮", "lodging": "宾馆", "services": "家政",
    "transport": "运输", "construction": "建筑工程", "leasing": "咨询",
    "information": "信息技术", "agriculture": "农业",
}  # fmt: skip
ENDINGS = {0: "有限公司", 1: "经营部", 2: "厂", 3: "合伙企业", 4: "专业合作社"}
RARE = {"鑫": "金鑫", "隆": "龙", "盛": "晟", "源": "元", "嘉": "佳", "旺": "望", "华": "花"}


class Signs(NamedTuple):
    """What a business goes by: registered name, owner, registered address."""

    name: NDArray[Any]
    owner: NDArray[Any]
    address: NDArray[Any]


def draw_signs(b: Businesses, rng: np.random.Generator) -> Signs:
    """Names, owners and addresses of all businesses."""
    owner = _owner_names(len(b), rng)
    place = np.arange(len(b))
    first = np.where(b.sibling >= 0, np.minimum(b.sibling, place), place)
    return Signs(_business_names(b, rng), owner[first], _addresses(b, rng))


def _business_names(b: Businesses, rng: np.random.Generator) -> NDArray[Any]:
    """A name as registered: town, two or three characters, line of trade, ending."""
    marks = rng.integers(0, len(MARKS), (len(b), 3))
    long = rng.random(len(b)) < 0.35
    names = []
    for i in range(len(b)):
        mark = "".join(MARKS[m] for m in marks[i, : 3 if long[i] else 2])
        town = TOWNS[DISTRICTS[b.district[i]]][:2]
        line = LINES[TRADE_NAMES[b.trade[i]]]
        names.append(f"湖州{town}{mark}{line}{ENDINGS[int(b.form[i])]}")
    return np.array(names, dtype=object)


def _addresses(b: Businesses, rng: np.random.Generator) -> NDArray[Any]:
    """Where the business is registered: town, street, number."""
    street, number = rng.integers(0, len(STREETS), len(b)), rng.integers(1, 1_999, len(b))
    towns = [TOWNS[DISTRICTS[d]] for d in b.district]
    return np.array(
        [f"湖州市{t}{STREETS[s]}{n}号" for t, s, n in zip(towns, street, number, strict=True)],
        dtype=object,
    )


def _owner_names(n: int, rng: np.random.Generator) -> NDArray[Any]:
    """Made-up names of owners."""
    first, second = rng.integers(0, len(SURNAMES), n), rng.integers(0, len(GIVEN), (n, 2))
    return np.array(
        [f"{SURNAMES[a]}{GIVEN[b]}{GIVEN[c]}" for a, (b, c) in zip(first, second, strict=True)],
        dtype=object,
    )


def account_names(names: NDArray[Any], owners: NDArray[Any], kind: Ints) -> NDArray[Any]:
    """The name on a utility account: as registered, or spelt in one of five imperfect ways."""
    return np.array(
        [_spelt(str(n), str(o), int(k)) for n, o, k in zip(names, owners, kind, strict=True)],
        dtype=object,
    )


def _spelt(name: str, owner: str, kind: int) -> str:
    if kind == 1:
        return owner
    if kind == 2:
        return name.replace("湖州", "").replace("有限公司", "有限责任公司")
    if kind == 3:
        return f"{name[:-2]}（{owner[0]}）"
    if kind == 4:
        return "".join(RARE.get(letter, letter) for letter in name)
    return name[4:] if kind == 5 else name


def account_addresses(places: NDArray[Any], kind: Ints) -> NDArray[Any]:
    """The address of supply: as registered, without the city, or with the room spelt out."""
    forms = (lambda a: a, lambda a: a.replace("湖州市", ""), lambda a: f"{a[:-1]}-1号底层")
    return np.array([forms[k % 3](str(a)) for a, k in zip(places, kind, strict=True)], dtype=object)
