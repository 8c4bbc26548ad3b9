"""The plan of a message's life, without threads or clocks."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.emulator.callbacks.sender import LifecycleStep, advanced, steps_of
from app.emulator.records import Message, Stage, TwilioStatus
from app.emulator.scenarios import CallbackMode, Scenario

AT = datetime(2026, 11, 22, tzinfo=UTC)
QUEUED = Message(
    sid="SM",
    account_sid="AC",
    to="+12025550143",
    body="Hello",
    sender="+12025550199",
    messaging_service_sid=None,
    status_callback="http://localhost/x?a=1&message_id=m-1#rc=5",
    status=TwilioStatus.QUEUED,
    num_segments=1,
    created_at=AT,
    updated_at=AT,
)
SENT, DELIVERED = Stage(TwilioStatus.SENT), Stage(TwilioStatus.DELIVERED)


def _both(stage: Stage, pause: float) -> LifecycleStep:
    return LifecycleStep(stage, pause, advances=True, notifies=True)


def _told(stage: Stage, pause: float) -> LifecycleStep:
    return LifecycleStep(stage, pause, advances=False, notifies=True)


def _moved(stage: Stage, pause: float) -> LifecycleStep:
    return LifecycleStep(stage, pause, advances=True, notifies=False)


@pytest.mark.parametrize(
    ("mode", "steps"),
    [
        (CallbackMode.IN_ORDER, [_both(SENT, 2), _both(DELIVERED, 2)]),
        (CallbackMode.WRONGLY_SIGNED, [_both(SENT, 2), _both(DELIVERED, 2)]),
        (CallbackMode.BEFORE_ANSWER, [_both(SENT, 0), _both(DELIVERED, 0)]),
        (
            CallbackMode.DUPLICATED,
            [_both(SENT, 2), _told(SENT, 0), _both(DELIVERED, 2), _told(DELIVERED, 0)],
        ),
        (CallbackMode.LOST, [_moved(SENT, 2), _moved(DELIVERED, 2)]),
        (
            CallbackMode.REVERSED,
            [_moved(SENT, 2), _moved(DELIVERED, 2), _told(DELIVERED, 2), _told(SENT, 2)],
        ),
        (
            CallbackMode.DELAYED,
            [_moved(SENT, 2), _moved(DELIVERED, 2), _told(SENT, 60), _told(DELIVERED, 2)],
        ),
    ],
)
def test_each_mode_has_its_steps_and_pauses(mode: CallbackMode, steps: list[LifecycleStep]) -> None:
    scenario = Scenario(callbacks=mode, delay_seconds=60)

    assert list(steps_of(QUEUED, scenario, 2)) == steps


def test_a_scenario_has_its_own_pace() -> None:
    first, *_ = steps_of(QUEUED, Scenario(pace_seconds=0), 2)

    assert first.pause_seconds == 0


def test_service_message_gets_sender_segments_and_dates_later() -> None:
    accepted = replace(
        QUEUED,
        status=TwilioStatus.ACCEPTED,
        sender=None,
        num_segments=0,
        messaging_service_sid="MG",
    )
    queued = advanced(accepted, Stage(TwilioStatus.QUEUED), AT)
    sent = advanced(queued, SENT, AT)

    assert (queued.num_segments, queued.sent_at) == (1, None)
    assert (queued.sender or "").startswith("+120255501")
    assert (sent.sender, sent.sent_at) == (queued.sender, AT)


def test_our_id_is_read_from_the_query_of_the_callback() -> None:
    assert QUEUED.message_id == "m-1"
    assert replace(QUEUED, status_callback=None).message_id is None
