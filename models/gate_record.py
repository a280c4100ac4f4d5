"""The record of the gate: what was asked of a model, how it did, and who signed for it.

The record is signed with a key that only those who promote hold (Ed25519), so that a service, which
holds the public half, can verify it and could not have written it.
"""

from collections.abc import Sequence

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from features.errors import MicroloanError


class GateClosed(MicroloanError):
    """A challenger that did not pass every check."""


class BadSignature(MicroloanError):
    """A gate record that was not signed with the key it is verified with."""


class NoName(MicroloanError):
    """An override by nobody, or for no reason."""


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked of a challenger.

    Args:
        bads: Bads out of time, below which nothing can be judged.
        auc: Lower bound of the interval of the AUC out of time.
        worse: How many standard errors (DeLong) the AUC may lie below the champion's.
        level: Observed over expected out of time is shown to be outside these bounds.
        calibration_error: Expected calibration error out of time.
        score_index: Population stability index of the score since development.
        faithfulness: Share of declines whose first reason holds.
        approval_ratio: Approval rate of every protected group over its reference (four fifths by
            default); a ratio fails only where its whole interval lies below.
        protected: Attributes of which no group may be approved less; the report tells of others.
    """

    bads: int = 30
    auc: float = 0.55
    worse: float = 1.645
    level: tuple[float, float] = (0.8, 1.25)
    calibration_error: float = 0.02
    score_index: float = 0.25
    faithfulness: float = 0.99
    approval_ratio: float = 0.8
    protected: tuple[str, ...] = ("owner_sex", "owner_is_local")


class Check(msgspec.Struct, frozen=True):
    """One check: what was asked, what was measured (None if nothing was) and how it went."""

    name: str
    asked: str
    figure: float | None
    passed: bool


class Override(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who lets a model serve against the gate, and why; told in every answer of the model."""

    by: str
    reason: str

    def __post_init__(self) -> None:
        """Refuse an override that nobody answers for."""
        if not self.by.strip() or not self.reason.strip():
            raise NoName(
                "An override needs a name and a reason. Hint: give --override-by and --reason."
            )


class GateRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the gate said of one model, known by the hash of its files and of its features."""

    model: str
    model_hash: str
    fingerprint: str
    champion: str | None
    judged_at: str
    limits: Limits
    checks: tuple[Check, ...]
    passed: bool
    override: Override | None = None

    @property
    def may_serve(self) -> bool:
        """Whether all checks passed, or somebody answers for those that did not."""
        return self.passed or self.override is not None

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that did not pass."""
        return tuple(check for check in self.checks if not check.passed)

    def demand(self) -> "GateRecord":
        """Itself if it may serve; raises GateClosed with every failure otherwise."""
        if self.may_serve:
            return self
        told = "; ".join(
            f"{one.name} is {_told(one.figure)}, asked {one.asked}" for one in self.failures
        )
        raise GateClosed(
            f"{self.model} does not pass the gate: {told}. "
            "Hint: read its validation report, and keep the champion meanwhile."
        )


def sign(record: GateRecord, key: bytes) -> bytes:
    """The record as JSON with its signature under a private key (32 bytes)."""
    body = msgspec.json.encode(record)
    signature = Ed25519PrivateKey.from_private_bytes(key).sign(body)
    return msgspec.json.encode({"record": msgspec.Raw(body), "signature": signature.hex()})


def verify(content: bytes, public_keys: Sequence[bytes]) -> GateRecord:
    """The record that `sign` wrote.

    Raises:
        BadSignature: the private half of none of ``public_keys`` (32 bytes each) signed these very
            bytes.
    """
    try:
        signed = msgspec.json.decode(content, type=_Signed)
        signature, body = bytes.fromhex(signed.signature), bytes(signed.record)
        if not any(_signed_by(key, signature, body) for key in public_keys):
            raise BadSignature(
                "The gate's record was changed, or signed with another key. "
                "Hint: promote the model again."
            )
        return msgspec.json.decode(body, type=GateRecord)
    except (msgspec.DecodeError, TypeError, ValueError) as error:
        raise BadSignature(f"The gate's record cannot be read: {error}.") from error


def public_half(key: bytes) -> bytes:
    """The public key (32 bytes) of a private one."""
    return Ed25519PrivateKey.from_private_bytes(key).public_key().public_bytes_raw()


def _signed_by(key: bytes, signature: bytes, body: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, body)
    except InvalidSignature:
        return False
    return True


class _Signed(msgspec.Struct, forbid_unknown_fields=True):
    record: msgspec.Raw
    signature: str


def _told(figure: float | None) -> str:
    return "not measured" if figure is None else f"{figure:.4g}"
