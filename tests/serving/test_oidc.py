"""A token is taken from its issuer alone, for us alone, and only while it holds."""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa

from serving.web.app import create_app
from serving.web.keys import Keys
from serving.web.oidc import AnyOf, BadProvider, Tokens
from serving.web.provider import Provider
from tests.serving.conftest import NOW, Desk, post, request_of

ISSUER, AUDIENCE = "https://identity.bank.invalid", "microloan"
RSA: RSAPrivateKey = generate_rsa(public_exponent=65537, key_size=2048)
KEYS: dict[str, tuple[str, Any]] = {
    "rsa": ("RS256", RSA),
    "ec": ("ES256", generate_private_key(SECP256R1())),
    "ed": ("EdDSA", Ed25519PrivateKey.generate()),
}
ALGORITHMS = {
    "RS256": jwt.algorithms.RSAAlgorithm,
    "ES256": jwt.algorithms.ECAlgorithm,
    "EdDSA": jwt.algorithms.OKPAlgorithm,
}


def jwk(name: str) -> dict[str, Any]:
    algorithm, private = KEYS[name]
    public = json.loads(ALGORITHMS[algorithm].to_jwk(private.public_key()))
    return {**public, "kid": name, "use": "sig", "alg": algorithm}


@pytest.fixture
def jwks(tmp_path: Path) -> Path:
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps({"keys": [jwk(name) for name in KEYS]}))
    return path


@pytest.fixture
def tokens(jwks: Path) -> Tokens:
    return Tokens(jwks, ISSUER, AUDIENCE)


def claims(**changes: Any) -> dict[str, Any]:
    now = int(NOW.timestamp())
    made = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "wang",
        "iat": now,
        "exp": now + 600,
        "microloan_scopes": ["officer"],
        "branch": "huzhou",
    } | changes
    return {name: value for name, value in made.items() if value is not None}


def token(name: str = "rsa", header: dict[str, Any] | None = None, **changes: Any) -> str:
    algorithm, private = KEYS[name]
    headers = {"kid": name} | (header or {})
    return jwt.encode(claims(**changes), private, algorithm, headers=headers)


def raw(header: dict[str, Any], signature: bytes = b"", **changes: Any) -> str:
    parts = [json.dumps(part).encode() for part in (header, claims(**changes))]
    return ".".join(
        base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (*parts, signature)
    )


@pytest.mark.parametrize("name", KEYS)
def test_a_token_tells_who_holds_it_and_what_it_may(tokens: Tokens, name: str) -> None:
    key = tokens.authenticate(f"Bearer {token(name)}", NOW)
    assert key is not None
    assert (key.name, key.scopes, key.branch) == ("wang", ("officer",), "huzhou")


PUBLIC_PEM = RSA.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)


def _signed_with_the_public_key() -> str:
    """The classic confusion: an HMAC whose secret is the public key everybody knows."""
    import hashlib
    import hmac

    unsigned = raw({"alg": "HS256", "typ": "JWT", "kid": "rsa"}).rpartition(".")[0]
    mac = hmac.digest(PUBLIC_PEM, unsigned.encode(), hashlib.sha256)
    return unsigned + "." + base64.urlsafe_b64encode(mac).decode().rstrip("=")


STRANGER = generate_rsa(public_exponent=65537, key_size=2048)
NOW_S = int(NOW.timestamp())
FORGERIES: dict[str, Callable[[], str]] = {
    "no algorithm": lambda: raw({"alg": "none", "kid": "rsa"}),
    "no algorithm, otherwise spelt": lambda: raw({"alg": "NoNe", "kid": "rsa"}),
    "another algorithm": _signed_with_the_public_key,
    "a stranger's key": lambda: jwt.encode(claims(), STRANGER, "RS256", headers={"kid": "rsa"}),
    "a key elsewhere": lambda: jwt.encode(
        claims(), STRANGER, "RS256", headers={"kid": "x", "jku": "http://127.0.0.1/jwks"}
    ),
    "a key in the header": lambda: jwt.encode(
        claims(), STRANGER, "RS256", headers={"jwk": {"kty": "RSA"}}
    ),
    "a path as a key's name": lambda: token(header={"kid": "../../rsa"}),
    "no key's name": lambda: jwt.encode(claims(), RSA, "RS256"),
    "another key's name": lambda: token("rsa", header={"kid": "ec"}),
    "an unknown crit": lambda: token(header={"crit": ["exp2"], "exp2": 1}),
    "another audience": lambda: token(aud="other"),
    "several audiences": lambda: token(aud=[AUDIENCE, "other"]),
    "another issuer": lambda: token(iss="https://other.invalid"),
    "an end that has come": lambda: token(exp=NOW_S, iat=NOW_S - 600),
    "a beginning that has not": lambda: token(nbf=NOW_S + 60),
    "an issue in the future": lambda: token(iat=NOW_S + 60),
    "a life too long": lambda: token(exp=NOW_S + 3601),
    "no end": lambda: token(exp=None),
    "no subject": lambda: token(sub=None),
    "no scope": lambda: token(microloan_scopes=None),
    "scopes of others": lambda: token(microloan_scopes=["admin"]),
    "scopes in one word": lambda: token(microloan_scopes="officer supervisor"),
    "a number as an end": lambda: token(exp="soon"),
    "a branch that is no name": lambda: token(branch=["huzhou"]),
    "ten kilobytes": lambda: token(padding="x" * 10_000),
    "a cut signature": lambda: token()[:-4],
    "a changed claim": lambda: ".".join(
        (token().split(".")[0], raw({}, branch="").split(".")[1], token().split(".")[2])
    ),
    "not a token": lambda: "a.b.c",
    "nothing": lambda: "",
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_anything_but_a_valid_token_is_refused(tokens: Tokens, forgery: str) -> None:
    assert tokens.authenticate(f"Bearer {FORGERIES[forgery]()}", NOW) is None


def test_a_token_ends_at_its_moment(tokens: Tokens) -> None:
    held = f"Bearer {token()}"
    assert tokens.authenticate(held, NOW + timedelta(seconds=599))
    assert tokens.authenticate(held, NOW + timedelta(seconds=600)) is None


def test_a_key_that_the_provider_withdrew_fails_at_once(tokens: Tokens, jwks: Path) -> None:
    held = f"Bearer {token('rsa')}"
    assert tokens.authenticate(held, NOW)
    fresh = jwks.with_name("fresh.json")
    fresh.write_text(json.dumps({"keys": [jwk("ec")]}))
    fresh.replace(jwks)
    assert tokens.authenticate(held, NOW) is None
    assert tokens.authenticate(f"Bearer {token('ec')}", NOW)


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"keys": []}', '{"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "a"}]}'],
)
def test_a_file_without_public_keys_is_refused(jwks: Path, content: str) -> None:
    jwks.write_text(content)
    with pytest.raises(BadProvider, match="fetch it again"):
        Tokens(jwks, ISSUER, AUDIENCE)


