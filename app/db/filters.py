"""Conditions of a list that hold only where their value was given."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement


def given(*pairs: tuple[Any, Callable[[Any], ColumnElement[bool]]]) -> list[ColumnElement[bool]]:
    """Make a condition of each pair whose value is not None."""
    return [condition(value) for value, condition in pairs if value is not None]
