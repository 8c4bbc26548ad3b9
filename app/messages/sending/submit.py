"""Creates a submission at the provider: retries, and the limit of concurrent sends.

Only calls that were never processed are retried, within 3 s. The limit keeps threads for callbacks.
"""

import math
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog

from app.kernel.errors import Quota, RateLimited
from app.providers.port import NeverProcessed, Outbound, Outcome, SmsProvider, Unconfirmed
from app.web.metrics import PROVIDER_SECONDS

TRY_FOR_SECONDS = 3.0
_FIRST_PAUSE_SECONDS = 0.2
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """The clock of retries; tests replace it."""

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = field(default=random.random)


class NoFreePlace(Exception):
    """A send must wait until ``is_over()``; nothing was written or sent."""

    def __init__(self, places: int, is_over: Callable[[], bool]) -> None:
        self.is_over = is_over
        self.as_limit = RateLimited(Quota("sends", places))
        super().__init__()


class InFlight:
    """The concurrent provider calls of one process.

    A workspace may use all places but the last eighth, at least two.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._share = max(1, places - max(2, math.ceil(places / 8)))
        self._lock = threading.Lock()
        self._taken: Counter[Hashable] = Counter()

    @contextmanager
    def place(self, workspace_id: Hashable) -> Iterator[None]:
        """Raises `NoFreePlace`."""
        with self._lock:
            if not self._is_free(workspace_id):
                raise NoFreePlace(self._share, lambda: self.has_place(workspace_id))
            self._taken[workspace_id] += 1
        try:
            yield
        finally:
            with self._lock:
                self._taken[workspace_id] -= 1
                if not self._taken[workspace_id]:
                    del self._taken[workspace_id]

    def has_place(self, workspace_id: Hashable) -> bool:
        with self._lock:
            return self._is_free(workspace_id)

    def _is_free(self, workspace_id: Hashable) -> bool:
        return self._taken.total() < self._places and self._taken[workspace_id] < self._share


def submit(provider: SmsProvider, outbound: Outbound, pace: Pace) -> Outcome:
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
        # After a defect it is unknown whether the provider has the message.
        _log.exception("provider_call_failed", message_id=str(outbound.message_id))
        outcome = Unconfirmed("a defect of ours during the call")
    seconds = time.perf_counter() - started
    PROVIDER_SECONDS.labels(type(outcome).__name__).observe(seconds)
    return outcome
