"""Time that a test moves by itself: the clock of operations and the pace of retries."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import pytest

from app.kernel import clock as clock_module
from app.kernel.clock import Clock
from app.messages.sending.send import Pace


@dataclass
class ManualClock:
    """A clock that stands until it is moved."""

    at: datetime = datetime(2026, 1, 31, 12, tzinfo=UTC)

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)

    def clock(self) -> Clock:
        return Clock(lambda: self.at)


@contextmanager
def host_clock_ahead(by: timedelta) -> Iterator[None]:
    """Let this process read a host's clock that is wrong; the database's clock stays right."""

    class Ahead(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return datetime.now(tz) + by

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock_module, "datetime", Ahead)
        yield


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
