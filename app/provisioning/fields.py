"""Kinds of fields in a file: what one value may be, whatever stands around it.

The texts never repeat a value that could be a secret or a phone number.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from marshmallow import ValidationError, fields, validate

from app.kernel.clock import parse_rfc3339
from app.kernel.ids import parse_id
from app.provisioning.names import mistake_in_name


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


class Name(fields.String):
    """A name: one line that could not be taken for an id."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        name = super()._deserialize(value, *args, **kwargs)
        wrong = mistake_in_name(name)
        if wrong is not None:
            raise ValidationError(wrong)
        return name


def sid(prefixes: str, *, may_be_empty: bool = False, required: bool = True) -> fields.String:
    """Return a field for Twilio's identifiers: ``(QE|CM)`` and 32 hexadecimal digits."""
    said = " or ".join(prefixes.strip("()").split("|"))
    pattern, error = rf"{prefixes}[0-9a-fA-F]{{32}}\Z", f"Must be {said} and 32 hexadecimal digits"
    if may_be_empty:
        pattern, error = rf"{pattern}|\Z", f"{error}, or empty"
    return fields.String(required=required, validate=validate.Regexp(pattern, error=f"{error}."))


def days() -> fields.Integer:
    """Return a field for a number of days that something is kept."""
    bounds = validate.Range(min=1, max=3650, error="Must be from {min} to {max} days.")
    return fields.Integer(strict=True, validate=bounds)


def status(choices: tuple[str, ...] = ()) -> fields.String:
    """Return a field for a status in Twilio's words: one of a closed set, or any of its form."""
    if choices:
        return fields.String(validate=validate.OneOf(choices, error="Must be one of: {choices}."))
    return fields.String(
        validate=validate.Regexp(
            r"[A-Z_]{1,40}\Z", error="Must be a word in capitals, as Twilio's."
        )
    )


def items() -> fields.List[Any]:
    """Return a field for a list whose items are read one by one, each with its place."""
    return fields.List(fields.Raw(allow_none=True))
