"""Time that a test moves by itself: the clock of operations and the pace of retries."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from app.kernel.clock import Clock
from app.messages.submit import Pace


@dataclass
class ManualClock:
    """A clock that stands until it is moved."""

    at: datetime = datetime(2026, 1, 31, 12, tzinfo=UTC)

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)

    def clock(self) -> Clock:
        return Clock(lambda: self.at)


@dataclass
class FakePace:
    """Retries sleep in no time; what they slept is kept."""

    at: float = 0.0
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds

    def pace(self) -> Pace:
        return Pace(monotonic=lambda: self.at, sleep=self.sleep, jitter=lambda: 0.0)
