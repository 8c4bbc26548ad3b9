"""Status changes of messages, and the callbacks that report them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from app.emulator.accounts import AccountBook
from app.emulator.callbacks.lifecycle import LifecycleStep, advanced, steps_of
from app.emulator.callbacks.scheduler import Scheduler
from app.emulator.callbacks.webhooks import Answer, WebhookPoster
from app.emulator.config import EmulatorConfig
from app.emulator.records import (
    API_VERSION,
    CallbackAttempt,
    Message,
    MessageBook,
    Stage,
    TwilioStatus,
)
from app.emulator.scenarios import CallbackMode, Scenario

_WITH_ERROR_CODE: Final = frozenset({TwilioStatus.FAILED, TwilioStatus.UNDELIVERED})
_WITH_RECEIPT_TIME: Final = frozenset({TwilioStatus.DELIVERED, TwilioStatus.UNDELIVERED})


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
        steps = steps_of(message, scenario, self.config.status_pace_seconds)
        is_genuine = scenario.callbacks is not CallbackMode.WRONGLY_SIGNED
        if scenario.callbacks is CallbackMode.BEFORE_ANSWER:
            for step in steps:
                self._take(step, message.sid, is_genuine=is_genuine)
        else:
            self._schedule(iter(steps), message.sid, is_genuine=is_genuine)

    def force(self, sid: str, stage: Stage, *, notifies: bool) -> CallbackAttempt | None:
        """Sets a status out of turn and cancels the planned ones.

        Returns the last attempt of the callback, or null.
        """
        at = self.config.now()
        message = self.messages.change(
            sid, lambda now: replace(advanced(now, stage, at), forced=True)
        )
        return self._notify(message, stage, is_genuine=True) if message and notifies else None

    def _schedule(self, steps: Iterator[LifecycleStep], sid: str, *, is_genuine: bool) -> None:
        step = next(steps, None)
        if step is not None:
            job = partial(self._take_and_go_on, step, steps, sid, is_genuine=is_genuine)
            self.scheduler.submit(step.pause_seconds, job)

    def _take_and_go_on(
        self, step: LifecycleStep, rest: Iterator[LifecycleStep], sid: str, *, is_genuine: bool
    ) -> None:
        if self._take(step, sid, is_genuine=is_genuine):
            self._schedule(rest, sid, is_genuine=is_genuine)

    def _take(self, step: LifecycleStep, sid: str, *, is_genuine: bool) -> bool:
        """Performs one step; returns false when the remaining steps must not run."""
        at = self.config.now()

        def change(message: Message) -> Message:
            moves = step.advances and not message.forced
            return advanced(message, step.stage, at) if moves else message

        message = self.messages.change(sid, change)
        if message is None or message.forced:
            return False
        if step.notifies:
            self._notify(message, step.stage, is_genuine=is_genuine)
        return True

    def _notify(
        self, message: Message, stage: Stage, *, is_genuine: bool
    ) -> CallbackAttempt | None:
        account = self.accounts.find(message.account_sid)
        if message.status_callback is None:
            return None
        if account is None or account.auth_token is None:
            return self._record(message, stage, 1, None)
        key = account.auth_token if is_genuine else f"not {account.auth_token}"
        params = self._params(message, stage)
        last = None
        answers = self.poster.attempts(message.status_callback, params, key)
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
