"""Decides how the control API reads JSON: field by field, every problem named by its path.

It must not know what the fields mean.
"""

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final, TypeVar

_Kind = TypeVar("_Kind", bound=StrEnum)


class Problems:
    """What is wrong with a body: messages by JSON path."""

    def __init__(self) -> None:
        self.found: dict[str, list[str]] = {}

    def add(self, path: str, message: str) -> None:
        """Notes one more problem."""
        self.found.setdefault(path, []).append(message)


class WrongFields(Exception):
    """A body that cannot be used; `problems` maps JSON paths to messages."""

    def __init__(self, problems: Mapping[str, list[str]]) -> None:
        self.problems = problems
        super().__init__()


# A reader answers the value to use; what is wrong goes to the problems, and the answer is void.
Reader = Callable[[object, str, Problems], Any]


def read(body: object, reader: Reader) -> Any:
    """What the reader makes of a whole body; raises `WrongFields` with every problem."""
    problems = Problems()
    value = reader(body, "$", problems)
    if problems.found:
        raise WrongFields(problems.found)
    return value


def text(pattern: str, what: str) -> Reader:
    """A string that matches the whole pattern; `what` says it in words."""

    def reader(value: object, path: str, problems: Problems) -> object:
        if not isinstance(value, str) or not re.fullmatch(pattern, value, re.DOTALL):
            problems.add(path, f"must be {what}")
        return value

    return reader


def number(low: int, high: int, *, whole: bool = False) -> Reader:
    """A number between two bounds, both allowed."""
    kinds: Final = (int,) if whole else (int, float)

    def reader(value: object, path: str, problems: Problems) -> object:
        is_number = isinstance(value, kinds) and not isinstance(value, bool)
        if not is_number or not low <= value <= high:  # type: ignore[operator]
            problems.add(path, f"must be a {'whole ' * whole}number from {low} to {high}")
        return value

    return reader


def flag(value: object, path: str, problems: Problems) -> object:
    """True or false."""
    if not isinstance(value, bool):
        problems.add(path, "must be true or false")
    return value


def one_of(kind: type[_Kind]) -> Reader:
    """A member of a closed set."""

    def reader(value: object, path: str, problems: Problems) -> object:
        if isinstance(value, str) and value in set(kind):
            return kind(value)
        problems.add(path, f"must be one of: {', '.join(kind)}")
        return value

    return reader


def nullable(inner: Reader) -> Reader:
    """Null, or what the inner reader takes."""

    def reader(value: object, path: str, problems: Problems) -> object:
        return None if value is None else inner(value, path, problems)

    return reader


def members(fields: Mapping[str, Reader], required: tuple[str, ...] = ()) -> Reader:
    """An object with these fields and no others, as a dict of what was given."""

    def reader(value: object, path: str, problems: Problems) -> dict[str, Any]:
        if not isinstance(value, dict):
            problems.add(path, "must be an object")
            return {}
        for name in [name for name in required if name not in value]:
            problems.add(f"{path}.{name}", "is required")
        for name in [name for name in value if name not in fields]:
            problems.add(f"{path}.{name}", f"is unknown; known are: {', '.join(fields)}")
        known = {name: given for name, given in value.items() if name in fields}
        return {
            name: fields[name](given, f"{path}.{name}", problems) for name, given in known.items()
        }

    return reader


def map_of(key_pattern: str, key_words: str, inner: Reader) -> Reader:
    """An object whose keys match the whole pattern; `key_words` says it in words."""

    def reader(value: object, path: str, problems: Problems) -> dict[str, Any]:
        if not isinstance(value, dict):
            problems.add(path, "must be an object")
            return {}
        for key in [key for key in value if not re.fullmatch(key_pattern, key)]:
            problems.add(f"{path}.{key}", f"its name must be {key_words}")
        return {key: inner(given, f"{path}.{key}", problems) for key, given in value.items()}

    return reader


def list_of(inner: Reader) -> Reader:
    """A list of what the inner reader takes."""

    def reader(value: object, path: str, problems: Problems) -> list[Any]:
        if not isinstance(value, list):
            problems.add(path, "must be a list")
            return []
        return [inner(item, f"{path}[{place}]", problems) for place, item in enumerate(value)]

    return reader
