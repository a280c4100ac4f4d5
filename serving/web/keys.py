"""API keys: made once and shown once, kept as keyed hashes, revoked by their name.

A key is ``mlk_<id>_<secret>``: 8 characters to find it, 43 (256 random bits) to prove it. At that
entropy a keyed hash is as good as a slow one and 20,000 times faster. The file is read again when
it changes, so that a new key works and a revoked one fails on the next request.
"""

import base64
import fcntl
import hashlib
import hmac
import logging
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, get_args

import msgspec

from features.errors import MicroloanError, UnknownName
from serving import durable
from serving.wire.problems import Problem

_log = logging.getLogger("microloan.serving")

Scope = Literal["officer", "supervisor", "auditor", "data_scientist", "operator"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
LONGEST = timedelta(days=365)
LIVE_OF_ONE_NAME = 2  # the old one and its successor, while a holder changes over
_SHAPE = re.compile(r"mlk_([A-Za-z0-9]{8})_([A-Za-z0-9_-]{43})")


class BadKeys(MicroloanError):
    """The file of keys cannot be used safely."""


class Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is kept of a key; the secret is not. ``name`` is its holder, whichever key is used.

    ``branch`` bounds what it makes and sees; without one it is the whole organisation. It asks
    ``per_second`` times in the long run, or as often as the service lets any key if that is 0.
    """

    id: str
    name: str
    organisation: str
    scopes: tuple[Scope, ...]
    proof: str
    created_at: datetime
    expires_at: datetime
    branch: str = ""
    per_second: float = 0.0


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The keys and the pepper that keys their hashes."""

    pepper: str
    keys: tuple[Key, ...]


class Keys:
    """The keys of a file, for a service that checks every request."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = (0, 0)
        self._file = _File("", ())
        self._refresh()

    @property
    def pepper(self) -> bytes:
        """Secret of this installation; also keys the hashes of idempotency keys."""
        return bytes.fromhex(self._file.pepper)

    def authenticate(self, authorization: str, now: datetime) -> Key | None:
        """The key of an ``Authorization: Bearer`` header; None if it is not a valid one.

        Raises ``Problem`` while the file is gone or broken: nobody knows then which were revoked.
        """
        scheme, _, token = authorization.partition(" ")
        shape = _SHAPE.fullmatch(token)
        if scheme.lower() != "bearer" or shape is None:
            return None
        try:
            self._refresh()
        except BadKeys as error:
            _log.error("no key can be checked: %s", error)
            raise Problem("not-ready") from None
        key = next((key for key in self._file.keys if key.id == shape.group(1)), None)
        proof = prove(self.pepper, shape.group(2))
        if key is None or not hmac.compare_digest(proof, key.proof) or now >= key.expires_at:
            return None
        return key

    def _refresh(self) -> None:
        stamp = _stamp(self._path)
        if stamp != self._stamp:
            self._file, self._stamp = _read(self._path), stamp


def create_key(
    path: Path,
    name: str,
    scopes: Iterable[str],
    *,
    now: datetime,
    organisation: str = "bank",
    branch: str = "",
    per_second: float = 0.0,
    lifetime: timedelta = LONGEST,
    random: Callable[[int], bytes] = secrets.token_bytes,
) -> str:
    """Add a key to the file (made if absent) and return it; it is not shown again.

    Raises:
        UnknownName: a scope that does not exist.
        BadKeys: a lifetime beyond a year, a negative rate, or a third live key of one name.
    """
    if per_second < 0:
        raise BadKeys(f"A key cannot ask {per_second} times a second. Hint: 0 sets no own limit.")
    wanted = tuple(_scope(scope) for scope in scopes)
    if not timedelta(0) < lifetime <= LONGEST:
        raise BadKeys(f"A key lives {LONGEST.days} days at most, not {lifetime.days}.")
    with _changing(path, random) as file:
        holder = (organisation, name)
        live = [
            key.id
            for key in file.keys
            if (key.organisation, key.name) == holder and now < key.expires_at
        ]
        if len(live) >= LIVE_OF_ONE_NAME:
            raise BadKeys(f"{name} has live keys {', '.join(live)}. Hint: revoke one of them.")
        identifier = base64.b32encode(random(5)).decode().lower()
        secret = base64.urlsafe_b64encode(random(32)).decode().rstrip("=")
        proof = prove(bytes.fromhex(file.pepper), secret)
        until = now + lifetime
        key = Key(identifier, name, organisation, wanted, proof, now, until, branch, per_second)
        _write(path, msgspec.structs.replace(file, keys=(*file.keys, key)))
    return f"mlk_{identifier}_{secret}"


def revoke_key(path: Path, identifier: str) -> None:
    """Remove a key, which then fails at once. Raises ``UnknownName``."""
    with _changing(path, secrets.token_bytes) as file:
        if identifier not in (known := [key.id for key in file.keys]):
            raise UnknownName("key", identifier, known)
        left = tuple(key for key in file.keys if key.id != identifier)
        _write(path, msgspec.structs.replace(file, keys=left))


def list_keys(path: Path) -> tuple[Key, ...]:
    """All keys, without their secrets."""
    return _read(path).keys


def prove(pepper: bytes, secret: str) -> str:
    """Keyed hash of a secret."""
    return hmac.new(pepper, secret.encode(), hashlib.sha256).hexdigest()


def _scope(name: str) -> Scope:
    for scope in SCOPES:
        if scope == name:
            return scope
    raise UnknownName("scope", name, SCOPES)


@contextmanager
def _changing(path: Path, random: Callable[[int], bytes]) -> Iterator[_File]:
    """The file as it is, locked against other changes; with a fresh pepper if there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(path.name + ".lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield _read(path) if path.exists() else _File(random(32).hex(), ())


def _read(path: Path) -> _File:
    try:
        if path.stat().st_mode & 0o077:
            raise BadKeys(f"{path} can be read by others. Hint: chmod 600 {path}")
        return msgspec.json.decode(path.read_bytes(), type=_File)
    except FileNotFoundError:
        raise BadKeys(f"There are no keys at {path}. Hint: run `microloan keys create`.") from None
    except msgspec.DecodeError as error:
        raise BadKeys(f"{path} is damaged ({error}). Hint: restore it, or make new keys.") from None


def _write(path: Path, file: _File) -> None:
    content = msgspec.json.format(msgspec.json.encode(file), indent=1)
    durable.write(path, content, mode=0o600)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except FileNotFoundError:
        raise BadKeys(f"There are no keys at {path}. Hint: run `microloan keys create`.") from None
    return found.st_mtime_ns, found.st_ino
