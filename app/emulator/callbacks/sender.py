"""The statuses of a message over time, and the callbacks that report them."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Final

from app.emulator.accounts import AccountBook
from app.emulator.callbacks.scheduler import Scheduler
from app.emulator.callbacks.webhooks import Answer, WebhookPoster
from app.emulator.config import EmulatorConfig
from app.emulator.records import (
    API_VERSION,
    HANDED_OFF,
    CallbackAttempt,
    Message,
    MessageBook,
    Stage,
    TwilioStatus,
    count_segments,
)
from app.emulator.scenarios import CallbackMode, FinalStatus, Scenario

_WITH_ERROR_CODE: Final = frozenset({TwilioStatus.FAILED, TwilioStatus.UNDELIVERED})
_WITH_RECEIPT_TIME: Final = frozenset({TwilioStatus.DELIVERED, TwilioStatus.UNDELIVERED})


@dataclass(frozen=True, slots=True)
class LifecycleStep:
    """After a pause, the status changes, or a callback is sent, or both."""

    stage: Stage
    pause_seconds: float
    advances: bool
    notifies: bool
    is_genuine: bool = True


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


@dataclass(frozen=True, slots=True)
class CallbackSender:
    config: EmulatorConfig
    accounts: AccountBook
    messages: MessageBook
    log: list[CallbackAttempt]
    scheduler: Scheduler
    poster: WebhookPoster

    def begin(self, message: Message, scenario: Scenario) -> None:
        """Starts a message's life; blocks only if callbacks come before the answer."""
        is_genuine = scenario.callbacks is not CallbackMode.WRONGLY_SIGNED
        planned = steps_of(message, scenario, self.config.status_pace_seconds)
        steps = [replace(step, is_genuine=is_genuine) for step in planned]
        if scenario.callbacks is CallbackMode.BEFORE_ANSWER:
            for step in steps:
                self._take(step, message.sid)
        else:
            self._schedule(iter(steps), message.sid)

    def force(self, sid: str, stage: Stage, *, notifies: bool) -> CallbackAttempt | None:
        """Also cancels the planned statuses; returns the last attempt of the callback."""
        at = self.config.now()
        message = self.messages.change(
            sid, lambda now: replace(advanced(now, stage, at), forced=True)
        )
        return self._notify(message, stage) if message and notifies else None

    def _schedule(self, steps: Iterator[LifecycleStep], sid: str) -> None:
        step = next(steps, None)
        if step is not None:
            job = partial(self._take_and_go_on, step, steps, sid)
            self.scheduler.submit(step.pause_seconds, job)

    def _take_and_go_on(self, step: LifecycleStep, rest: Iterator[LifecycleStep], sid: str) -> None:
        if self._take(step, sid):
            self._schedule(rest, sid)

    def _take(self, step: LifecycleStep, sid: str) -> bool:
        """Performs one step; returns false when the remaining steps must not run."""
        at = self.config.now()

        def change(message: Message) -> Message:
            moves = step.advances and not message.forced
            return advanced(message, step.stage, at) if moves else message

        message = self.messages.change(sid, change)
        if message is None or message.forced:
            return False
        if step.notifies:
            self._notify(message, step.stage, is_genuine=step.is_genuine)
        return True

    def _notify(
        self, message: Message, stage: Stage, *, is_genuine: bool = True
    ) -> CallbackAttempt | None:
        account = self.accounts.find(message.account_sid)
        if message.status_callback is None:
            return None
        if account is None or account.auth_token is None:
            return self._record(message, stage, 1, None)
        key = account.auth_token if is_genuine else f"not {account.auth_token}"
        last = None
        answers = self.poster.attempts(message.status_callback, self._params(message, stage), key)
        for attempt, answer in enumerate(answers, 1):
            last = self._record(message, stage, attempt, answer)
        return last

    def _record(
        self, message: Message, stage: Stage, attempt: int, answer: Answer | None
    ) -> CallbackAttempt:
        record = CallbackAttempt(
            at=self.config.now(),
            message_sid=message.sid,
            message_id=message.message_id,
            status=stage.status,
            attempt=attempt,
            http_status=answer.http_status if answer else None,
            failure=answer.failure if answer else "the account's auth token is not known",
        )
        self.log.append(record)
        return record

    def _params(self, message: Message, stage: Stage) -> dict[str, str]:
        params = {
            "AccountSid": message.account_sid,
            "MessageSid": message.sid,
            "SmsSid": message.sid,
            "MessageStatus": stage.status.value,
            "SmsStatus": stage.status.value,
            "From": message.sender or "",
            "To": message.to,
            "ApiVersion": API_VERSION,
        }
        if message.messaging_service_sid is not None:
            params["MessagingServiceSid"] = message.messaging_service_sid
        if stage.status in _WITH_ERROR_CODE and stage.error_code is not None:
            params["ErrorCode"] = str(stage.error_code)
        if stage.status in _WITH_RECEIPT_TIME:
            params["RawDlrDoneDate"] = self.config.now().strftime("%y%m%d%H%M")
        return params