def test_no_file_is_a_clear_mistake(tmp_path: Path) -> None:
    with pytest.raises(BadProvider, match="jwks_uri"):
        Tokens(tmp_path / "none.json", ISSUER, AUDIENCE)


@pytest.mark.anyio
async def test_a_token_and_a_key_open_the_same_door(desk: Desk, tokens: Tokens) -> None:
    def clock() -> datetime:
        return NOW

    known = AnyOf((Keys(desk.keys_path), tokens))
    app = create_app(desk.service, known, clock=clock, request_id=lambda: "1")
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://desk") as client:
        client.headers["authorization"] = f"Bearer {token()}"
        made = await post(client, request_of(0))
        found = (await client.get("/v1/decisions")).json()["decisions"]
        metrics = await client.get("/metrics")
        client.headers["authorization"] = f"Bearer {desk.key}"
        read = await client.get(made.headers["location"])
    assert (made.status_code, read.status_code, metrics.status_code) == (201, 200, 403)
    assert [each["branch"] for each in found] == ["huzhou"]


class Published:
    """A provider on this machine whose answer can be changed."""

    def __init__(self) -> None:
        self.status, self.body, self.asked = 200, b"", 0
        published = self

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                published.asked += 1
                self.send_response(published.status)
                self.send_header("location", "/elsewhere")
                self.end_headers()
                self.wfile.write(published.body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.url = f"http://127.0.0.1:{self.server.server_port}/jwks"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def publish(self, *names: str) -> None:
        self.status, self.body = 200, json.dumps({"keys": [jwk(n) for n in names]}).encode()


@pytest.fixture
def published() -> Iterator[Published]:
    made = Published()
    yield made
    made.server.shutdown()
    made.server.server_close()


class Minutes:
    """A clock that goes on by hand."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_a_published_set_is_fetched_kept_and_outlives_an_outage(
    published: Published, tmp_path: Path
) -> None:
    clock, path = Minutes(), tmp_path / "jwks.json"
    published.publish("rsa")
    provider = Provider(published.url, path, clock)
    provider.refresh()
    known = Tokens(path, ISSUER, AUDIENCE, provider.look_again)
    assert known.authenticate(f"Bearer {token('rsa')}", NOW) is not None
    wrong = [(500, b""), (302, b""), (200, b"<html>"), (200, b"{}"), (200, b" " * 300_000)]
    for status, body in wrong:
        published.status, published.body = status, body
        clock.seconds += 301
        before = published.asked
        provider.refresh()
        assert published.asked == before + 1, "a redirection is not followed"
        assert known.authenticate(f"Bearer {token('rsa')}", NOW) is not None
    published.server.shutdown()
    published.server.server_close()
    clock.seconds += 301
    provider.refresh()
    restarted = Tokens(path, ISSUER, AUDIENCE)
    assert restarted.authenticate(f"Bearer {token('rsa')}", NOW) is not None


def test_a_new_key_of_the_provider_is_fetched_soon_and_a_withdrawn_one_fails(
    published: Published, tmp_path: Path
) -> None:
    clock, path = Minutes(), tmp_path / "jwks.json"
    published.publish("rsa")
    provider = Provider(published.url, path, clock)
    provider.refresh()
    known = Tokens(path, ISSUER, AUDIENCE, provider.look_again)
    published.publish("ec")
    clock.seconds = 11.0
    provider.refresh()
    assert published.asked == 1, "nobody asked for another key"
    assert known.authenticate(f"Bearer {token('ec')}", NOW) is None
    provider.refresh()
    assert known.authenticate(f"Bearer {token('ec')}", NOW) is not None
    assert known.authenticate(f"Bearer {token('rsa')}", NOW) is None
    for _ in range(100):
        known.authenticate(f"Bearer {token('rsa')}", NOW)
        provider.refresh()
    assert published.asked == 2, "unknown keys make nobody fetch without end"


@pytest.mark.parametrize("url", ["http://identity.bank.invalid/jwks", "file:///etc/passwd", "jwks"])
def test_a_set_is_fetched_by_https_only_but_on_this_machine(url: str, tmp_path: Path) -> None:
    with pytest.raises(BadProvider, match="no https address"):
        Provider(url, tmp_path / "jwks.json")
