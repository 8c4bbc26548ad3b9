"""The statuses of a message over time, and the callbacks for each."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from app.emulator.records import HANDED_OFF, Message, Stage, TwilioStatus
from app.emulator.scenarios import CallbackMode, FinalStatus, Scenario
from app.emulator.segments import count_segments


@dataclass(frozen=True, slots=True)
class LifecycleStep:
    """After a pause, the status changes, or a callback is sent, or both."""

    stage: Stage
    pause_seconds: float
    advances: bool
    notifies: bool


def stages_of(message: Message, scenario: Scenario) -> tuple[Stage, ...]:
    """The stages after the answer to the create call, in their true order."""
    opening = (Stage(TwilioStatus.QUEUED),) if message.status is TwilioStatus.ACCEPTED else ()
    sent = Stage(TwilioStatus.SENT)
    match scenario.final:
        case FinalStatus.DELIVERED:
            return (*opening, sent, Stage(TwilioStatus.DELIVERED))
        case FinalStatus.UNDELIVERED:
            return (*opening, sent, Stage(TwilioStatus.UNDELIVERED, scenario.error_code))
        case FinalStatus.FAILED:
            return (*opening, Stage(TwilioStatus.FAILED, scenario.error_code))
        case FinalStatus.SENT_ONLY:
            return (*opening, sent)


def steps_of(
    message: Message, scenario: Scenario, usual_pace_seconds: float
) -> tuple[LifecycleStep, ...]:
    pace = usual_pace_seconds if scenario.pace_seconds is None else scenario.pace_seconds
    stages = stages_of(message, scenario)
    match scenario.callbacks:
        case CallbackMode.IN_ORDER | CallbackMode.WRONGLY_SIGNED:
            return tuple(_advance(stages, pace, notifies=True))
        case CallbackMode.BEFORE_ANSWER:
            return tuple(_advance(stages, 0, notifies=True))
        case CallbackMode.DUPLICATED:
            reported = _advance(stages, pace, notifies=True)
            return tuple(step for first in reported for step in (first, *_notify([first.stage], 0)))
        case CallbackMode.LOST:
            return tuple(_advance(stages, pace, notifies=False))
        case CallbackMode.REVERSED:
            return (*_advance(stages, pace, notifies=False), *_notify(reversed(stages), pace))
        case CallbackMode.DELAYED:
            late, *rest = _notify(stages, pace)
            late = replace(late, pause_seconds=scenario.delay_seconds)
            return (*_advance(stages, pace, notifies=False), late, *rest)


def _advance(stages: Iterable[Stage], pace: float, *, notifies: bool) -> Iterator[LifecycleStep]:
    for stage in stages:
        yield LifecycleStep(stage, pace, advances=True, notifies=notifies)


def _notify(stages: Iterable[Stage], pace: float) -> Iterator[LifecycleStep]:
    for stage in stages:
        yield LifecycleStep(stage, pace, advances=False, notifies=True)


def advanced(message: Message, stage: Stage, at: datetime) -> Message:
    """Returns the message at this stage, with sender and segment count."""
    return replace(
        message,
        status=stage.status,
        error_code=stage.error_code,
        sender=message.sender or chosen_sender(message.messaging_service_sid or ""),
        num_segments=message.num_segments or count_segments(message.body),
        updated_at=at,
        sent_at=message.sent_at or (at if stage.status in HANDED_OFF else None),
    )


def chosen_sender(messaging_service_sid: str) -> str:
    """The one fictitious long code in the pool of a Messaging Service."""
    place = int.from_bytes(hashlib.sha256(messaging_service_sid.encode()).digest()[:4])
    return f"+1202555{100 + place % 100:04d}"
