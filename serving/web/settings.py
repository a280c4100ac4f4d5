"""Where the service listens and what it reads: told once, at the start."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from features.errors import MicroloanError, UnknownName
from serving.wire.schemas import BACKDATING

PREFIX = "MICROLOAN_SERVING_"
MOST_BACKDATING = 36_500  # days
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class BadSettings(MicroloanError):
    """A setting that cannot be used."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of the service; the defaults run it on a laptop."""

    host: str = "127.0.0.1"
    port: int = 8000
    store: Path = Path("var/store")
    online: Path = Path("var/online")
    bundles: Path = Path("var/bundles")
    gate_keys: Path = Path("var/gate.pub")
    journal: str = "var/journal/journal.db"  # a file, or the postgresql:// URL of a server
    journal_files: Path = Path("var/journal")  # where a server's secret and checkpoint are kept
    keys: Path = Path("var/keys.json")
    oidc_jwks: Path | None = None  # the identity provider's keys; without them only API keys count
    oidc_jwks_url: str = ""  # where they are fetched from, into that file or beside the API keys
    oidc_issuer: str = ""
    oidc_audience: str = "microloan"
    workers: int = 2
    waiting: int = 64
    requests_per_second: float = 5000.0  # of one key in the long run; a key may have less
    second_person_above: int = 300_000  # yuan asked for, above which two people override
    retention_years: int = 5  # before which no decision is erased
    backdating_days: int = BACKDATING.days  # how long ago an application may have been made
    behind_tls_proxy: bool = False

    def __post_init__(self) -> None:
        if (self.oidc_jwks or self.oidc_jwks_url) and not self.oidc_issuer:
            raise BadSettings(
                f"oidc_jwks names keys of no issuer. Hint: set {PREFIX}OIDC_ISSUER to the `iss` of "
                "its tokens."
            )
        if not 0 <= self.backdating_days <= MOST_BACKDATING:
            raise BadSettings(
                f"backdating_days is {self.backdating_days}; it lies between 0 and "
                f"{MOST_BACKDATING}. Hint: some days are enough for a bank's own applications."
            )
        if self.host not in LOOPBACK and not self.behind_tls_proxy:
            raise BadSettings(
                f"host is {self.host!r}; the service speaks plain HTTP and listens on this machine "
                f"only. Hint: put a TLS proxy before it and set {PREFIX}BEHIND_TLS_PROXY=true."
            )


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Settings from variables such as ``MICROLOAN_SERVING_PORT``; unknown ones are refused."""
    given = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in environment.items()
        if name.startswith(PREFIX)
    }
    for name in given:
        if name not in Settings.__struct_fields__:
            known = (PREFIX + field.upper() for field in Settings.__struct_fields__)
            raise UnknownName("setting", PREFIX + name.upper(), known)
    try:
        return msgspec.convert(given, Settings, strict=False, dec_hook=_path)
    except msgspec.ValidationError as error:
        raise BadSettings(f"The environment holds a wrong {PREFIX}… setting: {error}.") from None


def _path(kind: type, value: object) -> object:
    return Path(str(value)) if issubclass(kind, Path) else value
