"""Scenarios: create answers, final statuses and callbacks of messages."""

import threading
from collections import deque
from collections.abc import Iterable
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
        self._lock = threading.Lock()
        self._queue: deque[Scenario] = deque()
        self._by_number: dict[str, Scenario] = {}
        self._default = Scenario()

    def queue(self, *scenarios: Scenario) -> None:
        """Appends scenarios for the next create calls, one each."""
        with self._lock:
            self._queue.extend(scenarios)

    def for_number(self, to: str, scenario: Scenario) -> None:
        with self._lock:
            self._by_number[to] = scenario

    def set_default(self, scenario: Scenario) -> None:
        with self._lock:
            self._default = scenario

    def take(self, to: str) -> Scenario:
        with self._lock:
            if self._queue:
                return self._queue.popleft()
            return self._by_number.get(to, self._default)

    def queued(self) -> int:
        with self._lock:
            return len(self._queue)

    def numbers(self) -> Iterable[str]:
        with self._lock:
            return tuple(self._by_number)

    def clear(self) -> None:
        with self._lock:
            self._queue.clear()
            self._by_number.clear()
            self._default = Scenario()
