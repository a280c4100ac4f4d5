"""What people are told, in both languages."""

import msgspec


class Text(msgspec.Struct, frozen=True):
    """One sentence in two languages."""

    zh: str
    en: str
