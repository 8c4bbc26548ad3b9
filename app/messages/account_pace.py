"""The rate at which a worker asks the provider about one account; failing accounts are skipped.

Reconciliation must leave the account's rate limit to its sends.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

# Twilio limits requests by account and answers 429 beyond; sends come first.
CALLS_PER_SECOND = 20.0


@dataclass(frozen=True, slots=True)
class AccountPace:
    """Spaces the calls of one worker; tests put their own time in."""

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _next: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wait_for_turn(self, account_sid: str) -> None:
        """Wait until the account may be asked again."""
        now = self.monotonic()
        with self._lock:
            turn = max(now, self._next.get(account_sid, now))
            self._next[account_sid] = turn + 1 / CALLS_PER_SECOND
        if turn > now:
            self.sleep(turn - now)
