"""Bearer tokens of the bank's identity provider (OpenID Connect), as the alternative to API keys.

A token is a JWT, signed with a key of the provider's published set (JWKS). The set is read from a
file, and again when the file changes: ``serving.web.provider`` or the bank's own timer fetches it,
so that no request ever waits for the provider, and nothing in a token can name another place to
fetch from. Only asymmetric algorithms are taken.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import jwt
import msgspec

from features.errors import MicroloanError
from serving.web.keys import SCOPES, Key, Scope

ALGORITHMS = ("EdDSA", "ES256", "RS256")
LONGEST_TOKEN = 8192  # characters
LONGEST_LIFE = timedelta(hours=1)
LEEWAY = timedelta(seconds=30)  # between the provider's clock and ours
REQUIRED = ("iss", "aud", "sub", "exp", "iat")
_OPTIONS: Any = {  # the times are checked against our clock, which is given
    "require": list(REQUIRED),
    "strict_aud": True,
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
}
CLAIMS = {"scopes": "microloan_scopes", "branch": "branch", "organisation": "organisation"}


class Authenticator(Protocol):
    """Says who holds what an ``Authorization`` header carries."""

    def authenticate(self, authorization: str, now: datetime) -> Key | None: ...  # noqa: D102


class BadProvider(MicroloanError):
    """The provider's keys cannot be used."""


class Tokens:
    """Checks tokens that one issuer made for one audience."""

    def __init__(
        self,
        jwks: Path,
        issuer: str,
        audience: str,
        on_unknown_key: Callable[[], None] = lambda: None,
    ) -> None:
        self._path = jwks
        self._on_unknown_key = on_unknown_key
        self._issuer = issuer
        self._audience = audience
        self._stamp = (0, 0)
        self._keys: dict[str, jwt.PyJWK] = {}
        self._refresh()

    def authenticate(self, authorization: str, now: datetime) -> Key | None:
        """The holder of an ``Authorization: Bearer`` token; None if it is not a valid one."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or token.count(".") != 2 or len(token) > LONGEST_TOKEN:
            return None
        self._refresh()
        try:
            return _holder(self._claims(token), now)
        except (jwt.PyJWTError, LookupError, ValueError, TypeError):
            return None

    def _claims(self, token: str) -> dict[str, Any]:
        """The claims of a token that this issuer signed; its times are checked elsewhere."""
        header = jwt.get_unverified_header(token)
        key = self._keys.get(header["kid"])
        if key is None:
            self._on_unknown_key()
            raise LookupError("kid")
        if header.get("alg") not in ALGORITHMS:
            raise ValueError("algorithm")
        return jwt.decode(
            token,
            key,
            algorithms=list(ALGORITHMS),
            audience=self._audience,
            issuer=self._issuer,
            options=_OPTIONS,
        )

    def _refresh(self) -> None:
        try:
            found = self._path.stat()
            stamp = found.st_mtime_ns, found.st_ino
            if stamp != self._stamp:
                self._keys, self._stamp = public_keys(self._path.read_bytes(), self._path), stamp
        except FileNotFoundError:
            raise BadProvider(
                f"There is no key set {self._path}. Hint: fetch the provider's jwks_uri into it, "
                "or see whether it answers."
            ) from None


class AnyOf:
    """Whoever one of several authenticators knows."""

    def __init__(self, authenticators: Sequence[Authenticator]) -> None:
        self._authenticators = authenticators

    def authenticate(self, authorization: str, now: datetime) -> Key | None:
        """The holder that the first of them knows; None if none does."""
        known = (each.authenticate(authorization, now) for each in self._authenticators)
        return next((key for key in known if key), None)


def _holder(claims: dict[str, Any], now: datetime) -> Key | None:
    """The holder of claims that hold now; None if they do not, or give no scope of ours."""
    issued, expires = (datetime.fromtimestamp(int(claims[name]), UTC) for name in ("iat", "exp"))
    begins = datetime.fromtimestamp(int(claims.get("nbf", claims["iat"])), UTC)
    is_now = max(issued, begins) - LEEWAY <= now < expires
    given = claims[CLAIMS["scopes"]]
    scopes: tuple[Scope, ...] = tuple(scope for scope in SCOPES if scope in given)
    if not is_now or expires - issued > LONGEST_LIFE or not isinstance(given, list) or not scopes:
        return None
    name = msgspec.convert(claims["sub"], str)
    return Key(
        id=f"oidc:{name}",
        name=name,
        organisation=msgspec.convert(claims.get(CLAIMS["organisation"], "bank"), str),
        scopes=scopes,
        proof="",
        created_at=issued,
        expires_at=expires,
        branch=msgspec.convert(claims.get(CLAIMS["branch"], ""), str),
    )


def public_keys(content: bytes, source: object) -> dict[str, jwt.PyJWK]:
    """The public keys of a set by their name. Raises ``BadProvider``, naming the source."""
    try:
        keys = jwt.PyJWKSet.from_json(content.decode()).keys
    except (jwt.PyJWTError, ValueError, AttributeError) as error:
        raise BadProvider(f"{source} is no set of keys ({error}). Hint: fetch it again.") from None
    named = {str(key.key_id): key for key in keys if key.key_id and key.key_type != "oct"}
    if not named:
        raise BadProvider(f"{source} holds no public key with a kid. Hint: fetch it again.")
    return named
