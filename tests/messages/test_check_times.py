"""When the provider is asked again, and when what left no trace may be created once more."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from app.messages.check_times import (
    RESEND_PAUSES,
    UNSETTLED_GIVEN_UP,
    is_given_up,
    may_resend,
    next_unsettled_check,
)

CREATED = datetime(2026, 1, 31, 12, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return CREATED + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("resent_after", "resends", "asked_after", "may"),
    [
        (None, 0, 119.9, False),
        (None, 0, 120, True),
        (None, 0, 780, True),
        (None, 0, 780.1, False),
        (None, 0, 900, False),
        (125, 1, 304.9, False),
        (125, 1, 305, True),
        (310, 2, 609.9, False),
        (310, 2, 610, True),
        (615, 3, 779, False),
    ],
)
def test_a_resend_waits_longer_each_time_and_never_comes_late(
    resent_after: float | None, resends: int, asked_after: float, may: bool
) -> None:
    resent_at = None if resent_after is None else after(resent_after)
    assert may_resend(CREATED, resent_at, resends, after(asked_after)) is may


def test_the_pauses_grow_and_there_is_time_for_all() -> None:
    assert list(RESEND_PAUSES) == sorted(set(RESEND_PAUSES))
    assert len(RESEND_PAUSES) == 3
    assert sum(RESEND_PAUSES, RESEND_PAUSES[0]) < UNSETTLED_GIVEN_UP


@given(st.integers(0, 3), st.floats(0, 86400), st.floats(0, 86400))
def test_given_up_submission_is_never_resent(resends: int, resent: float, asked: float) -> None:
    if is_given_up(CREATED, after(asked)):
        assert not may_resend(CREATED, after(resent), resends, after(asked))


@given(st.floats(60, 86400))
def test_the_next_check_is_always_in_the_future(seconds: float) -> None:
    assert next_unsettled_check(CREATED, after(seconds)) > after(seconds)
