"""Days and times are read in the time zone that the form names."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from flask import Flask

from app.console.ui.forms import just_after, just_before, parse_time
from app.kernel.errors import ValidationFailed

BERLIN = ZoneInfo("Europe/Berlin")


def test_a_day_begins_and_ends_in_its_zone() -> None:
    """Break: add 24 hours to midnight; the day on which summer time begins has 23."""
    day = date(2026, 3, 29)
    begin = datetime(2026, 3, 28, 23, tzinfo=UTC)
    assert just_before(day, BERLIN) == begin - timedelta(milliseconds=1)
    assert just_after(day, BERLIN) == datetime(2026, 3, 29, 22, tzinfo=UTC)
    assert just_after(day) == datetime(2026, 3, 30, tzinfo=UTC)


def test_the_first_and_the_last_day_are_days() -> None:
    for zone in (None, ZoneInfo("Pacific/Kiritimati"), ZoneInfo("Pacific/Niue")):
        first, last = just_before(date.min, zone), just_after(date.max, zone)
        assert first is not None
        assert last is not None
        assert (first.year, last.year) == (1, 9999)


@pytest.mark.parametrize(
    ("form", "read"),
    [
        ({"at": "2026-07-01T12:00", "zone": "Europe/Berlin"}, "2026-07-01T10:00:00.000Z"),
        ({"at": "2026-07-01T12:00"}, "2026-07-01T12:00:00.000Z"),
        ({"at": "2026-07-01T12:00:30+02:00"}, "2026-07-01T12:00:30+02:00"),
        ({"at": "tomorrow"}, "tomorrow"),
    ],
)
def test_a_time_is_read_in_the_zone_of_the_form(form: dict[str, str], read: str) -> None:
    with Flask("test").test_request_context(method="POST", data=form):
        assert parse_time("at") == {"at": read}


def test_an_unknown_zone_is_named() -> None:
    for zone in ("Mars/Base", "../UTC", "/etc/passwd", "Europe", "x" * 300):
        form = {"at": "2026-07-01T12:00", "zone": zone}
        with (
            Flask("test").test_request_context(method="POST", data=form),
            pytest.raises(ValidationFailed) as problem,
        ):
            parse_time("at")
        assert list(problem.value.details or {}) == ["$.zone"], zone
