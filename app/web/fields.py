"""Shared field types and base schemas."""

from collections.abc import Callable, Iterable
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any, ClassVar
from uuid import UUID

from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validate
from sqlalchemy import Row

from app.kernel.clock import parse_rfc3339, rfc3339
from app.kernel.countries import is_country
from app.kernel.ids import canonical_sid, mistake_in_name, parse_id
from app.kernel.phone import NOT_E164, PhoneNumber, is_e164, problem_of_number
from app.kernel.texts import UNSTORABLE, has_visible_character, is_storable
from app.kernel.whole_numbers import read_whole_number


class StrictSchema(Schema):
    """Unknown fields are refused by name; ``makes`` is called with the others."""

    makes: ClassVar[Callable[..., Any]] = dict

    class Meta:
        """Marshmallow's options."""

        unknown = RAISE

    error_messages = {  # noqa: RUF012
        "unknown": "Unknown field.",
        "type": "Must be a JSON object.",
    }

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Any:
        return type(self).makes(**data)


def about(description: str, **more: Any) -> dict[str, Any]:
    """Return the metadata of a field, for OpenAPI."""
    return {"description": description, **more}


class Time(fields.DateTime):
    """RFC 3339 in UTC."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        del attr, obj, kwargs
        at: datetime | None = value
        return rfc3339(at)


class View(Schema):
    """An object of an answer; each of its fields is always there."""

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        del field_name
        field_obj.required = True

    @classmethod
    def write(cls, row: Any, **more: Any) -> dict[str, Any]:
        """Write a row or a dataclass; ``more`` has values that it lacks, or has in another form."""
        names = row._fields if isinstance(row, Row) else row.__slots__
        values = {name: getattr(row, name) for name in names}
        found: dict[str, Any] = _view(cls).dump(values | more)
        return found


@cache
def _view(schema: type[View]) -> View:
    return schema()


class Text(fields.String):
    """A text that every database can store."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, *args, **kwargs)
        if not is_storable(text):
            raise ValidationError(UNSTORABLE)
        return self.read(text)

    def read(self, text: str) -> Any:
        """Convert a text, or raise marshmallow's `ValidationError`."""
        return text


class VisibleText(Text):
    def read(self, text: str) -> str:
        if text and not has_visible_character(text):
            raise ValidationError("Must hold a visible character.")
        return text


class WholeNumber(fields.Integer):
    """ASCII digits."""

    def _validated(self, value: Any) -> int:
        if not isinstance(value, str) or read_whole_number(value) is None:
            raise self.make_error("invalid", input=value)
        return super()._validated(value)


class Id(fields.UUID):
    default_error_messages = {"invalid_uuid": "Must be a UUID."}  # noqa: RUF012

    def _validated(self, value: Any) -> UUID:
        if isinstance(value, UUID):
            return value
        found = parse_id(value) if isinstance(value, str) else None
        if found is None:
            raise self.make_error("invalid_uuid")
        return found


class E164Text(Text):
    """A text in E.164 form; the number itself is checked later."""

    def read(self, text: str) -> str:
        if not is_e164(text):
            raise ValidationError(NOT_E164)
        return text


class PhoneNumberField(Text):
    """A phone number in canonical form, which the error names."""

    def read(self, text: str) -> PhoneNumber:
        problem = problem_of_number(text)
        if problem is not None:
            raise ValidationError(problem)
        return PhoneNumber(text)


class Country(Text):
    def read(self, text: str) -> str:
        if not is_country(text):
            raise ValidationError("Must be an ISO 3166-1 alpha-2 country code in upper case.")
        return text


class TrueOrFalse(fields.Boolean):
    """A boolean; marshmallow's own also takes 1 and "yes"."""

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("Must be true or false.")
        return value


class FlatMap(fields.Dict):
    """A map; problems are reported at the keys."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return super()._deserialize(value, *args, **kwargs)  # type: ignore[no-untyped-call]
        except ValidationError as problem:
            if not isinstance(problem.messages, dict):
                raise
            messages = {
                key: [text for texts in of_entry.values() for text in texts]
                for key, of_entry in problem.messages.items()
            }
            raise ValidationError(messages, valid_data=problem.valid_data) from problem


class Timestamp(fields.AwareDateTime):
    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> datetime:
        try:
            return parse_rfc3339(value)
        except (TypeError, ValueError) as problem:
            raise ValidationError("Must be a time in RFC 3339 with an offset.") from problem


class Choice(fields.String):
    def __init__(
        self, kind: type[StrEnum], choices: Iterable[StrEnum] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(validate=one_of(kind if choices is None else choices), **kwargs)
        self._kind = kind

    def deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        found = super().deserialize(value, *args, **kwargs)
        return self._kind(found) if isinstance(found, str) else found


def one_of(values: Any) -> validate.OneOf:
    names = [str(value) for value in values]
    return validate.OneOf(names, error=f"Must be one of: {', '.join(names)}.")


# Fields of configuration. Their problems never repeat a value, which could be a secret or a number.


class Name(fields.String):
    """A name: one line that does not look like an id."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        name = super()._deserialize(value, *args, **kwargs)
        wrong = mistake_in_name(name)
        if wrong is not None:
            raise ValidationError(wrong)
        return name


class SettingsForm(validate.Regexp):
    """Matches the whole value; must mean the same in JavaScript, for OpenAPI."""

    def __init__(self, expression: str, error: str) -> None:
        super().__init__(f"^{expression}$", error=error)

    def __call__(self, value: Any) -> Any:
        if self.regex.fullmatch(value) is None:
            raise ValidationError(self._format_error(value))
        return value


class _Sid(fields.String):
    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        return canonical_sid(super()._deserialize(value, *args, **kwargs))


def sid(prefixes: str, *, may_be_empty: bool = False, required: bool = True) -> fields.String:
    kinds = " or ".join(prefixes.strip("()").split("|"))
    form, error = f"{prefixes}[0-9a-fA-F]{{32}}", f"Must be {kinds} and 32 hexadecimal digits"
    if may_be_empty:
        form, error = f"({form})?", f"{error}, or empty"
    return _Sid(required=required, validate=SettingsForm(form, f"{error}."))


def days(**kwargs: Any) -> fields.Integer:
    bounds = validate.Range(min=1, max=3650, error="Must be from {min} to {max} days.")
    return fields.Integer(strict=True, validate=bounds, **kwargs)


def status(choices: tuple[str, ...] = ()) -> fields.String:
    """``choices`` is a closed set; if it is empty, any word is accepted."""
    if choices:
        return fields.String(validate=validate.OneOf(choices, error="Must be one of: {choices}."))
    return fields.String(
        validate=SettingsForm("[A-Z_]{1,40}", "Must be a word in capitals, as Twilio's.")
    )
