"""Windows that roll: what they hold, and when there is room again."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given, strategies as st

from app.guards.limits import GuardMode, GuardName, GuardScope, Window
from app.guards.watches import (
    LENGTHS,
    NOTHING,
    StepCounts,
    Watch,
    added,
    find_trips,
    fits_again_at,
    held,
    shifted_to,
    step_at,
    taken_back,
)
from support.each import each

START = datetime(2026, 1, 31, 23, 59, 59, 999_000, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
ROLLING = [
    (GuardName.NUMBER, Window.HOUR),
    (GuardName.NUMBER, Window.DAY),
    (GuardName.WORKSPACE, Window.MINUTE),
]
# Sends that are tenths of a window apart, or at the borders of steps, or together.
gaps = st.lists(
    st.tuples(
        st.one_of(
            st.just(0.0), st.floats(0, 1.2), st.sampled_from([0.05, 0.1, 0.95, 1.0, 1.05, 1.1])
        ),
        st.integers(1, 5),
    ),
    min_size=1,
    max_size=30,
)


def at_the_border(window: Window) -> datetime:
    """A time at which a step of a window begins."""
    seconds = LENGTHS[window].total_seconds() / 20
    return datetime.fromtimestamp(START.timestamp() // seconds * seconds, UTC)


@given(st.sampled_from(ROLLING), st.sampled_from([-1, 0, 1]), gaps)
def test_a_message_counts_for_1_to_1_1_windows(
    which: tuple[GuardName, Window], off: int, sends: list[tuple[float, int]]
) -> None:
    guard, window = which
    length = LENGTHS[window]
    now = at_the_border(window) + off * MILLISECOND
    counts, sent = NOTHING, list[tuple[datetime, int]]()
    for gap, amount in sends:
        now += length * gap
        counts = shifted_to(counts, step_at(guard, window, now))
        count = held(guard, counts)
        assert count >= sum(n for at, n in sent if now - at <= length)
        assert count <= sum(n for at, n in sent if now - at < length * 1.1 + MILLISECOND)
        counts = added(counts, amount)
        sent.append((now, amount))


@given(st.sampled_from(ROLLING), gaps, st.integers(0, 20))
def test_there_is_room_at_the_given_time_and_not_before(
    which: tuple[GuardName, Window], sends: list[tuple[float, int]], most: int
) -> None:
    guard, window = which
    now, counts = START, NOTHING
    for gap, amount in sends:
        now += LENGTHS[window] * gap
        counts = added(shifted_to(counts, step_at(guard, window, now)), amount)
    fits_at = fits_again_at(guard, window, counts, most)
    assert fits_at is not None
    if held(guard, counts) <= most:
        return

    def held_at(at: datetime) -> int:
        return held(guard, shifted_to(counts, step_at(guard, window, at)))

    assert now < fits_at <= now + LENGTHS[window] * 1.1 + MILLISECOND
    assert held_at(fits_at) <= most < held_at(fits_at - MILLISECOND)


def test_a_send_that_never_fits_has_no_time() -> None:
    assert fits_again_at(GuardName.WORKSPACE, Window.MINUTE, NOTHING, -1) is None


@each(
    "window, at, begins",
    [
        (
            Window.DAY,
            datetime(2026, 2, 28, 23, 59, 59, tzinfo=UTC),
            datetime(2026, 3, 1, tzinfo=UTC),
        ),
        (Window.MONTH, datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)),
        (Window.MONTH, datetime(2026, 12, 31, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
    ],
)
def test_spend_counts_by_calendar_days_and_months(
    window: Window, at: datetime, begins: datetime
) -> None:
    guard = GuardName.SPEND
    counts = added(shifted_to(NOTHING, step_at(guard, window, at)), 500)
    assert held(guard, counts) == 500
    assert fits_again_at(guard, window, counts, 0) == begins
    assert held(guard, shifted_to(counts, step_at(guard, window, begins - MILLISECOND))) == 500
    assert held(guard, shifted_to(counts, step_at(guard, window, begins))) == 0


def test_a_clock_that_is_behind_adds_to_the_step_that_is_there() -> None:
    counts = added(shifted_to(NOTHING, 100), 3)
    late = added(shifted_to(counts, 98), 2)
    assert late == StepCounts(100, (5, *[0] * 21))


def test_returned_counts_are_subtracted_from_their_own_step() -> None:
    counts = added(shifted_to(added(shifted_to(NOTHING, 100), 3), 104), 2)
    assert taken_back(counts, 100, 3).counts == (2, *[0] * 21)
    assert taken_back(counts, 104, 2).counts == (0, 0, 0, 0, 3, *[0] * 17)
    for step in (78, 105, 0):
        assert taken_back(counts, step, 3) == counts
    assert taken_back(counts, 104, 9).counts[0] == 0


def test_the_shorter_window_is_named_first_and_a_message_must_fit_whole() -> None:
    watch = Watch(
        guard=GuardName.WORKSPACE,
        scope=GuardScope.WORKSPACE,
        scope_id=UUID(int=1),
        value="",
        mode=GuardMode.ENFORCE,
        amount=3,
        limits={Window.MINUTE: 10, Window.DAY: 11},
    )

    def trips(minute: int, day: int) -> list[tuple[Window, int, int]]:
        counts = (added(NOTHING, minute), added(NOTHING, day))
        return [(trip.window, trip.limit, trip.count) for trip in find_trips(watch, counts)]

    assert trips(7, 8) == []
    assert trips(8, 8) == [(Window.MINUTE, 10, 8)]
    assert trips(7, 9) == [(Window.DAY, 11, 9)]
    assert trips(8, 9) == [(Window.MINUTE, 10, 8), (Window.DAY, 11, 9)]
