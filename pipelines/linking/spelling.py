"""Names and addresses reduced to what every spelling of them has in common.

Each row is reduced by itself, so that what is linked never depends on other rows.
"""

import polars as pl

FULL_WIDTH = {chr(0xFEE0 + code): chr(code) for code in range(0x21, 0x7F)}
# What a name ends in: legal form or kind of house, longest first.
ENDING = (
    "(股份有限公司|有限责任公司|有限公司|合伙企业|专业合作社|合作社|个体工商户|工作室|经营部"
    "|服务部|门市部|商行|公司|中心|商店|厂|店|部|行)$"
)
CITY = r"^(?:.{2,3}省)?(.{2,4}?)市"
DISTRICT = r"^(?:.{2,3}省)?(?:.{2,4}?市)?(.{2,3}?)[区县市]"
STREET = r"([^省市区县]{2,}?(?:大道|路|街|巷|弄|道|村))[^\d]{0,3}\d+"
NUMBER = r"(?:大道|路|街|巷|弄|道|村)[^\d]{0,3}(\d+)"


def signs(name: pl.Expr, address: pl.Expr, phone_hash: pl.Expr) -> list[pl.Expr]:
    """What two records are compared by, from a name, an address and a hashed telephone number.

    ``full_name`` is without brackets, spaces and variants of the legal form; ``core`` also without
    the places of its own address in front and without the ``ending``; ``street`` and ``premises``
    (street and number) are with the district.
    """
    plain = _plain(name)
    place = _plain(address)
    district = place.str.extract(DISTRICT).fill_null("")
    street = district + place.str.extract(STREET)
    return [
        plain.alias("full_name"),
        _core(plain, place).alias("core"),
        plain.str.extract(ENDING).alias("ending"),
        street.alias("street"),
        (street + place.str.extract(NUMBER)).alias("premises"),
        phone_hash.alias("phone_hash"),
    ]


def person(name: pl.Expr) -> pl.Expr:
    """A person's name as it is compared."""
    return _plain(name).alias("person")


def _plain(text: pl.Expr) -> pl.Expr:
    narrow = text.str.replace_many(FULL_WIDTH)
    bare = narrow.str.replace_all(r"[(\[][^)\]]*[)\]]|\s", "")
    return bare.str.replace("有限责任公司", "有限公司", literal=True)


def _core(name: pl.Expr, place: pl.Expr) -> pl.Expr:
    without_city = name.str.strip_prefix(place.str.extract(CITY).fill_null("")).str.strip_prefix(
        "市"
    )
    without_place = without_city.str.strip_prefix(place.str.extract(DISTRICT).fill_null(""))
    return without_place.str.replace(ENDING, "")
