"""Days and times as people enter them, in the time zone that the form names.

A form without scripts names none and means UTC.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import request
from marshmallow import ValidationError, fields

from app.kernel.clock import rfc3339, shifted
from app.kernel.errors import ValidationFailed

_UNKNOWN_ZONE = "Must be an IANA time zone, for example Europe/Berlin."


class TimeZone(fields.Field[ZoneInfo]):
    """The name of a time zone."""

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


def typed_time(name: str) -> dict[str, str]:
    """Return a date and time field of the form as an API value; nothing if it is empty.

    Raises:
        ValidationFailed: the form names an unknown time zone.
    """
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
    """Return the last millisecond before a day begins."""
    return None if day is None else shifted(_midnight(day, zone), -timedelta(milliseconds=1))


def just_after(day: date | None, zone: ZoneInfo | None = None) -> datetime | None:
    """Return the first moment after a day."""
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
