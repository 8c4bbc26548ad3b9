"""Scenarios: create answers, final statuses and callbacks of messages."""

from collections import deque
from dataclasses import dataclass
from enum import StrEnum


class CallbackMode(StrEnum):
    IN_ORDER = "in_order"
    REVERSED = "reversed"
    DUPLICATED = "duplicated"
    DELAYED = "delayed"
    LOST = "lost"
    BEFORE_ANSWER = "before_answer"
    WRONGLY_SIGNED = "wrongly_signed"


class FinalStatus(StrEnum):
    """`sent_only` is a carrier without delivery receipts."""

    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    SENT_ONLY = "sent_only"


class CreateAnswer(StrEnum):
    """Reject, throttle and drop accept no message."""

    NORMAL = "normal"
    TIMEOUT_AFTER_ACCEPTING = "timeout_after_accepting"
    ERROR_500_AFTER_ACCEPTING = "error_500_after_accepting"
    RESET_AFTER_ACCEPTING = "reset_after_accepting"
    NONSENSE_AFTER_ACCEPTING = "nonsense_after_accepting"
    REJECT = "reject"
    THROTTLE_429 = "throttle_429"
    DROP_CONNECTION = "drop_connection"


@dataclass(frozen=True, slots=True)
class Scenario:
    """One message's scenario; by default it is delivered and every callback arrives.

    `error_code` applies to undelivered and failed, `hold_seconds` to a create call that times
    out. A null `pace_seconds` is the emulator's own pace.
    """

    callbacks: CallbackMode = CallbackMode.IN_ORDER
    final: FinalStatus = FinalStatus.DELIVERED
    error_code: int = 30008
    create: CreateAnswer = CreateAnswer.NORMAL
    reject_code: int = 21612
    reject_status: int = 400
    retry_after_seconds: int = 1
    hold_seconds: float = 30
    delay_seconds: float = 1
    pace_seconds: float | None = None


class ScenarioBook:
    """Chooses scenarios: first the queue, then the number's, then the default."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.queued: deque[Scenario] = deque()
        self.by_number: dict[str, Scenario] = {}
        self._default = Scenario()

    def queue(self, *scenarios: Scenario) -> None:
        """Appends scenarios for the next create calls, one each."""
        self.queued.extend(scenarios)

    def for_number(self, to: str, scenario: Scenario) -> None:
        self.by_number[to] = scenario

    def set_default(self, scenario: Scenario) -> None:
        self._default = scenario

    def take(self, to: str) -> Scenario:
        try:
            return self.queued.popleft()
        except IndexError:
            return self.by_number.get(to, self._default)
