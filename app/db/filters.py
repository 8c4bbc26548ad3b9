"""Optional conditions of a list query."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement


def given(*pairs: tuple[Any, Callable[[Any], ColumnElement[bool]]]) -> list[ColumnElement[bool]]:
    """Return a condition for each pair whose value is not None."""
    return [condition(value) for value, condition in pairs if value is not None]
