"""Check a policy file, and say what it changes against the one before, value by value."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from serving.decision.verdict import failures
from serving.policy.policy_file import BadPolicy, locate, parse, read

NAMING = ("id", "grade", "table", "name", "from_on")  # what tells the items of a list apart
ABSENT = None


class Change(NamedTuple):
    """A value that differs; None where there was none before, or is none after."""

    what: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Checked:
    """A policy that holds, and what it changes against ``previous`` (a file's name)."""

    version: str
    valid_from: date
    rules: int
    products: int
    cases: int
    previous: str | None
    changes: tuple[Change, ...]


def check(path: Path, against: Path | None = None) -> Checked:
    """Validate a policy file and work its cases.

    Args:
        path: the policy file.
        against: the file to compare it with; by default the one of its folder in force before it.

    Raises:
        BadPolicy: the file has a mistake, or a case comes out otherwise; names the line.
    """
    content = read(path)
    policy, located = parse(content, path.name), locate(content, path.name)
    if failing := failures(policy):
        told = [f"{path.name}, line {located.line(f'$.cases[{at}]')}: {s}." for at, s in failing]
        raise BadPolicy("\n".join(told))
    previous = against or _before(path, policy.valid_from)
    before = locate(read(previous), previous.name).value if previous else located.value
    return Checked(
        version=policy.version,
        valid_from=policy.valid_from,
        rules=len(policy.rules),
        products=len(policy.market.products) if policy.market else 0,
        cases=len(policy.cases),
        previous=previous.name if previous else None,
        changes=tuple(changes(before, located.value)),
    )


def changes(before: Any, after: Any) -> Iterator[Change]:
    """Values that differ between two policies as plain values, in the order of the later one."""
    was, now = dict(_flat(before, "")), dict(_flat(after, ""))
    for what in [*now, *(what for what in was if what not in now)]:
        if was.get(what) != now.get(what):
            yield Change(what, was.get(what, ABSENT), now.get(what, ABSENT))


def _before(path: Path, valid_from: date) -> Path | None:
    """The policy of the same folder that was in force last before ``valid_from``."""
    dated = [(valid_from_of(other), other) for other in path.parent.glob("*.yaml") if other != path]
    earlier = [(day, other) for day, other in dated if day is not None and day < valid_from]
    return max(earlier)[1] if earlier else None


def valid_from_of(path: Path) -> date | None:
    """First day on which a policy file decides; None if it names none. Raises BadPolicy."""
    value = locate(read(path), path.name).value
    day = value.get("valid_from") if isinstance(value, dict) else None
    return day if isinstance(day, date) else None


def _flat(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every value with its path; the items of a list are told apart by their names."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(item, f"{path}.{key}".removeprefix("."))
    elif isinstance(value, list) and value and all(map(_name, value)):
        for item in value:
            yield from _flat(item, f"{path}.{_name(item)}")
    else:
        yield path, _text(value)


def _name(item: Any) -> str:
    """What tells an item of a list from the others; "" if nothing does."""
    if not isinstance(item, Mapping):
        return ""
    plain = (item[key] for key in NAMING if isinstance(item.get(key), str | date))
    return str(next(plain, ""))


def _text(value: Any) -> str:
    """A value, a list of values or a list of conditions on one line."""
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    if isinstance(value, Mapping):
        return " ".join(_text(item) for item in value.values())
    return str(value)
