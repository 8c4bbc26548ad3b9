"""When an event is tried again and when an endpoint is given up: the pure rules."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, strategies as st

from app.webhooks.deliveries import (
    LONGEST_ASKED,
    MAX_ATTEMPTS,
    asked_delay,
    failing_since,
    is_disabled_after,
    next_attempt_at,
)
from support.each import each

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
# Of the Standard Webhooks specification: the delay before each attempt after the first.
SECONDS = [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]


@each(("attempts", "seconds"), list(enumerate(SECONDS, start=1)))
def test_each_delay_is_the_specifications(attempts: int, seconds: int) -> None:
    assert next_attempt_at(attempts, NOW, 0.5) == NOW + timedelta(seconds=seconds)


def test_after_the_tenth_attempt_there_is_none() -> None:
    assert MAX_ATTEMPTS == 10
    assert next_attempt_at(10, NOW, 0.5) is None
    assert next_attempt_at(10, NOW, 0.5, timedelta(seconds=1)) is None


@given(st.integers(1, 9), st.floats(0, 1))
def test_jitter_is_a_tenth_to_either_side(attempts: int, chance: float) -> None:
    at = next_attempt_at(attempts, NOW, chance)
    assert at is not None
    delay = (at - NOW).total_seconds()
    assert SECONDS[attempts - 1] * 0.9 - 0.001 <= delay <= SECONDS[attempts - 1] * 1.1 + 0.001


def test_delays_vary_by_chance() -> None:
    assert next_attempt_at(2, NOW, 0.0) == NOW + timedelta(seconds=270)
    assert next_attempt_at(2, NOW, 1.0) == NOW + timedelta(seconds=330)


@each(
    ("asked", "seconds"),
    [
        (timedelta(seconds=60), 60),  # longer than the schedule: the receiver's wish
        (timedelta(seconds=1), 5),  # shorter: the schedule
        (timedelta(days=30), LONGEST_ASKED.total_seconds()),  # nobody parks us for a month
    ],
)
def test_a_receiver_may_ask_for_more_time_than_the_schedule(
    asked: timedelta, seconds: float
) -> None:
    assert next_attempt_at(1, NOW, 0.5, asked) == NOW + timedelta(seconds=seconds)


def test_retry_after_is_never_shortened_by_chance() -> None:
    assert next_attempt_at(1, NOW, 0.0, timedelta(seconds=60)) == NOW + timedelta(seconds=60)


@each(
    ("header", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("9" * 40, 999_999_999),
        ("Sat, 31 Jan 2026 12:02:00 GMT", 120),
        ("Sat, 31 Jan 2026 12:02:00 -0000", 120),
        ("Sat, 31 Jan 2026 11:00:00 GMT", 0),
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("\u0661\u0662", None),
        ("Sat, 31 Jan 2026 99:00:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: int | None) -> None:
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert asked_delay(header, NOW) == expected


@given(st.text(max_size=60))
def test_no_retry_after_breaks_anything(header: str) -> None:
    found = asked_delay(header, NOW)
    assert found is None or found >= timedelta(0)


def test_failing_since_is_the_first_failure_without_a_pause() -> None:
    hour, day = timedelta(hours=1), timedelta(days=1)
    assert failing_since(None, None, NOW) == NOW
    assert failing_since(NOW - 4 * day, NOW - hour, NOW) == NOW - 4 * day
    assert failing_since(NOW - 4 * day, NOW - 2 * day, NOW) == NOW - 4 * day
    assert failing_since(NOW - 9 * day, NOW - 3 * day, NOW) == NOW


def test_five_days_are_enough() -> None:
    almost = timedelta(days=5) - timedelta(milliseconds=1)
    assert not is_disabled_after(NOW, NOW + almost)
    assert is_disabled_after(NOW, NOW + timedelta(days=5))
