"""A YAML file that remembers on which line each of its keys stands, so that a mistake can be told with its place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graph_memory.errors import ConfigurationError, MissingExtraError

Place = tuple[str | int, ...]
"""Keys and positions that lead from the top of a document to a value."""


@dataclass(frozen=True, slots=True)
class Document:
    """What a YAML file says.

    Attributes:
        name: the file's name.
        value: mappings, lists, texts, numbers; None when the file is empty.
        lines: the line of each place, from 1.
    """

    name: str
    value: object
    lines: dict[Place, int]

    def mistake(self, place: Place, sentence: str) -> ConfigurationError:
        """The error that tells a mistake with its file, its line and the keys that lead to it."""
        known = next((place[:end] for end in range(len(place), 0, -1) if place[:end] in self.lines), ())
        line = f", line {self.lines[known]}" if known else ""
        keys = ".".join(map(str, place))
        return ConfigurationError(f"{self.name}{line}: {keys}: {sentence}" if keys else f"{self.name}: {sentence}")


def read_document(path: Path) -> Document:
    """The one document of a YAML file, of plain values only.

    Raises:
        ConfigurationError: it cannot be read, is no YAML, or has a key twice.
        MissingExtraError: PyYAML is not installed.
    """
    try:
        import yaml
    except ImportError as exc:
        raise MissingExtraError("a YAML file", "cli") from exc
    try:
        loader = yaml.SafeLoader(path.read_bytes())
        node = loader.get_single_node()
        lines = dict(_lines(node, (), path.name)) if node is not None else {}
        return Document(path.name, None if node is None else loader.construct_document(node), lines)
    except OSError as exc:
        raise ConfigurationError(f"{path} cannot be read: {exc.strerror or exc}") from exc
    except (yaml.YAMLError, RecursionError, ValueError) as exc:
        if isinstance(exc, ConfigurationError):
            raise
        mark = getattr(exc, "problem_mark", None)
        line = f" (line {mark.line + 1})" if mark is not None else ""
        raise ConfigurationError(f"{path.name} is not YAML{line}") from exc


def _lines(node: Any, place: Place, file: str, depth: int = 3) -> Iterator[tuple[Place, int]]:
    """Lines of the keys down to `depth`, which bounds what aliases of aliases can unfold into."""
    if depth == 0 or node.id != "mapping":
        return
    seen: set[str] = set()
    for key, value in node.value:
        line = key.start_mark.line + 1
        name = key.value if key.id == "scalar" else "?"
        if name in seen and key.id == "scalar":
            raise ConfigurationError(f"{file}, line {line}: {'.'.join(map(str, (*place, name)))} is there twice")
        seen.add(name)
        yield (*place, name), line
        yield from _lines(value, (*place, name), file, depth - 1)
