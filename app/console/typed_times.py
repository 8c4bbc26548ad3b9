"""Times as people type them, in UTC."""

from datetime import UTC, date, datetime, timedelta

from flask import request

from app.kernel.clock import shifted


def typed_time(name: str) -> dict[str, str]:
    """Return a date and time field as an API value; None if it is empty."""
    given = request.form.get(name, "")
    if not given:
        return {}
    return {name: f"{given}:00Z" if given.count(":") == 1 else f"{given}Z"}


def just_before(day: date | None) -> datetime | None:
    """Return the last time that does not belong to a day yet."""
    return None if day is None else shifted(_midnight(day), -timedelta(milliseconds=1))


def just_after(day: date | None) -> datetime | None:
    """Return the first time that does not belong to a day any more."""
    return None if day is None else shifted(_midnight(day), timedelta(days=1))


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
