"""Kinds of fields in a file: what one value may be, whatever stands around it.

The texts never repeat a value that could be a secret or a phone number.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from marshmallow import ValidationError, fields

from app.kernel.clock import parse_rfc3339
from app.kernel.ids import parse_id


class Id(fields.Field[UUID]):
    """A UUID in its usual form."""

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> UUID:
        found = parse_id(value) if isinstance(value, str) else None
        if found is None:
            raise ValidationError("Must be a UUID.")
        return found


class Time(fields.Field[datetime]):
    """A time with its offset: a text as in RFC 3339, or TOML's own."""

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> datetime:
        try:
            return parse_rfc3339(value.isoformat() if isinstance(value, datetime) else value)
        except (TypeError, ValueError) as problem:
            raise ValidationError(
                "Must be a time with its offset, for example 2030-01-31T12:00:00Z."
            ) from problem


class Flag(fields.Field[bool]):
    """True or false, and nothing that merely looks like it."""

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("Must be true or false.")
        return value


def items() -> fields.List[Any]:
    """Return a field for a list whose items are read one by one, each with its place."""
    return fields.List(fields.Raw(allow_none=True))
