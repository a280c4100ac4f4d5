"""YAML that remembers the line of everything it holds, so that a mistake can be pointed at."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import yaml

MERGE = "tag:yaml.org,2002:merge"


class YamlMistake(ValueError):
    """Text that is not the YAML we accept: plain values, no repeated keys."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True)
class LocatedYaml:
    """A document as plain values, and the line (from 1) of each path such as ``$.rules[2].id``."""

    value: Any
    lines: dict[str, int]

    @classmethod
    def read(cls, content: bytes) -> Self:
        """Parse with the safe loader. Raises ``YamlMistake``."""
        lines: dict[str, int] = {}
        try:
            node = yaml.compose(content.decode(), Loader=yaml.SafeLoader)
            return cls(_plain(node, "$", lines), lines)
        except UnicodeDecodeError as error:
            line = content[: error.start].count(b"\n") + 1
            raise YamlMistake("The text is not UTF-8", line) from None
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            problem = getattr(error, "problem", None) or str(error)
            raise YamlMistake(str(problem), mark.line + 1 if mark else 1) from None

    def line(self, path: str) -> int:
        """Line of ``path``, or of the nearest part around it."""
        while path not in self.lines and len(path) > 1:
            path = re.sub(r"(\.[^.\[\]]*|\[[^\]]*\])$", "", path) if path[-1] != "$" else "$"
        return self.lines.get(path, 1)


def _plain(node: yaml.Node | None, path: str, lines: dict[str, int]) -> Any:
    if node is None:
        return None
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        return dict(_items(node, path, lines))
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, f"{path}[{at}]", lines) for at, item in enumerate(node.value)]
    return yaml.SafeLoader("").construct_object(node)


def _items(node: yaml.MappingNode, path: str, lines: dict[str, int]) -> Iterator[tuple[str, Any]]:
    """Own keys after those of a merged mapping (``<<``), so that they override them."""
    merges = [value for key, value in node.value if key.tag == MERGE]
    for merged in merges:
        if not isinstance(merged, yaml.MappingNode):
            raise YamlMistake("<< takes a mapping", merged.start_mark.line + 1)
        yield from _items(merged, path, lines)
    seen: set[str] = set()
    for key, value in node.value:
        if key.tag == MERGE:
            continue
        line = key.start_mark.line + 1
        if key.value in seen:
            raise YamlMistake(f"{key.value} is given twice", line)
        seen.add(key.value)
        place = f"{path}.{key.value}"
        lines[place] = line
        yield key.value, _plain(value, place, lines)
