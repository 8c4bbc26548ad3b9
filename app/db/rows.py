"""Rows whose columns the code names."""

from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from sqlalchemy import Row

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

AnyRow: TypeAlias = Row[*tuple[Any, ...]]
T = TypeVar("T", bound="DataclassInstance")


def from_row(kind: type[T], row: AnyRow, /, **more: Any) -> T:
    """Make an object of the columns named as its fields; ``more`` has the other fields."""
    names = [one.name for one in fields(kind) if one.name not in more]
    return kind(**{name: getattr(row, name) for name in names}, **more)
