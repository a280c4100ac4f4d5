"""Policy files: read, located and validated, so that every mistake is told with its line."""

import hashlib
import re
from pathlib import Path

import msgspec

from features.errors import MicroloanError
from serving.policy.located_yaml import LocatedYaml, YamlMistake
from serving.policy.mistakes import mistakes
from serving.policy.policy import Policy


class BadPolicy(MicroloanError):
    """A policy file that is not valid; the message names the file and the line."""


def load(path: Path) -> Policy:
    """Read a policy file. Raises ``BadPolicy``."""
    return parse(read(path), path.name)


def read(path: Path) -> bytes:
    """The content of a policy file. Raises ``BadPolicy``."""
    try:
        return path.read_bytes()
    except OSError as error:
        hint = "Hint: policies/ holds the dated ones."
        raise BadPolicy(f"There is no policy {path} ({error.strerror}). {hint}") from None


def parse(content: bytes, name: str = "policy.yaml") -> Policy:
    """The policy in ``content``. Raises ``BadPolicy`` with the line of the mistake."""
    located = locate(content, name)
    try:
        policy = msgspec.convert(located.value, Policy)
    except msgspec.ValidationError as error:
        mistake, _, told = str(error).partition(" - at ")
        path = told.strip("`") or "$"
        if unknown := re.search(r"unknown field `(.+)`", mistake):
            path = f"{path}.{unknown[1]}"
        raise BadPolicy(_at(name, located.line(path), mistake)) from None
    for path, mistake in mistakes(policy):
        raise BadPolicy(_at(name, located.line(path), mistake))
    return policy


def locate(content: bytes, name: str = "policy.yaml") -> LocatedYaml:
    """``content`` as plain values with their lines. Raises ``BadPolicy``."""
    try:
        return LocatedYaml.read(content)
    except YamlMistake as error:
        raise BadPolicy(_at(name, error.line, str(error))) from None


def digest(content: bytes) -> str:
    """SHA-256 of a policy file."""
    return hashlib.sha256(content).hexdigest()


def _at(name: str, line: int, mistake: str) -> str:
    return f"{name}, line {line}: {mistake.rstrip('.?')}."
