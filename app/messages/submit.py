"""Handing one submission to the provider: how often to try, and how many at once. No storage here.

Only what the provider certainly never processed is tried again, within 3 s in total. A bound on the
sends in flight keeps threads free for status callbacks while the provider is slow.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog

from app.kernel.errors import RateLimited
from app.messages.ports import NeverProcessed, Outbound, Outcome, SmsProvider, Unconfirmed
from app.web.metrics import PROVIDER_SECONDS

TRY_FOR_SECONDS = 3.0
_FIRST_PAUSE_SECONDS = 0.2
_WAIT_FOR_TURN_SECONDS = 1.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """The time that retries are measured with; tests put their own in."""

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = field(default=random.random)


class InFlight:
    """How many sends one process may have at the provider at once."""

    def __init__(self, limit: int, wait_seconds: float = _WAIT_FOR_TURN_SECONDS) -> None:
        self._turns = threading.BoundedSemaphore(limit)
        self._wait_seconds = wait_seconds

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait briefly for a turn.

        Raises:
            RateLimited: too many sends wait for the provider; nothing was written or sent.
        """
        if not self._turns.acquire(timeout=self._wait_seconds):
            raise RateLimited
        try:
            yield
        finally:
            self._turns.release()


def submit(provider: SmsProvider, outbound: Outbound, pace: Pace) -> Outcome:
    """Create a message at the provider; tries again only what was never processed."""
    started = pace.monotonic()
    pause = _FIRST_PAUSE_SECONDS
    while True:
        outcome = _try_once(provider, outbound)
        if not isinstance(outcome, NeverProcessed):
            return outcome
        wanted = outcome.retry_after_seconds
        wait = pause * (1 + pace.jitter() / 2) if wanted is None else max(wanted, pause)
        if pace.monotonic() - started + wait >= TRY_FOR_SECONDS:
            return outcome
        pace.sleep(wait)
        pause *= 2


def _try_once(provider: SmsProvider, outbound: Outbound) -> Outcome:
    outcome: Outcome
    started = time.perf_counter()
    try:
        outcome = provider.create(outbound)
    except Exception:  # noqa: BLE001
        # A defect after the call may have left: whether the provider has it is not known.
        _log.exception("provider_call_failed", message_id=str(outbound.message_id))
        outcome = Unconfirmed("a defect of ours during the call")
    seconds = time.perf_counter() - started
    PROVIDER_SECONDS.labels(type(outcome).__name__).observe(seconds)
    return outcome
