"""Forms: read with the API's schemas, dates in the user's time zone (UTC without scripts)."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import request
from marshmallow import Schema, ValidationError, fields

from app.console.ui.pages import Form
from app.kernel.clock import rfc3339, shifted
from app.kernel.errors import ValidationFailed
from app.kernel.texts import UNSTORABLE, is_storable
from app.web.bodies import load
from app.web.fields import E164Text, PhoneNumberField

_STEP = re.compile(r"^\$\.?([A-Za-z_0-9]*)")


def read_form(schema: type[Schema], **more: object) -> Any:
    """Load the form with an API schema; empty fields are left out.

    ``more`` are further values. Raises `ValidationFailed`.
    """
    made = schema()
    given: dict[str, Any] = {}
    for name, one in made.fields.items():
        if isinstance(one, fields.List):
            given[name] = [text for text in request.form.getlist(name) if text]
        elif request.form.get(name):
            given[name] = request.form[name]
    return load(made, given | more)


def read_text(name: str) -> str:
    """Return a stripped field without a schema; raises `ValidationFailed`."""
    text = request.form.get(name, "").strip()
    if not is_storable(text):
        raise ValidationFailed({f"$.{name}": [UNSTORABLE]})
    return text


def read_search(schema: type[Schema]) -> Any:
    """Load the query string; empty fields are left out. Raises `ValidationFailed`."""
    given = {name: text for name, text in request.args.items() if text}
    return load(schema(), given)


def refilled(problem: ValidationFailed) -> Form:
    errors: dict[str, list[str]] = {}
    for path, texts in (problem.details or {}).items():
        found = _STEP.match(path)
        errors.setdefault(found.group(1) if found else "", []).extend(texts)
    given = request.args if request.method == "GET" else request.form
    return Form(given.to_dict(), errors)


# A shorter text has no country code.
_FEWEST_DIGITS = 7
_BETWEEN_DIGITS = re.compile(r"[\s().\-\u2010-\u2015\u00a0/]+")


def without_separators(text: str) -> str:
    """Remove separators; a leading ``00`` becomes ``+``."""
    tidied = _BETWEEN_DIGITS.sub("", text)
    return "+" + tidied.removeprefix("00") if tidied.startswith("00") else tidied


class PhoneNumberInput(PhoneNumberField):
    """A canonical phone number, possibly with separators or without its ``+``."""

    def deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        tidied = _parsed_number(value)
        if isinstance(tidied, str) and tidied.isdecimal() and len(tidied) >= _FEWEST_DIGITS:
            tidied = "+" + tidied
        return super().deserialize(tidied, *args, **kwargs)


class E164Input(E164Text):
    """A text in E.164 form, possibly with separators."""

    def deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return super().deserialize(_parsed_number(value), *args, **kwargs)


def _parsed_number(value: Any) -> Any:
    return without_separators(value) if isinstance(value, str) else value


_UNKNOWN_ZONE = "Must be an IANA time zone, for example Europe/Berlin."


class TimeZone(fields.Field[ZoneInfo]):
    def _deserialize(
        self,
        value: Any,
        attr: str | None,  # noqa: ARG002
        data: Any,  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> ZoneInfo:
        try:
            return ZoneInfo(str(value))
        except (ValueError, OSError, KeyError) as problem:
            raise ValidationError(_UNKNOWN_ZONE) from problem


def parse_time(name: str) -> dict[str, str]:
    """Convert a date and time field to an API value, or {}; raises `ValidationFailed`."""
    given = request.form.get(name, "")
    if not given:
        return {}
    try:
        zone = TimeZone().deserialize(request.form.get("zone") or "UTC")
    except ValidationError as problem:
        raise ValidationFailed({"$.zone": [_UNKNOWN_ZONE]}) from problem
    try:
        entered = datetime.fromisoformat(given)
    except ValueError:
        return {name: given}
    if entered.tzinfo is not None:
        return {name: given}
    return {name: rfc3339(_in_utc(entered, zone))}


def just_before(day: date | None, zone: ZoneInfo | None = None) -> datetime | None:
    return None if day is None else shifted(_midnight(day, zone), -timedelta(milliseconds=1))


def just_after(day: date | None, zone: ZoneInfo | None = None) -> datetime | None:
    if day is None:
        return None
    if day == date.max:
        return shifted(_midnight(day, zone), timedelta(days=1))
    return _midnight(day + timedelta(days=1), zone)


def _midnight(day: date, zone: ZoneInfo | None) -> datetime:
    return _in_utc(datetime(day.year, day.month, day.day), zone)  # noqa: DTZ001


def _in_utc(entered: datetime, zone: ZoneInfo | None) -> datetime:
    offset = None if zone is None else entered.replace(tzinfo=zone).utcoffset()
    return shifted(entered.replace(tzinfo=UTC), -(offset or timedelta()))
