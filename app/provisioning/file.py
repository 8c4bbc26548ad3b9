"""Parsing a file: TOML, or JSON with the same shape.

Ambiguous input is refused, for example a key that occurs twice.
"""

import json
import tomllib
from typing import Any

from app.provisioning.problems import THE_FILE, FileProblem, FileRefused


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
