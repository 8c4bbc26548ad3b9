"""Shared fields of configuration: names, Twilio SIDs, days.

Problems never repeat a value, which could be a secret or a number.
"""

from typing import Any

from marshmallow import ValidationError, fields, validate

from app.kernel.names import mistake_in_name
from app.kernel.provider_sids import canonical_sid


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
