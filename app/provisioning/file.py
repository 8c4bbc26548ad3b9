"""Parsing a file, TOML or JSON with the same shape, and its problems, each with its place.

Ambiguous input is refused, for example a key that occurs twice. Texts never contain a secret.
"""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

THE_FILE = "the file"
_STEPS = re.compile(r"\[(\d+)\]|([^.\[\]]+)")


@dataclass(frozen=True, slots=True)
class FileProblem:
    """Places are written like ``workspaces[0].use_cases[0].name``."""

    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"


class FileRefused(Exception):
    def __init__(self, *problems: FileProblem) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class FileProblems:
    def __init__(self) -> None:
        self._found: list[FileProblem] = []

    def add(self, place: str, text: str) -> None:
        self._found.append(FileProblem(place, text))

    def add_tree(self, place: str, tree: Any) -> None:
        if isinstance(tree, Mapping):
            for key, inner in tree.items():
                self.add_tree(place if key == "_schema" else step(place, key), inner)
        else:
            for text in tree if isinstance(tree, list) else [tree]:
                self.add(place or THE_FILE, str(text))

    def require(self, value: object, place: str, text: str) -> None:
        """Add a missing value, unless another problem explains it."""
        explained = any(f"{place}.".startswith(f"{known.place}.") for known in self._found)
        if value is None and not explained:
            self.add(place, text)

    def has_any(self, *places: str) -> bool:
        return any(known.place in places for known in self._found)

    def refuse(self) -> None:
        """Raise `FileRefused`, sorted by place, if there are problems."""
        if self._found:
            raise FileRefused(*sorted(self._found, key=lambda found: place_order(found.place)))


def step(place: str, key: object) -> str:
    """Return the place of an index or a field."""
    if isinstance(key, int):
        return f"{place}[{key}]"
    return f"{place}.{key}" if place else str(key)


def place_order(place: str) -> list[tuple[int, str]]:
    """Return a sort key of places, ``[2]`` before ``[10]``."""
    return [(int(index or 0), name) for index, name in _STEPS.findall(place)]


def parse_text(content: bytes) -> Any:
    """Parse a file; a leading brace means JSON. Raises `FileRefused`."""
    try:
        text = content.decode("utf-8-sig")
        if text.lstrip().startswith("{"):
            return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
        return tomllib.loads(text)
    except UnicodeDecodeError as problem:
        raise _refused("Is not a text in UTF-8.") from problem
    except json.JSONDecodeError as problem:
        raise _refused(f"Is not JSON: {problem}.") from problem
    except tomllib.TOMLDecodeError as problem:
        raise _refused(f"Is not TOML: {problem}.") from problem
    except RecursionError as problem:
        raise _refused("Is nested too deeply.") from problem


def _refused(text: str) -> FileRefused:
    return FileRefused(FileProblem(THE_FILE, text))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _refused(f"An object has the key {key!r} twice.")
        found[key] = value
    return found


def _refuse_constant(name: str) -> Any:
    raise _refused(f"Is not JSON: {name} is not a JSON number.")
